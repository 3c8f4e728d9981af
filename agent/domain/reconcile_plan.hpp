#pragma once
// Which units to start or restart, and what a node that is being brought about looks like from outside. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/unit_status.hpp"

namespace slipway {

// The environment variable in a unit file that carries the mark of all the unit was started with. It is
// read back from the running process: so the agent knows, without a record that could be wrong, whether a
// process runs with what is on disk.
inline constexpr char k_inputs_variable[] = "SLIPWAY_INPUTS";

// What that variable says: the digest, and how often files that belong to it had to be put back since. Somebody may have started the process
// with a file that was not ours; with the count it is started anew, also when the agent was killed before it could.
struct StartMark {
  std::string digest;
  std::uint64_t repairs = 0;

  std::string to_string() const;
  // Empty: `text` is no mark.
  static std::optional<StartMark> parse(std::string_view text);
  // The mark in the text of a unit file; empty: it is not one of ours, or not as we wrote it.
  static std::optional<StartMark> of_unit_file(std::string_view text);
  bool operator==(const StartMark&) const = default;
};

struct WantedUnit {
  std::string name;  // "kubelet.service"
  // Mark of what it must run with. Empty: its files are not as wanted (an artifact is missing): leave it as
  // it is, but running.
  std::optional<std::string> inputs;
  bool renewed = false;  // one of its files was written in this pass

  bool operator==(const WantedUnit&) const = default;
};

struct SeenUnit {
  UnitStatus status;
  std::optional<std::string> inputs;  // what the running process was started with; empty: it does not say
  std::string ill;                    // why it is to be started anew although it runs as wanted; empty: it is well
};

enum class UnitAction { none, start, restart };
struct UnitDecision {
  UnitAction action = UnitAction::none;
  std::string reason;  // for the log

  bool operator==(const UnitDecision&) const = default;
};

// A unit on its way up is left to the supervisor; so is one that runs with what is wanted.
UnitDecision plan_unit(const WantedUnit& wanted, const SeenUnit& seen);

// The value of k_inputs_variable in a process environment ("A=b\0C=d\0").
std::optional<std::string> inputs_of_environment(std::string_view environment);

// Whether the process whose environment this is, is still the one that `known` tells of: systemd gives each start of a unit an
// INVOCATION_ID of its own (systemd.exec(5)). Then there is no need to ask systemd.
bool is_same_start(const UnitStatus& known, std::string_view environment);

// What the phase depends on.
struct NodeProgress {
  bool removed = false;  // deleted at the coordinator
  bool joined = false;
  bool installed = false;    // all artifacts there
  bool configured = false;   // files written, network programmed
  bool running = false;      // every unit runs
  bool was_running = false;  // has been Running since the agent's start or before
};
std::string node_phase(
    const NodeProgress& progress);  // Removed, Joining, Installing, Configuring, Starting, Running, Degraded

}  // namespace slipway
