#include "agent/store/file_change_ledger.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/files/write_all.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_ledger = std::size_t{16} << 20;
constexpr std::size_t k_max_changes = 20'000;
constexpr std::size_t k_max_copy = std::size_t{16} << 20;
constexpr std::size_t k_check_digits = 16;
constexpr char k_begun[] = "begun";  // kind of the first line: how the ledger was begun

std::string line_of(const Json& json) {
  // Names of files need not be UTF-8; such a name would not come from our rendering.
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return sha256_hex(text).substr(0, k_check_digits) + " " + text + "\n";
}

Json json_of(const Change& change) {
  Json json = {{"kind", to_string(change.kind)}, {"name", change.name}, {"former", to_string(change.former)}};
  if (!change.wanted.empty()) json["wanted"] = change.wanted;
  if (!change.value.empty()) json["value"] = change.value;
  const bool file = change.kind == ChangeKind::file && change.former == Former::kept;
  if (file || change.former == Former::empty) {
    json["mode"] = change.mode;
    json["uid"] = change.uid;
    json["gid"] = change.gid;
  }
  if (file) json["modifiedNs"] = change.modified_ns;
  return json;
}

template <class T>
T number_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? found->get<T>() : T{};
}

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Change> change_of(const Json& json) {
  const auto kind = change_kind_of(text_at(json, "kind"));
  const auto former = former_of(text_at(json, "former"));
  if (!kind || !former) return make_error(Errc::invalid, "a kind of entry that is not known");
  Change change{*kind, text_at(json, "name"), text_at(json, "wanted"), *former, text_at(json, "value")};
  change.mode = number_at<std::uint32_t>(json, "mode");
  change.uid = number_at<std::uint32_t>(json, "uid");
  change.gid = number_at<std::uint32_t>(json, "gid");
  change.modified_ns = number_at<std::int64_t>(json, "modifiedNs");
  if (auto checked = check_change(change); !checked) return checked.error();
  const bool copied = change.kind == ChangeKind::file && change.former == Former::kept;
  if (copied && (!from_hex(change.value) || change.value.size() != 32))
    return make_error(Errc::invalid, "the name of a copy is no such name");
  return change;
}

// The JSON of a line whose check holds; discarded otherwise.
Json checked_json(std::string_view line) {
  if (line.size() <= k_check_digits + 1 || line[k_check_digits] != ' ') return Json(Json::value_t::discarded);
  const std::string_view text = line.substr(k_check_digits + 1);
  if (sha256_hex(text).substr(0, k_check_digits) != line.substr(0, k_check_digits))
    return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

// Somebody else's process may append at this moment (join while the agent runs).
Result<UniqueFd> lock_folder(const std::string& dir) {
  UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return from_errno("open " + dir, errno);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return from_errno("lock " + dir, errno);
  }
  return fd;
}

// What mkfs makes is nothing that anybody keeps.
bool is_empty_folder(const std::string& path) {
  auto names = list_dir(path);
  if (!names) return false;
  std::erase(*names, "lost+found");
  return names->empty();
}

bool is_path_intent(ChangeKind kind) {
  return kind == ChangeKind::file || kind == ChangeKind::link || kind == ChangeKind::dir ||
         kind == ChangeKind::tree;
}

// Units and files that an agent without this ledger has written.
bool has_our_mark(const std::string& path) {
  const auto text = read_file(path, k_max_copy);
  return text && (text->find("Written by slipway-agent") != std::string::npos ||
                  text->find("SLIPWAY_INPUTS=") != std::string::npos);
}

// The folders above `path` that are not there yet, the outermost first.
std::vector<std::string> missing_parents(const std::string& path) {
  std::vector<std::string> missing;
  for (std::string dir = parent_path(path); dir.size() > 1 && !path_exists(dir); dir = parent_path(dir))
    missing.push_back(dir);
  return {missing.rbegin(), missing.rend()};
}

}  // namespace

