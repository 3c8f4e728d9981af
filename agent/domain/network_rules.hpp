#pragma once
// The parts of the network plan that are rules rather than comparisons. For network_plan.cpp and its tests.
// Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// IPv4 blocks sorted, without those inside another: an interval set refuses overlaps.
std::vector<Cidr> minimal_v4(std::vector<Cidr> blocks);

// False: the node itself, IPv6, or in conflict with the node's own range or address (see network_findings).
bool usable_peer(const NetworkDesired& desired, const NetworkPeer& peer);

const NetworkLink* pod_bridge(const NetworkObserved& observed);
bool has_ports(const NetworkObserved& observed, const NetworkLink& bridge);
// The bridge's IPv4 address outside `own`, if any: the bridge plugin refuses to work then.
std::optional<IpAddress> foreign_bridge_address(const NetworkLink& bridge, const Cidr& own);

PutMasquerade wanted_masquerade(const NetworkDesired& desired);  // own_cidr must be there

struct WantedSysctl {
  Sysctl sysctl;
  bool optional = false;  // only where the key exists and may be written
  bool minimum = false;   // a larger number will do
  std::string module;     // brings the key
};
std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired);
std::string sysctl_file_content(const NetworkDesired& desired);
std::string modules_file_content();

}  // namespace slipway
