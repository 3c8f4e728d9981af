#pragma once
// The pod bridge's part of the network plan. The bridge is the bridge plugin's, which gives it the first address of the
// node's block when a pod starts, and looks at it no more until the next one does. Pure.
#include <optional>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// Appends what takes away a bridge of a former block, or gives the bridge back its addresses: pods have the block's first as their way
// out, and without its connected route all that is for them falls into this node's own blackhole.
// The state that these steps leave, where what is planned behind them would be another one; empty: `observed` will do.
std::optional<NetworkObserved> plan_bridge(const NetworkDesired& desired, const NetworkObserved& observed,
                                           std::vector<NetworkStep>& steps);

}  // namespace slipway
