#pragma once
// The parts of the network plan that are rules rather than comparisons. For network_plan.cpp and its tests.
// Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// False: the node itself, IPv6, or in conflict with the node's own range or address (see network_findings).
bool usable_peer(const NetworkDesired& desired, const NetworkPeer& peer);

const NetworkLink* pod_bridge(const NetworkObserved& observed);
bool has_ports(const NetworkObserved& observed, const NetworkLink& bridge);
// The bridge's IPv4 address outside `own`, if any: the bridge plugin refuses to work then.
std::optional<IpAddress> foreign_bridge_address(const NetworkLink& bridge, const Cidr& own);

}  // namespace slipway
