#pragma once
// When a process comes back after it ended, and when its coming back is a crash loop. Pure; instants are
// arguments.
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "agent/domain/unit_status.hpp"

namespace slipway {

enum class RestartWhen { never, on_failure, always };

struct RestartPolicy {
  RestartWhen when = RestartWhen::always;
  std::chrono::milliseconds delay{
      2000};  // between an end and the next start; systemd of Debian 12 has no growing delay
  bool operator==(const RestartPolicy&) const = default;
};

// "exited with code 1", "killed by signal 9 (SIGKILL)", "killed by the kernel: out of memory"; empty when it
// has not ended.
std::string describe_exit(const UnitStatus& status);

struct CrashLoop {
  std::uint32_t restarts = 0;  // within the window
  std::string reason;          // of the last end
};

// Watches one unit. observe() is given each status read, in order of time.
class CrashWatch {
 public:
  struct Limits {
    std::uint32_t restarts = 3;  // so many within `window` are a crash loop
    std::chrono::seconds window{600};
    std::chrono::seconds healthy_after{120};  // running so long without an end closes the loop
  };
  CrashWatch() : CrashWatch(Limits{}) {}
  explicit CrashWatch(Limits limits) : limits_(limits) {}

  // The crash loop the unit is in at `now`, if any.
  std::optional<CrashLoop> observe(const UnitStatus& status, std::chrono::steady_clock::time_point now);

 private:
  Limits limits_;
  std::deque<std::chrono::steady_clock::time_point> ends_;
  std::optional<std::uint32_t> last_restarts_;  // empty before the first status: older restarts do not count
  std::string reason_;
};

}  // namespace slipway
