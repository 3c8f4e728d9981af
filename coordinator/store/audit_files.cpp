#include "coordinator/store/audit_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "coordinator/store/audit_chain.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_read = std::size_t{1} << 30;
constexpr std::size_t k_max_scan = std::size_t{64}
                                   << 20;  // bytes a list call reads at most, before it gives what it has
constexpr std::string_view k_prefix = "audit-", k_suffix = ".jsonl";
constexpr std::size_t k_digits = 20;

std::string file_name(std::uint64_t seq) {
  char digits[k_digits + 1];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(seq));
  return std::string(k_prefix) + digits + std::string(k_suffix);
}

bool is_ours(const std::string& name) {
  if (name.size() != k_prefix.size() + k_digits + k_suffix.size() || !name.starts_with(k_prefix) ||
      !name.ends_with(k_suffix))
    return false;
  const std::string_view digits = std::string_view(name).substr(k_prefix.size(), k_digits);
  return digits.find_first_not_of("0123456789") == std::string_view::npos;
}

std::uint64_t first_of(const std::string& name) {
  return parse_u64(std::string_view(name).substr(k_prefix.size(), k_digits)).value_or(0);
}

// In the order of their records.
Result<std::vector<std::string>> file_names(const std::string& dir) {
  auto names = list_dir(dir);
  if (!names) return error_of(names, "reading the audit log");
  std::erase_if(*names, [](const std::string& name) { return !is_ours(name); });
  return names;
}

struct Line {
  std::size_t begin = 0;
  std::size_t end = 0;  // behind its newline
  bool whole = false;   // has one
  std::string_view text(std::string_view content) const {
    return content.substr(begin, end - begin - (whole ? 1 : 0));
  }
};

// The line that ends at `end`; absent at the beginning.
std::optional<Line> line_before(std::string_view content, std::size_t end) {
  if (end == 0) return std::nullopt;
  Line line;
  line.end = end;
  line.whole = content[end - 1] == '\n';
  const std::size_t last = line.whole ? end - 1 : end;
  const std::size_t newline = last == 0 ? std::string_view::npos : content.rfind('\n', last - 1);
  line.begin = newline == std::string_view::npos ? 0 : newline + 1;
  return line;
}

// The end of the log, found by reading backwards until the anchor.
struct Tail {
  std::string file;  // that holds the last good record; empty: there is none
  std::size_t good_size = 0;
  AuditHead head;
  std::vector<std::string> torn_files;  // behind it, without any good record
  std::size_t torn_bytes = 0;
  bool anchored = false;  // the anchor's record is there and is the one
};

// True: the search is over.
bool search_file(Tail& tail, const std::string& name, std::string_view content, const AuditHead& anchor) {
  for (std::size_t end = content.size();;) {
    const auto line = line_before(content, end);
    if (!line) break;
    const auto record = line->whole ? open_record(line->text(content))
                                    : Result<proto::AuditRecord>(make_error(Errc::corrupt, "unfinished"));
    if (record && tail.file.empty()) {
      tail.file = name;
      tail.good_size = line->end;
      tail.head = {record->seq, record->hash};
    }
    if (!record && tail.file.empty()) tail.torn_bytes += line->end - line->begin;
    if (record && record->seq <= anchor.seq) {
      tail.anchored = record->seq == anchor.seq && record->hash == anchor.hash;
      return true;
    }
    if (record && anchor.seq == 0) return tail.anchored = true;
    end = line->begin;
  }
  if (tail.file.empty()) tail.torn_files.push_back(name);
  return false;
}

Result<Tail> find_tail(const std::string& dir, const AuditHead& anchor) {
  auto names = file_names(dir);
  if (!names) return names.error();
  Tail tail;
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    const auto content = read_file(dir + "/" + *name, k_max_read);
    if (!content) return error_of(content, "reading the audit log");
    if (search_file(tail, *name, *content, anchor)) return tail;
  }
  tail.anchored = anchor.seq == 0;
  return tail;
}

proto::AuditRecord own_record(std::string action, std::string detail, WallTime now) {
  proto::AuditRecord record;
  record.time = to_rfc3339(now);
  record.action = std::move(action);
  record.detail = std::move(detail);
  return record;
}

// A look at the text before the dear look at its meaning.
bool may_match(const AuditQuery& query, std::string_view line) {
  return line.find(query.node) != std::string_view::npos &&
         line.find(query.certificate) != std::string_view::npos;
}

