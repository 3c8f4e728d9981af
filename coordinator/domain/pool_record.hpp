#pragma once
// Pools of pod addresses as operators describe them, and what must not lie in their way. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/join_token.hpp"
#include "common/core/problems.hpp"
#include "proto/network_types.hpp"

namespace slipway {

// The pool that network.podCIDR and network.nodePrefixLength of the cluster settings describe.
inline constexpr char k_default_pool[] = "default";
inline constexpr int k_longest_ipv4_block = 29;  // 5 pods
inline constexpr int k_longest_ipv6_block = 125;

// Which nodes a pool is for. All criteria that are set must match; with none set it is for every node.
struct PoolSelector {
  std::optional<NodeRole> role;
  std::string name_pattern;   // of node names: * is any text, ? any one character; empty: any name
  bool only_by_name = false;  // only for joins whose token names the pool
  bool operator==(const PoolSelector&) const = default;
};

struct PoolRecord {
  std::string name;
  std::uint64_t order = 0;     // of creation: of pools that match equally well the older one is asked first
  std::vector<Cidr> ranges;    // of one family; at least one
  int node_prefix_length = 24; // of the block that a node gets; earlier blocks may have another one
  PoolSelector selector;
  bool draining = false;       // gives out nothing; who is there stays
  bool operator==(const PoolRecord&) const = default;
};

// A block that is not for allocation.
struct BlockHold {
  Cidr block;
  std::string node;       // gets the block when it joins; empty: reserved, nobody gets it
  bool imported = false;  // stood in Node.spec.podCIDRs before Slipway came
  std::string note;       // the operator's reason
  WallTime since{};
  bool operator==(const BlockHold&) const = default;
};

bool is_v4(const PoolRecord& pool);

bool selects(const PoolSelector& selector, std::string_view node_name, NodeRole role);
// How many criteria are set: the closer description is asked first.
int specificity(const PoolSelector& selector);

// Shape alone: name, at least one range, one family, disjoint ranges that can be cut, none of the reserved ones (loopback,
// multicast and the like). `field`: where the pool stands in the document, "" or "/network/pools/0". `asked`: the ranges that the
// document has, when it has only some of the pool's.
Problems pool_problems(const PoolRecord& pool, const std::string& field, const std::vector<Cidr>* asked = nullptr);
// "127.0.0.0/8 (loopback)" when the block overlaps addresses that no host may use for pods or services.
std::optional<std::string> reserved_overlap(const Cidr& block);

// As written by an operator, checked; absent when it cannot be: `all` has got the reasons. `field` as above.
std::optional<PoolRecord> read_pool(const proto::PoolSettings& settings, const std::string& field, Problems& all);
// Pods that a block of the pool has addresses for: all but network, broadcast and gateway.
std::uint64_t usable_pods(const PoolRecord& pool);

// Addresses that somebody has, and who.
struct OccupiedRange {
  Cidr block;
  std::string owner;  // "network.serviceCIDR", "pool blue", "the address of node n1", "docker0 of node n1"
  bool via = false;   // a route through a gateway: a narrower one goes before it
};
// "172.17.0.0/16 dev docker0" and "10.0.0.0/8 via eth1", as agents report their routes; what cannot be read is left out. With
// `connected_only` only the first kind, addresses on a link of the host itself.
std::vector<OccupiedRange> host_routes_of(const std::vector<std::string>& routes, const std::string& node, bool connected_only);
// One line for each overlap of `ranges` with `occupied`, with the owner named.
std::vector<std::string> overlap_problems(const std::vector<Cidr>& ranges, const std::vector<OccupiedRange>& occupied);
// Whether a refusal tells of such an overlap, of one with another pool or of a block that somebody has: counted in the metrics.
bool tells_overlap(const Error& error);

}  // namespace slipway
