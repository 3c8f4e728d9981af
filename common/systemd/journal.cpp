#include "common/systemd/journal.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "common/core/time.hpp"

namespace slipway::systemd {

namespace {

using JournalPtr = std::unique_ptr<sd_journal, decltype(&sd_journal_close)>;

constexpr std::size_t k_longest_line = 4 * 1024;

Result<JournalPtr> open_journal(const std::string& folder) {
  sd_journal* raw = nullptr;
  const int opened = folder.empty() ? sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY)
                                    : sd_journal_open_directory(&raw, folder.c_str(), 0);
  if (opened < 0) return from_errno("opening the journal", -opened);
  return JournalPtr(raw, &sd_journal_close);
}

std::string field(sd_journal* journal, const char* name) {
  const void* data = nullptr;
  std::size_t size = 0;
  if (sd_journal_get_data(journal, name, &data, &size) < 0) return {};
  const std::string_view pair(static_cast<const char*>(data), size);
  const std::size_t equals = pair.find('=');
  return equals == std::string_view::npos ? std::string()
                                          : std::string(pair.substr(equals + 1, k_longest_line));
}

std::string line_of(sd_journal* journal) {
  std::uint64_t microseconds = 0;
  std::string line;
  if (sd_journal_get_realtime_usec(journal, &microseconds) >= 0) {
    line = to_rfc3339(WallTime(Seconds(static_cast<Seconds::rep>(microseconds / 1'000'000)))) + " ";
  }
  const std::string pid = field(journal, "_PID");
  line += field(journal, "SYSLOG_IDENTIFIER") + (pid.empty() ? "" : "[" + pid + "]") + ": " +
          field(journal, "MESSAGE");
  return line + "\n";
}

}  // namespace

Result<std::string> last_lines(const std::string& unit, const JournalLimits& limits,
                               const std::string& folder) {
  auto journal = open_journal(folder);
  if (!journal) return journal.error();
  sd_journal* j = journal->get();
  // What the unit says, and what systemd says of it.
  const std::string own = "_SYSTEMD_UNIT=" + unit, about = "UNIT=" + unit;
  int ok = sd_journal_add_match(j, own.c_str(), 0);
  if (ok >= 0) ok = sd_journal_add_disjunction(j);
  if (ok >= 0) ok = sd_journal_add_match(j, about.c_str(), 0);
  if (ok >= 0) ok = sd_journal_seek_tail(j);
  if (ok < 0) return from_errno("reading the journal of " + unit, -ok);
  const SteadyTime end = std::chrono::steady_clock::now() + limits.time;
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  while (lines.size() < limits.lines && bytes < limits.bytes && std::chrono::steady_clock::now() < end) {
    const int there = sd_journal_previous(j);
    if (there < 0) return from_errno("reading the journal of " + unit, -there);
    if (there == 0) break;
    lines.push_back(line_of(j));
    bytes += lines.back().size();
  }
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) text += *line;
  return text;
}

}  // namespace slipway::systemd
