#include "agent/domain/run_record.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "common/core/text.hpp"

namespace slipway {

std::string to_text(const RunRecord& record) {
  return "pid=" + std::to_string(record.pid) + "\nstartTime=" + std::to_string(record.start_time) + "\ninvocation=" + record.invocation +
         "\nrestarts=" + std::to_string(record.restarts) + "\nstarted=" + std::to_string(record.started) +
         "\npause=" + std::to_string(record.pause_seconds) + "\n";
}

Result<RunRecord> parse_run_record(std::string_view text) {
  std::map<std::string_view, std::string_view> values;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t sign = line.find('=');
    if (sign != std::string_view::npos) values[line.substr(0, sign)] = line.substr(sign + 1);
  }
  const auto number = [&values](std::string_view key, std::uint64_t max) { return parse_u64(values[key], max); };
  const auto pid = number("pid", INT32_MAX);
  const auto start = number("startTime", UINT64_MAX);
  const auto restarts = number("restarts", UINT32_MAX);
  const auto started = number("started", INT64_MAX);
  const auto pause = number("pause", 86'400);
  const std::string_view invocation = values["invocation"];
  if (!pid || !start || !restarts || !started || !pause || invocation.size() != 32 || !from_hex(invocation))
    return make_error(Errc::corrupt, "is no record of a run");
  RunRecord record;
  record.pid = static_cast<std::int32_t>(*pid);
  record.start_time = *start;
  record.invocation = std::string(invocation);
  record.restarts = static_cast<std::uint32_t>(*restarts);
  record.started = static_cast<std::int64_t>(*started);
  record.pause_seconds = static_cast<std::int64_t>(*pause);
  return record;
}

std::optional<std::uint64_t> start_time_of(std::string_view stat) {
  // The second field, the program's name in brackets, may hold anything.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return std::nullopt;
  const std::vector<std::string_view> fields = split(stat.substr(name_end + 2), ' ');
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  return parse_u64(fields[19]);
}

bool is_recorded(const RunRecord& record, std::string_view stat, std::string_view environment) {
  if (record.pid == 0 || start_time_of(stat) != record.start_time) return false;
  const std::string mark = "INVOCATION_ID=" + record.invocation;
  const std::vector<std::string_view> entries = split(environment, '\0');
  return std::find(entries.begin(), entries.end(), mark) != entries.end();
}

}  // namespace slipway
