#pragma once
// One MTU for the pods of all nodes: where nodes' interfaces differ, packets of the full size of one are too large for another, and
// whoever filters ICMP on the way makes of that connections that hang (RFC 2923, section 2.1). Pure.
#include <cstdint>
#include <vector>

namespace slipway {

// What live nodes say that they can carry (NodeFacts::pod_mtu).
struct PodMtuSight {
  std::vector<std::uint64_t> told;  // of those that have told; in any order
  bool all = false;                 // no live node is missing
};

// The limit to publish; 0: none, the nodes are alike. `before`: that stands. It falls as soon as one node needs that, and rises only when
// all have told: after a restart of the coordinator it must not jump. Below 1280, without which there is no IPv6, nobody is believed.
std::uint32_t pod_mtu_limit(const PodMtuSight& sight, std::uint32_t before);

}  // namespace slipway
