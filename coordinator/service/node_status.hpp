#pragma once
// What agents said last. Not persisted: the next report comes within a minute. State thread only.
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/clock.hpp"
#include "coordinator/domain/state.hpp"
#include "proto/types.hpp"

namespace slipway {

// The first 64 bits of a bundle's digest, all that is kept for each node: only the node itself could make them wrong. 0: it is no
// digest.
std::uint64_t bundle_mark(std::string_view sha256_hex);

struct NodeContact {
  proto::NodeStatusReport report;   // empty phase: none yet
  std::uint64_t applied_revision = 0;
  WallTime last_contact{};          // for people
  SteadyTime last_seen{};           // for reckoning
  bool pod_cidr_published = false;  // stands in Node.spec.podCIDR
  std::array<std::uint64_t, std::size(k_ca_kinds)> bundles{};  // marks of the CA bundles that it uses, by CaKind; 0: not told
};

class NodeStatusBoard {
 public:
  // A node not heard of for `dead_after` no longer holds back quarantine: it fetches the whole state when it returns.
  explicit NodeStatusBoard(const Clock& clock, Millis dead_after = std::chrono::minutes(10));

  // Only for live nodes (the caller has authenticated them). Texts and lists are cut to sane sizes: a node's word must not
  // fill our memory.
  void report(const std::string& uid, proto::NodeStatusReport report);
  void contact(const std::string& uid, std::uint64_t applied_revision);  // a sync request
  void set_pod_cidr_published(const std::string& uid, bool published);
  void forget(const std::string& uid);
  const NodeContact* find(const std::string& uid) const;
  std::size_t size() const { return contacts_.size(); }

  // The desired revision that every live node has applied. Nodes not heard of since our start count as live, with nothing
  // applied, until `dead_after` has passed.
  std::uint64_t acknowledged(const State& state) const;
  // Drops what belongs to nodes that are no more.
  void prune(const State& state);

 private:
  const Clock& clock_;
  Millis dead_after_;
  SteadyTime started_;
  std::map<std::string, NodeContact> contacts_;
};

// What operators see of a node.
proto::NodeView node_view(const State& state, const Node& node, const NodeContact* contact);

}  // namespace slipway
