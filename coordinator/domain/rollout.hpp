#pragma once
// Who may restart its components for new settings, and when. Pure.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway {

// How the fleet is, but for who asks.
struct RolloutFleet {
  std::uint64_t max_unavailable = 1;
  std::vector<std::string> holders;  // nodes that may restart now
  std::vector<std::string> down;     // not to be heard, or degraded; none of the holders
  std::vector<std::string> failed;   // did not come up with new settings and went back to what they had
  std::string master_away;           // another master among holders and down; empty: none
};

struct RolloutAsker {
  bool master = false;
  bool down = false;  // degraded already
};

// Empty: it may. Else why not, with the cure where there is one.
std::string why_not_restart(const RolloutFleet& others, const RolloutAsker& asker);

}  // namespace slipway