Result<std::unique_ptr<FileChangeLedger>> FileChangeLedger::open(const std::string& data_dir,
                                                                 FormerLook look) {
  std::unique_ptr<FileChangeLedger> ledger(new FileChangeLedger(data_dir, std::move(look)));
  if (auto made = make_dirs(ledger->dir_ + "/kept", 0700); !made)
    return error_of(made, "open the change ledger");
  auto lock = lock_folder(ledger->dir_);
  if (!lock) return error_of(lock, "open the change ledger");
  const bool fresh = !path_exists(ledger->file());
  const Status ready = fresh ? ledger->begin(path_exists(data_dir + "/node.json")) : ledger->load();
  if (!ready) return error_of(ready, "open the change ledger");
  if (ledger->torn_) {
    if (auto written = ledger->rewrite(); !written) return error_of(written, "open the change ledger");
  }
  return ledger;
}

Result<std::unique_ptr<FileChangeLedger>> FileChangeLedger::read(const std::string& data_dir) {
  std::unique_ptr<FileChangeLedger> ledger(new FileChangeLedger(data_dir, nullptr));
  if (auto loaded = ledger->load(); !loaded) return error_of(loaded, "read the change ledger");
  return ledger;
}

Status FileChangeLedger::begin(bool adopts) {
  adopts_ = adopts;
  return rewrite();
}

Status FileChangeLedger::load() {
  auto text = read_file(file(), k_max_ledger);
  if (!text) return text.error();
  ledger_ = {};
  foreign_.clear();
  damaged_ = 0;
  const auto lines = split(*text, '\n');
  torn_ = !lines.back().empty();
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    const Json json = checked_json(lines[i]);
    if (json.is_object() && text_at(json, "kind") == k_begun) {
      adopts_ = text_at(json, "name") == "adopted";
      continue;
    }
    auto change = json.is_object() ? change_of(json) : Result<Change>(make_error(Errc::corrupt, "not whole"));
    if (change) {
      ledger_.add(std::move(*change));
      continue;
    }
    ++damaged_;
    foreign_ += std::string(lines[i]) + "\n";
  }
  return {};
}

Status FileChangeLedger::rewrite() {
  std::string text = line_of({{"kind", k_begun}, {"name", adopts_ ? "adopted" : "fresh"}, {"version", 1}});
  for (const Change& change : ledger_.changes()) text += line_of(json_of(change));
  torn_ = false;
  return write_file_atomically(file(), text + foreign_, 0600);
}

Status FileChangeLedger::keep_only(const std::vector<Change>& changes) {
  Ledger left;
  for (const Change& change : changes) left.add(change);
  ledger_ = std::move(left);
  return rewrite();
}

Status FileChangeLedger::intend(const std::vector<Intent>& intents) {
  if (ledger_.news(intents).empty()) return {};
  auto lock = lock_folder(dir_);
  if (!lock) return error_of(lock, "write the change ledger");
  // Another process may have written some of them meanwhile.
  if (auto loaded = load(); !loaded) return error_of(loaded, "write the change ledger");
  std::vector<Change> fresh;
  for (const Intent& intent : ledger_.news(intents)) {
    auto looked = look_at(intent);
    if (!looked)
      return error_of(looked,
                      "write the change ledger: what is there of " + describe(intent.kind, intent.name));
    for (Change& change : *looked) {
      if (auto checked = check_change(change); !checked) return checked;
      if (ledger_.find(change.kind, change.name) == nullptr) fresh.push_back(std::move(change));
    }
  }
  if (fresh.size() + ledger_.changes().size() > k_max_changes)
    return make_error(Errc::exhausted, "the change ledger is full");
  if (auto written = torn_ ? rewrite() : Status(); !written)
    return error_of(written, "write the change ledger");
  if (auto appended = append(fresh); !appended) return error_of(appended, "write the change ledger");
  for (Change& change : fresh) ledger_.add(std::move(change));
  return {};
}

