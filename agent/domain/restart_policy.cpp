#include "agent/domain/restart_policy.hpp"

#include <algorithm>
#include <cstring>

namespace slipway {

namespace {

std::string exit_code_text(std::int32_t code) {
  std::string text = "exited with code " + std::to_string(code);
  // systemd's own codes for what went wrong before the program ran (systemd.exec(5)).
  switch (code) {
    case 200:
      return text + " (its working directory could not be entered)";
    case 203:
      return text + " (the program could not be executed)";
    case 217:
      return text + " (its user does not exist)";
    case 219:
      return text + " (its control group could not be set up)";
    default:
      return text;
  }
}

std::string signal_text(std::int32_t number) {
  const char* name = ::sigabbrev_np(number);
  std::string text = "killed by signal " + std::to_string(number);
  return name == nullptr ? text : text + " (SIG" + name + ")";
}

}  // namespace

std::string pause_dropin_dir(const std::string& run_unit_dir, const std::string& unit) {
  return run_unit_dir + "/" + unit + ".d";
}

std::string pause_dropin(const std::string& run_unit_dir, const std::string& unit) {
  return pause_dropin_dir(run_unit_dir, unit) + "/50-slipway-backoff.conf";
}

std::string describe_exit(const UnitStatus& status) {
  if (status.result == "oom-kill") return "killed by the kernel: out of memory";
  if (status.result == "watchdog") return "killed by its watchdog: it stopped answering";
  if (status.result == "start-limit-hit") return "not started again: it failed too often in a short time";
  if (status.result == "lost") return "ended while no agent was there to see how";
  if (status.result == "timeout") return "did not start or stop in time";
  switch (status.exit_kind) {
    case ExitKind::none:
      return "";
    case ExitKind::exited:
      return exit_code_text(status.exit_status);
    case ExitKind::killed:
      return signal_text(status.exit_status);
    case ExitKind::dumped:
      return signal_text(status.exit_status) + ", core dumped";
  }
  return "";
}

std::string exit_reason(const UnitStatus& status) {
  for (const char* word : {"oom-kill", "watchdog", "timeout"}) {
    if (status.result == word) return word;
  }
  if (status.result == "start-limit-hit") return "start-limit";
  switch (status.exit_kind) {
    case ExitKind::none:
      return "";
    case ExitKind::exited:
      return "exited";
    case ExitKind::killed:
      return "signal";
    case ExitKind::dumped:
      return "core-dump";
  }
  return "";
}

std::string exit_signal(const UnitStatus& status) {
  if (status.exit_kind != ExitKind::killed && status.exit_kind != ExitKind::dumped) return "";
  const char* name = ::sigabbrev_np(status.exit_status);
  return name == nullptr ? "signal " + std::to_string(status.exit_status) : "SIG" + std::string(name);
}

std::optional<CrashLoop> CrashWatch::observe(const UnitStatus& status,
                                             std::chrono::steady_clock::time_point now) {
  // The supervisor's count goes back to 0 when somebody starts the unit by hand.
  const std::uint32_t before = last_restarts_.value_or(status.restarts);
  const std::uint32_t fresh = status.restarts > before ? status.restarts - before : 0;
  last_restarts_ = status.restarts;
  if (fresh > 0) reason_ = describe_exit(status);
  for (std::uint32_t i = 0; i < std::min(fresh, limits_.restarts); ++i) ends_.push_back(now);
  while (ends_.size() > limits_.restarts) ends_.pop_front();
  if (status.result == "start-limit-hit") return CrashLoop{status.restarts, describe_exit(status)};
  if (status.running() && !ends_.empty() && now - ends_.back() > limits_.healthy_after) {
    ends_.clear();
    looped_ = 0;
  }
  // In a loop it stays until it runs well: the pauses between its starts grow longer than the window.
  if (looped_ > 0) {
    looped_ += fresh;
    return CrashLoop{looped_, reason_};
  }
  while (!ends_.empty() && now - ends_.front() > limits_.window) ends_.pop_front();
  if (ends_.size() < limits_.restarts) return std::nullopt;
  looped_ = std::max(fresh, limits_.restarts);
  return CrashLoop{looped_, reason_};
}

namespace {

// Ends that the status tells of: a process that waits for its restart has ended and is not counted as restarted yet.
std::uint32_t ends_in(const UnitStatus& status) { return status.restarts + (status.waiting() ? 1 : 0); }

// An agent that begins to look at a unit in trouble knows nothing of how long that lasts: it takes up in the middle.
constexpr std::uint32_t k_first_look = 5;

}  // namespace

void RestartBackoff::begin(const UnitStatus& status, Instant now, WallTime wall) {
  last_ends_ = ends_in(status);
  if (status.running() && status.started) {
    const auto age = std::max(wall - *status.started, Seconds(0));
    running_since_ = now - age;
    invocation_ = status.invocation;
    if (age > limits_.stable) return;
  }
  streak_ = std::min(*last_ends_, k_first_look);
}

std::chrono::seconds RestartBackoff::observe(const UnitStatus& status, Instant now, WallTime wall) {
  if (!last_ends_) begin(status, now, wall);
  // The run seen last is judged before the end that follows it: the watcher may learn of both at once.
  if (running_since_ && now - *running_since_ > limits_.stable) streak_ = 0;
  const bool other = status.invocation != invocation_;
  invocation_ = status.invocation;
  if (!status.running()) running_since_.reset();
  if (status.running() && (other || !running_since_)) running_since_ = now;
  const std::uint32_t ends = ends_in(status);
  // Less than before: somebody started it by hand, and it may begin anew.
  if (ends < *last_ends_) streak_ = ends;
  if (ends > *last_ends_) streak_ += ends - *last_ends_;
  last_ends_ = ends;
  if (streak_ <= limits_.quick) return std::chrono::seconds(0);
  const std::uint32_t doublings = std::min<std::uint32_t>(streak_ - limits_.quick - 1, 30);
  return std::min(limits_.first * (std::int64_t{1} << doublings), limits_.longest);
}

}  // namespace slipway
