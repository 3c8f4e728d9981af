#pragma once
// Who may restart its components for new settings, and when. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/report_types.hpp"

namespace slipway {

// How the fleet is, but for who asks.
struct RolloutFleet {
  std::uint64_t max_unavailable = 1;
  std::vector<std::string> holders;  // nodes that may restart now
  std::vector<std::string> down;     // not to be heard, or degraded; none of the holders
  std::vector<std::string> failed;   // did not come up with new settings and went back to what they had
  std::string master_away;           // another master among holders and down; empty: none
  bool paused = false;               // an operator wants nobody to begin
  std::string kubernetes = {};       // the wanted version
  std::vector<std::string> masters_behind = {};  // whose kube-apiserver is not up with it yet
};

struct RolloutAsker {
  bool master = false;
  bool down = false;    // degraded already
  bool behind = false;  // its kubelet is older than the wanted version, or has not told its own
};

// Empty: it may. Else why not, with the cure where there is one.
std::string why_not_restart(const RolloutFleet& others, const RolloutAsker& asker);

// Whether the version that a node's agent told of a component is `wanted` or newer; not told: no.
bool runs_at_least(const proto::NodeStatusReport& report, std::string_view component,
                   const std::string& wanted);
// Whether kubelets of `wanted` may speak to this master's kube-apiserver: it runs with that version or a newer
// one, and is not on trial.
bool serves(const proto::NodeStatusReport& master, const std::string& wanted);

}  // namespace slipway