// With the folders above it that have to be made for it.
Result<std::vector<Change>> FileChangeLedger::look_at(const Intent& intent) {
  std::vector<Change> changes;
  if (!is_path_intent(intent.kind)) {
    auto looked = look_(intent);
    if (!looked) return looked.error();
    Change change = std::move(*looked);
    if (intent.ours_by_name && change.former != Former::absent) {
      change.former = Former::presumed;
    } else if (adopts_ && change.former != Former::absent) {
      change.former = Former::unsure;
    }
    change.kind = intent.kind;
    change.name = intent.name;
    change.wanted = intent.wanted;
    return std::vector<Change>{std::move(change)};
  }
  for (const std::string& dir : missing_parents(intent.name))
    changes.push_back({ChangeKind::dir, dir, "", Former::absent, ""});
  auto own = look_at_path(intent);
  if (!own) return own.error();
  changes.push_back(std::move(*own));
  return changes;
}

Result<Change> FileChangeLedger::look_at_path(const Intent& intent) {
  Change change{intent.kind, intent.name, intent.wanted, Former::absent, ""};
  struct stat info {};
  if (::lstat(intent.name.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return change;
    return from_errno("stat " + intent.name, errno);
  }
  std::string target;
  if (S_ISLNK(info.st_mode)) {
    auto read = read_link(intent.name);
    if (!read) return read.error();
    target = std::move(*read);
  }
  const std::string written =
      intent.kind == ChangeKind::link && target == intent.wanted ? target : intent.name;
  if (intent.ours_by_name ||
      (intent.kind != ChangeKind::dir && intent.kind != ChangeKind::tree && has_our_mark(written))) {
    change.former = Former::presumed;
    return change;
  }
  if (adopts_) {
    change.former = Former::unsure;
    // It may be overwritten now, and it may be somebody's.
    const bool file = intent.kind == ChangeKind::file && S_ISREG(info.st_mode);
    if (auto kept = file ? keep_copy(change) : Status(); !kept) return kept.error();
    return change;
  }
  change.former = Former::found;
  if (intent.kind == ChangeKind::tree && S_ISDIR(info.st_mode) && is_empty_folder(intent.name)) {
    change.former = Former::empty;
    change.mode = info.st_mode & 07777;
    change.uid = info.st_uid;
    change.gid = info.st_gid;
    return change;
  }
  if (S_ISLNK(info.st_mode) && (intent.kind == ChangeKind::link || intent.kind == ChangeKind::file)) {
    change.former = intent.kind == ChangeKind::link ? Former::kept : Former::link;
    change.value = std::move(target);
  } else if (intent.kind == ChangeKind::file && S_ISREG(info.st_mode)) {
    change.former = Former::kept;
    change.mode = info.st_mode & 07777;
    change.uid = info.st_uid;
    change.gid = info.st_gid;
    change.modified_ns = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
    if (auto kept = keep_copy(change); !kept) return kept.error();
  }
  return change;
}

Status FileChangeLedger::keep_copy(Change& change) {
  auto content = read_file(change.name, k_max_copy);
  if (!content) return error_of(content, "keep a copy");
  change.value = sha256_hex(change.name).substr(0, 32);
  return write_file_atomically(dir_ + "/kept/" + change.value, *content, 0600);
}

Status FileChangeLedger::append(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) text += line_of(json_of(change));
  if (text.empty()) return {};
  UniqueFd fd(::open(file().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return from_errno("open " + file(), errno);
  const off_t before = ::lseek(fd.get(), 0, SEEK_END);
  if (before >= 0 && static_cast<std::size_t>(before) + text.size() > k_max_ledger)
    return make_error(Errc::exhausted, file() + " is full");
  Status written = write_all(fd.get(), text, file());
  if (written && ::fdatasync(fd.get()) != 0) written = from_errno("flush " + file(), errno);
  // A part of it would stand in the way of the next lines.
  if (!written) torn_ = before < 0 || ::ftruncate(fd.get(), before) != 0;
  return written;
}

}  // namespace slipway
