#pragma once
// Whom a node pings in a probe of the network. Pure.
#include <cstddef>
#include <vector>

namespace slipway {

// So many at most for each node, and so many nodes for each: thousands of nodes are not asked for millions of
// pairs.
inline constexpr std::size_t k_probe_peers = 64;

// The places, among `count` nodes in some fixed order, of those that node `self` pings: all the others, or
// k_probe_peers of them at the same distances for each node. Every node is then pinged by as many as it
// pings, and pings those that ping it.
std::vector<std::size_t> probe_peers(std::size_t count, std::size_t self);

}  // namespace slipway