void check_lines(ChainCheck& check, const std::string& name, std::string_view content, bool last_file) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t newline = content.find('\n', begin);
    if (newline == std::string_view::npos && last_file) return;
    const std::size_t end = newline == std::string_view::npos ? content.size() : newline;
    check.line(name + " line " + std::to_string(++number), content.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

Result<std::unique_ptr<AuditFiles>> AuditFiles::open(AuditFilesOptions options, const AuditHead& anchor,
                                                     WallTime now) {
  if (const Status made = make_dirs(options.dir, 0700); !made) return error_of(made, "opening the audit log");
  auto log = std::unique_ptr<AuditFiles>(new AuditFiles(std::move(options)));
  if (const Status recovered = log->recover(anchor, now); !recovered)
    return error_of(recovered, "opening the audit log");
  return log;
}

Status AuditFiles::recover(const AuditHead& anchor, WallTime now) {
  const auto tail = find_tail(options_.dir, anchor);
  if (!tail) return tail.error();
  if (!tail->anchored) {
    head_ = {std::max(anchor.seq, tail->head.seq), anchor.hash};
    damage_ = "the log should end with record " + std::to_string(anchor.seq) + ", but " +
              (tail->file.empty()
                   ? std::string("holds no record")
                   : "its last whole one is record " + std::to_string(tail->head.seq) + " in " + tail->file) +
              (tail->head.seq >= anchor.seq ? ", and the record in that place is another one" : "");
    const auto appended = append({own_record("audit.damaged", damage_, now)});
    return appended ? Status() : Status(appended.error());
  }
  head_ = tail->head;
  for (const std::string& name : tail->torn_files) {
    if (const Status removed = remove_file(options_.dir + "/" + name); !removed) return removed;
  }
  if (!tail->file.empty()) {
    if (const Status cut_off = cut(tail->file, tail->good_size); !cut_off) return cut_off;
    if (const Status opened = continue_file(tail->file); !opened) return opened;
  }
  if (tail->torn_bytes == 0) return {};
  const auto appended =
      append({own_record("audit.repaired",
                         "an unfinished end of " + std::to_string(tail->torn_bytes) +
                             " bytes behind record " + std::to_string(head_.seq) + " was cut off",
                         now)});
  return appended ? Status() : Status(appended.error());
}

Status AuditFiles::cut(const std::string& name, std::size_t size) {
  const std::string path = options_.dir + "/" + name;
  if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) return from_errno("cut " + path, errno);
  size_ = size;
  return {};
}

Status AuditFiles::continue_file(const std::string& name) {
  const std::string path = options_.dir + "/" + name;
  file_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (!file_) return from_errno("open " + path, errno);
  return {};
}

Status AuditFiles::start_file() {
  const std::string path = options_.dir + "/" + file_name(head_.seq + 1);
  file_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_) return from_errno("create " + path, errno);
  size_ = 0;
  return sync_dir(options_.dir);
}

Status AuditFiles::write(const std::string& text) {
  if (!file_ || (size_ > 0 && size_ + text.size() > options_.max_file_bytes)) {
    if (const Status started = start_file(); !started) return started;
  }
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return from_errno("write to " + options_.dir, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file_.get()) != 0) return from_errno("flush " + options_.dir, errno);
  size_ += text.size();
  return {};
}

Result<AuditHead> AuditFiles::append(std::vector<proto::AuditRecord> records) {
  const std::lock_guard lock(mutex_);
  if (failed_) return make_error(Errc::internal, "the audit log has failed before");
  if (records.empty()) return head_;
  AuditHead head = head_;
  std::string text;
  for (proto::AuditRecord& record : records) text += seal_record(std::move(record), head);
  const Status written = write(text);
  if (!written) {
    failed_ = true;
    return error_of(written, "writing the audit log");
  }
  head_ = head;
  return head;
}

AuditHead AuditFiles::head() {
  const std::lock_guard lock(mutex_);
  return head_;
}

Result<proto::AuditList> AuditFiles::list(const AuditQuery& query) {
  const std::uint64_t last = head().seq;
  const std::uint64_t before = query.before == 0 ? last + 1 : std::min(query.before, last + 1);
  auto names = file_names(options_.dir);
  if (!names) return names.error();
  proto::AuditList list;
  std::size_t scanned = 0;
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    if (*name >= file_name(before)) continue;
    const auto content = read_file(options_.dir + "/" + *name, k_max_read);
    if (!content) return error_of(content, "reading the audit log");
    scanned += content->size();
    std::uint64_t oldest = first_of(*name);
    for (auto line = line_before(*content, content->size()); line;
         line = line_before(*content, line->begin)) {
      if (!may_match(query, line->text(*content))) continue;
      const auto record = open_record(line->text(*content));
      if (!record || record->seq >= before) continue;  // damage is verify()'s to tell
      if (!matches(query, *record)) continue;
      list.items.push_back(*record);
      if (list.items.size() < query.limit) continue;
      oldest = record->seq;
      break;
    }
    const bool full = list.items.size() >= query.limit || scanned >= k_max_scan;
    if (full && oldest > 1) list.next = std::to_string(oldest);
    if (full) break;
  }
  return list;
}

Result<proto::AuditVerdict> AuditFiles::verify(const AuditHead& anchor) {
  return verify_audit_files(options_.dir, anchor);
}

Result<proto::AuditVerdict> verify_audit_files(const std::string& dir, const AuditHead& anchor) {
  auto names = file_names(dir);
  if (!names) return names.error();
  ChainCheck check(anchor);
  for (const std::string& name : *names) {
    const auto content = read_file(dir + "/" + name, k_max_read);
    if (!content) return error_of(content, "reading the audit log");
    check_lines(check, name, *content, name == names->back());
  }
  return check.finish();
}

}  // namespace slipway
