#include "common/systemd/journal.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string_view>

#include "common/core/time.hpp"

namespace slipway::systemd {

namespace {

constexpr std::size_t k_most_bytes = 4096;  // of one field; longer ones are cut by the library where they are compressed

struct JournalClose {
  void operator()(sd_journal* journal) const { ::sd_journal_close(journal); }
};
using Journal = std::unique_ptr<sd_journal, JournalClose>;

Error journal_error(const std::string& what, int r) { return make_error(Errc::unavailable, "the journal: " + what + ": " + std::strerror(-r)); }

Result<Journal> open_journal(const std::string& directory) {
  sd_journal* raw = nullptr;
  const int r = directory.empty() ? ::sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM)
                                  : ::sd_journal_open_directory(&raw, directory.c_str(), 0);
  if (r < 0) return journal_error("opening it", r);
  Journal journal(raw);
  ::sd_journal_set_data_threshold(journal.get(), k_most_bytes);
  return journal;
}

// Of the entry it stands at; empty: it has no such field.
std::string field_of(sd_journal* journal, const char* name) {
  const void* data = nullptr;
  std::size_t size = 0;
  if (::sd_journal_get_data(journal, name, &data, &size) < 0) return "";
  std::string_view text(static_cast<const char*>(data), std::min(size, k_most_bytes));
  text.remove_prefix(std::min(std::strlen(name) + 1, text.size()));
  return std::string(text);
}

std::string line_of(sd_journal* journal) {
  std::uint64_t microseconds = 0;
  std::string line;
  if (::sd_journal_get_realtime_usec(journal, &microseconds) >= 0) {
    line = to_rfc3339(WallTime(Seconds(static_cast<Seconds::rep>(microseconds / 1'000'000)))) + " ";
  }
  const std::string pid = field_of(journal, "_PID");
  line += field_of(journal, "SYSLOG_IDENTIFIER") + (pid.empty() ? "" : "[" + pid + "]") + ": " + field_of(journal, "MESSAGE");
  return line + "\n";
}

// To the entry before; false: there is none.
Result<bool> step_back(sd_journal* journal) {
  const int r = ::sd_journal_previous(journal);
  if (r < 0) return journal_error("reading it", r);
  return r > 0;
}

}  // namespace

Result<std::vector<std::string>> last_messages(const std::string& unit, std::size_t most, const std::string& directory) {
  auto journal = open_journal(directory);
  if (!journal) return journal.error();
  const std::string match = "_SYSTEMD_UNIT=" + unit;
  int r = ::sd_journal_add_match(journal->get(), match.data(), match.size());
  if (r >= 0) r = ::sd_journal_seek_tail(journal->get());
  if (r < 0) return journal_error("searching it", r);
  std::vector<std::string> messages;
  while (messages.size() < most) {
    const auto there = step_back(journal->get());
    if (!there) return there.error();
    if (!*there) break;
    messages.push_back(field_of(journal->get(), "MESSAGE"));
  }
  std::reverse(messages.begin(), messages.end());
  return messages;
}

Result<std::string> last_lines(const std::string& unit, const JournalLimits& limits, const std::string& directory) {
  auto journal = open_journal(directory);
  if (!journal) return journal.error();
  sd_journal* const j = journal->get();
  const std::string own = "_SYSTEMD_UNIT=" + unit, about = "UNIT=" + unit;
  int r = ::sd_journal_add_match(j, own.data(), own.size());
  if (r >= 0) r = ::sd_journal_add_disjunction(j);
  if (r >= 0) r = ::sd_journal_add_match(j, about.data(), about.size());
  if (r >= 0) r = ::sd_journal_seek_tail(j);
  if (r < 0) return journal_error("searching it", r);
  const SteadyTime end = std::chrono::steady_clock::now() + limits.time;
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  while (lines.size() < limits.lines && bytes < limits.bytes && std::chrono::steady_clock::now() < end) {
    const auto there = step_back(j);
    if (!there) return there.error();
    if (!*there) break;
    lines.push_back(line_of(j));
    bytes += lines.back().size();
  }
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) text += *line;
  return text;
}

}  // namespace slipway::systemd
