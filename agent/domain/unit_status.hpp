#pragma once
// What the process supervisor knows of one unit.
#include <cstdint>
#include <optional>
#include <string>

#include "common/core/time.hpp"

namespace slipway {

enum class UnitLoad { loaded, not_found, masked, bad };  // bad: the unit file has errors
enum class UnitActivity { active, reloading, inactive, failed, activating, deactivating };
enum class ExitKind { none, exited, killed, dumped };  // how the main process ended last

struct UnitStatus {
  std::string name;
  UnitLoad load = UnitLoad::not_found;
  UnitActivity active = UnitActivity::inactive;
  std::string sub_state;       // the supervisor's finer word: running, auto-restart, dead
  bool enabled = false;        // comes up with the machine
  std::int32_t main_pid = 0;   // 0: none
  std::uint32_t restarts = 0;  // automatic ones since the last start that was asked for
  ExitKind exit_kind = ExitKind::none;  // of the last end, also when it runs again
  std::int32_t exit_status = 0;         // exit code, or signal number when killed or dumped
  std::string result;                   // of the last end: success, exit-code, signal, oom-kill, watchdog, timeout, start-limit-hit ...
  std::optional<WallTime> started;  // of the main process that runs, or ran last
  std::optional<WallTime> ended;    // of the main process that ended last
  std::string invocation;           // differs for each start; hex
  std::string unit_file;            // path of the unit file in use
  bool needs_reload = false;        // the file changed after it was read

  // Ended, and to be started anew after a pause.
  bool waiting() const { return active == UnitActivity::activating && sub_state == "auto-restart"; }
  bool running() const { return active == UnitActivity::active || active == UnitActivity::reloading; }
  bool operator==(const UnitStatus&) const = default;
};

}  // namespace slipway
