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

std::string describe_exit(const UnitStatus& status) {
  if (status.result == "oom-kill") return "killed by the kernel: out of memory";
  if (status.result == "watchdog") return "killed by its watchdog: it stopped answering";
  if (status.result == "start-limit-hit") return "not started again: it failed too often in a short time";
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

std::optional<CrashLoop> CrashWatch::observe(const UnitStatus& status,
                                             std::chrono::steady_clock::time_point now) {
  // The supervisor's count goes back to 0 when somebody starts the unit by hand.
  const std::uint32_t before = last_restarts_.value_or(status.restarts);
  const std::uint32_t fresh = status.restarts > before ? status.restarts - before : 0;
  last_restarts_ = status.restarts;
  if (fresh > 0) reason_ = describe_exit(status);
  for (std::uint32_t i = 0; i < std::min(fresh, limits_.restarts); ++i) ends_.push_back(now);
  while (!ends_.empty() && now - ends_.front() > limits_.window) ends_.pop_front();
  if (status.result == "start-limit-hit") return CrashLoop{status.restarts, describe_exit(status)};
  if (status.running() && !ends_.empty() && now - ends_.back() > limits_.healthy_after) ends_.clear();
  if (ends_.size() < limits_.restarts) return std::nullopt;
  return CrashLoop{static_cast<std::uint32_t>(ends_.size()), reason_};
}

}  // namespace slipway
