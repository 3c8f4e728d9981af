#pragma once
// The parts of the network plan that are rules rather than comparisons. For network_plan.cpp and its tests.
// Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

const NetworkLink* pod_bridge(const NetworkObserved& observed);
bool has_ports(const NetworkObserved& observed, const NetworkLink& bridge);
// The bridge's address outside the node's own block of that family, if any: the bridge plugin refuses to work then, and the
// kernel keeps to itself what is for the former block's next owner.
std::optional<IpAddress> foreign_bridge_address(const NetworkLink& bridge, const NetworkDesired& desired);
// Its address within the node's own block `own`, with which pods' nodes are known to all peers. Empty: there
// is none that packets can be sent with now.
std::optional<IpAddress> bridge_address(const NetworkObserved& observed, const Cidr& own);

// The MTU that the backend leaves of the underlay's.
int mtu_left(const NetworkDesired& desired, const NetworkLink& underlay);

}  // namespace slipway
