#pragma once
// What agents said last. Not persisted: the next report comes within a minute. State thread only.
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/clock.hpp"
#include "coordinator/domain/state.hpp"
#include "proto/report_types.hpp"
#include "proto/view_types.hpp"

namespace slipway {

// The first 64 bits of a bundle's digest, all that is kept for each node: only the node itself could make them wrong. 0: it is no
// digest.
std::uint64_t bundle_mark(std::string_view sha256_hex);

// 64 bits of a report as it came, never 0. Only the node itself could make two of its reports look alike.
std::uint64_t report_mark(std::string_view body);

struct NodeContact {
  proto::NodeStatusReport report;   // empty phase: none yet
  std::uint64_t mark = 0;           // report_mark() of the report; 0: not known
  std::uint64_t applied_revision = 0;
  WallTime last_contact{};          // for people
  SteadyTime last_seen{};           // for reckoning
  SteadyTime seen_at_home{};        // from the node's own address
  SteadyTime seen_behind_nat{};     // from an address that it shares
  bool pod_cidr_published = false;  // stands in Node.spec.podCIDR
  std::uint64_t changed = 0;        // change_count() of the board when something new was said last
  // NodeSettings as JSON, one text for all that have the same; null: nothing was set.
  std::shared_ptr<const std::string> running_settings, host_settings;
  std::array<std::uint64_t, std::size(k_ca_kinds)> bundles{};  // marks of the CA bundles that it uses, by CaKind; 0: not told
};

// Where a request with a node's identity comes from.
enum class Origin : std::uint8_t {
  home,        // the node's own address; or loopback: who connects by it is on our own host and is believed
  behind_nat,  // of network.natSources: it may be the node, and any of its neighbours there
  elsewhere,
};
Origin origin_of(const std::vector<Cidr>& nat_sources, const Node& node, const IpAddress& from);

class NodeStatusBoard {
 public:
  // A node not heard of for `dead_after` no longer holds back quarantine: it fetches the whole state when it returns.
  explicit NodeStatusBoard(const Clock& clock, Millis dead_after = std::chrono::minutes(10));

  // Only for live nodes (the caller has authenticated them). Texts and lists are cut to sane sizes: a node's word must not
  // fill our memory.
  void report(const std::string& uid, proto::NodeStatusReport report, Origin origin = Origin::home, std::uint64_t mark = 0);
  // Whether what came with this mark is the node's last report again; it is then taken as such, unread.
  bool repeat(const std::string& uid, std::uint64_t mark, Origin origin = Origin::home);
  void contact(const std::string& uid, std::uint64_t applied_revision, Origin origin = Origin::home);  // a sync request
  void set_pod_cidr_published(const std::string& uid, bool published);
  void changed(const std::string& uid);  // an operator changed its record
  void forget(const std::string& uid);
  const NodeContact* find(const std::string& uid) const;
  std::size_t size() const { return contacts_.size(); }
  // Rises when a node says something else than before or is changed; a mere sign of life does not count.
  std::uint64_t change_count() const { return change_count_; }

  // The desired revision that every live node has applied. Nodes not heard of since our start count as live, with nothing
  // applied, until `dead_after` has passed.
  std::uint64_t acknowledged(const State& state) const;
  // Drops what belongs to nodes that are no more.
  void prune(const State& state);

 private:
  NodeContact& heard(const std::string& uid, Origin origin);

  const Clock& clock_;
  Millis dead_after_;
  SteadyTime started_;
  std::shared_ptr<const std::string> shared_text(std::string text);

  std::map<std::string, NodeContact> contacts_;
  std::map<std::string, std::weak_ptr<const std::string>> texts_;  // of settings
  std::uint64_t change_count_ = 0;
};

// The labels by which operators select nodes: Kubernetes' well-known ones, slipway/role and slipway/pool.
std::map<std::string, std::string> labels_of(const proto::NodeView& view);

// Sizes that a host's word is cut to before we keep it.
void cut_facts(proto::NodeFacts& facts);

// Errc::denied names both when an agent with the node's identity was heard at home within the last 90 s and now one comes from elsewhere or
// from behind NAT, or was heard behind NAT and now one comes from elsewhere: a machine was copied with its keys. A node that has moved is let in
// once its old place is silent. Behind the same NAT a copy looks like its original.
Status check_single(const std::vector<Cidr>& nat_sources, const Node& node, const NodeContact* contact, const IpAddress& from, SteadyTime now);

// What operators see of a node.
proto::NodeView node_view(const State& state, const Node& node, const NodeContact* contact);

}  // namespace slipway
