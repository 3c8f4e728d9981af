#pragma once
// What agents bring about: plain structs of the wire (proto/fields.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/cluster_types.hpp"
#include "proto/settings_types.hpp"

namespace slipway::proto {

struct ArtifactRef {
  std::string sha256;
  std::uint64_t size = 0;
  std::string format = "file";  // file | tar
  bool operator==(const ArtifactRef&) const = default;
};
struct ComponentRef {
  std::string name;
  std::string version;
  std::string role = "node";               // node: on every host; master: on masters only
  std::optional<ArtifactRef> artifact;     // absent: not imported yet
  bool operator==(const ComponentRef&) const = default;
};
struct PeerNode {
  std::string name;
  std::string uid;
  std::uint64_t generation = 0;
  std::string role;
  std::string address;
  std::string pod_cidr;
  // Its certificates that begin before this instant are to be renewed; since 0.3, absent: none are.
  std::optional<std::string> renew_before = {};
  std::optional<std::string> second_pod_cidr =
      {};  // its block of the other family; since 0.4, absent: there is none
  bool operator==(const PeerNode&) const = default;
};
// What agents must trust and be signed by, for one kind of CA. Small on purpose: the bundle itself is fetched when its digest is
// not the stored one's.
struct CaRef {
  std::string kind;           // "fabric", "kubeClient", ...
  std::string bundle_sha256;  // of the bundle's text
  std::string key_id;         // hex, subject key identifier of the CA that signs: a certificate from another is renewed
  bool operator==(const CaRef&) const = default;
};
// One document for all agents, encoded once; a node finds itself among the nodes by uid.
struct DesiredState {
  std::string epoch;
  std::uint64_t revision = 0;
  ClusterSpec cluster;
  std::vector<ComponentRef> components;
  std::vector<PeerNode> nodes;
  std::vector<std::string> pod_ranges = {};  // of all pools, the default pool's first; empty: podCIDR alone
  std::vector<CaRef> cas = {};               // since 0.2; a kind that is missing is not watched
  std::map<std::string, NodeOverrides> overrides = {};  // node name -> what is for it alone; since 0.3
  std::string artifact_manifest = {};        // since 0.3; signed, the agent checks it itself; empty: there is none
  // Since 0.4, absent from coordinators that know no changes: what is told of each node (k_desired_form), and nodes_mark.hpp's words.
  std::optional<std::uint64_t> form = {};
  std::optional<std::uint64_t> node_count = {};
  std::optional<std::string> nodes_hash = {};
};
// Rises when more is told of what has not changed, such as a new field of PeerNode: who has a document of an older form asks for a whole
// one, for changes alone would never bring it.
inline constexpr std::uint64_t k_desired_form = 1;
// Accept and Content-Type of a DesiredDelta; a DesiredState is application/json.
inline constexpr const char* k_delta_type = "application/vnd.slipway.desired-delta+json";
// A node that is no more. It goes only if it is this generation that is known.
struct GoneNode {
  std::string uid;
  std::uint64_t generation = 0;
  std::vector<std::string> pod_cidrs;  // that it had
  bool operator==(const GoneNode&) const = default;
};
// What became other between two revisions, one entry for each node however often it changed. First the gone ones go, then the others are
// put in the place of what is known by their uid. Absent parts of the settings are as they were. Since 0.4.
struct DesiredDelta {
  std::string epoch;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t form = 0;     // as of DesiredState
  std::uint64_t pace_ms = 0;  // not to ask again before
  std::uint64_t node_count = 0;  // both of all nodes, when the changes are made
  std::string nodes_hash;
  std::vector<PeerNode> up = {};
  std::vector<GoneNode> del = {};
  std::map<std::string, NodeOverrides> up_overrides = {};  // by name, of those in `up`; missing there: it has none
  std::optional<ClusterSpec> cluster = {};
  std::optional<std::vector<ComponentRef>> components = {};
  std::optional<std::vector<std::string>> pod_ranges = {};
  std::optional<std::vector<CaRef>> cas = {};
  std::optional<std::map<std::string, NodeOverrides>> overrides = {};  // of all nodes
  std::optional<std::string> artifact_manifest = {};
};
struct CaBundles {
  std::map<std::string, std::string> ca_bundles;  // CA kind -> PEM
};

}  // namespace slipway::proto
