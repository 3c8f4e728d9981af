#pragma once
// What the supervisor of hosts without systemd writes down of a unit that it runs, so that the next one finds the process
// again. One line a member, KEY=VALUE; kept in /run: a boot forgets it. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/domain/unit_status.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct RunRecord {
  std::int32_t pid = 0;          // 0: it waits for its restart
  std::uint64_t start_time = 0;  // of the process, in clock ticks since the boot (proc(5)): with the pid it names one process only
  std::string invocation;        // also in the process' environment
  std::uint32_t restarts = 0;
  std::int64_t started = 0;        // seconds since 1970
  std::int64_t pause_seconds = 0;  // between an end and the next start; 0: as the unit says

  bool operator==(const RunRecord&) const = default;
};

std::string to_text(const RunRecord& record);
Result<RunRecord> parse_run_record(std::string_view text);

// Field 22 of /proc/PID/stat; empty: the process is a zombie, or that is no such file.
std::optional<std::uint64_t> start_time_of(std::string_view stat);
// Whether the process whose /proc files these are is the one of the record.
bool is_recorded(const RunRecord& record, std::string_view stat, std::string_view environment);

}  // namespace slipway
