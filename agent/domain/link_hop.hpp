#pragma once
// The IPv6 link-local address that each node has on its underlay for its peers to send IPv6 packets of pods
// to. It follows from the node's IPv4 address, so every peer knows it and nothing has to be told. Part of the
// network plan. Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// All of them, on every host, and nobody else's: interface identifiers of the kernel hold a MAC with ff:fe in
// its middle, or 64 random bits.
inline constexpr char k_link_hop_mark[] = "fe80::5157:*";
inline constexpr int k_link_hop_prefix = 64;  // bits; of every link-local address

// Of the node with that IPv4 address: fe80::5157:a4d:b of 10.77.0.11.
IpAddress link_hop(const IpAddress& v4);
bool is_link_hop(const IpAddress& address);

// Whether peers that are neighbours have this node's block of IPv6 by its link_hop.
bool uses_link_hop(const NetworkDesired& desired);
// The kernel has IPv6 off on that interface: nothing of IPv6 can be there.
bool without_v6(const NetworkLink& link);

// Appends what puts this node's own and takes away others. One whose IPv4 address is still on the interface
// stays: peers that have not heard of the node's new address yet send there.
void plan_link_hop(const NetworkDesired& desired, const NetworkObserved& observed,
                   std::vector<NetworkStep>& steps);
void plan_link_hop_removal(const NetworkObserved& observed, std::vector<NetworkStep>& steps);
void link_hop_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                       std::vector<NetworkFinding>& out);

}  // namespace slipway
