#pragma once
// When a process comes back after it ended, and when its coming back is a crash loop. Pure; instants are
// arguments.
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "agent/domain/unit_status.hpp"
#include "common/core/time.hpp"

namespace slipway {

enum class RestartWhen { never, on_failure, always };

struct RestartPolicy {
  RestartWhen when = RestartWhen::always;
  // Between an end and the next start. Short: a process that ended once is to be back at once; who ends again and again is
  // held back by RestartBackoff.
  std::chrono::milliseconds delay{50};
  bool operator==(const RestartPolicy&) const = default;
};

// The drop-in that makes systemd wait longer before it starts `unit` again; `run_unit_dir` is gone with the next boot.
std::string pause_dropin(const std::string& run_unit_dir, const std::string& unit);
std::string pause_dropin_dir(const std::string& run_unit_dir, const std::string& unit);

// "exited with code 1", "killed by signal 9 (SIGKILL)", "killed by the kernel: out of memory"; empty when it
// has not ended.
std::string describe_exit(const UnitStatus& status);

// One word for programs: exited, signal, core-dump, oom-kill, watchdog, timeout, start-limit; empty: it has not ended.
std::string exit_reason(const UnitStatus& status);
// "SIGKILL"; empty when no signal ended it, "signal 64" for one without a name.
std::string exit_signal(const UnitStatus& status);

struct CrashLoop {
  std::uint32_t restarts = 0;  // since it began
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
  std::uint32_t looped_ = 0;  // restarts in the loop it is in; 0: in none
};

// How long a process that ends again and again is left alone between its end and its next start. The first ends are answered at
// once (as its unit says), the next with pauses that double; a stable run ends that. Watches one unit; observe() is given
// each status read, in order of time.
class RestartBackoff {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  struct Limits {
    std::uint32_t quick = 2;  // ends in a row that are answered at once
    std::chrono::seconds first{1};
    std::chrono::seconds longest{300};
    std::chrono::seconds stable{120};  // running so long is a stable run
  };
  RestartBackoff() : RestartBackoff(Limits{}) {}
  explicit RestartBackoff(Limits limits) : limits_(limits) {}

  // The pause from now on; zero: as the unit says. `wall` tells a first look how old a run is.
  std::chrono::seconds observe(const UnitStatus& status, Instant now, WallTime wall);

 private:
  void begin(const UnitStatus& status, Instant now, WallTime wall);

  Limits limits_;
  std::optional<std::uint32_t> last_ends_;  // as the status counts them; empty before the first
  std::uint32_t streak_ = 0;                // ends without a stable run between them
  std::string invocation_;
  std::optional<Instant> running_since_;  // of the run seen last, as far as known
};

}  // namespace slipway
