#include "coordinator/domain/desired.hpp"

#include <algorithm>
#include <array>

#include "common/kube/runtime_rules.hpp"
#include "coordinator/domain/node_overrides.hpp"
#include "coordinator/domain/peer_node.hpp"

namespace slipway {

namespace {

struct Component {
  const char* name;
  std::string proto::Versions::*version;
  NodeRole role;
};
// Beside those of the runtime.
constexpr std::array<Component, 7> k_components = {{
    {"cni-plugins", &proto::Versions::cni_plugins, NodeRole::node},
    {"kubelet", &proto::Versions::kubernetes, NodeRole::node},
    {"kube-proxy", &proto::Versions::kubernetes, NodeRole::node},
    {"etcd", &proto::Versions::etcd, NodeRole::master},
    {"kube-apiserver", &proto::Versions::kubernetes, NodeRole::master},
    {"kube-controller-manager", &proto::Versions::kubernetes, NodeRole::master},
    {"kube-scheduler", &proto::Versions::kubernetes, NodeRole::master},
}};

constexpr std::size_t k_small_delta = 64;  // nodes

constexpr std::array k_runtime_components = {"docker", "cri-dockerd", "containerd", "runc"};

proto::ComponentRef component_ref(const State& state, const std::string& name, const std::string& version, NodeRole role) {
  proto::ComponentRef reference;
  reference.name = name;
  reference.version = version;
  reference.role = to_string(role);
  if (const auto* artifact = state.artifact(name, version)) reference.artifact = proto::ArtifactRef{artifact->sha256, artifact->size, artifact->format};
  return reference;
}

// The default pool's first, then by age.
std::vector<std::string> pod_ranges(const State& state) {
  std::map<std::uint64_t, const PoolRecord*> by_age;
  for (const auto& [name, pool] : state.ledger().pools()) by_age[name == k_default_pool ? 0 : pool.record().order] = &pool.record();
  std::vector<std::string> ranges;
  for (const auto& [order, pool] : by_age) {
    for (const Cidr& range : pool->ranges) ranges.push_back(range.to_string());
  }
  return ranges;
}

std::vector<proto::CaRef> ca_refs(const State& state) {
  std::vector<proto::CaRef> cas;
  for (const auto& [kind, line] : state.cas()) cas.push_back({std::string(to_string(kind)), line.bundle_sha256, line.signing.key_id});
  return cas;
}

// What agents get: where an operator has set no MTU, the limit that nodes' interfaces give.
proto::ClusterSpec told_spec(const State& state) {
  proto::ClusterSpec spec = state.cluster().spec;
  if (spec.network.mtu == 0) spec.network.mtu = state.pod_mtu_limit();
  return spec;
}

}  // namespace

std::vector<std::string> component_names() {
  std::vector<std::string> names(k_runtime_components.begin(), k_runtime_components.end());
  for (const Component& component : k_components) names.emplace_back(component.name);
  return names;
}

std::vector<proto::ComponentRef> desired_components(const State& state) {
  const proto::ClusterSpec& spec = state.cluster().spec;
  std::vector<proto::ComponentRef> components;
  for (const kube::RuntimeArtifact& artifact : kube::runtime_artifacts(spec)) {
    components.push_back(component_ref(state, artifact.component, artifact.version, NodeRole::node));
  }
  for (const Component& component : k_components) {
    components.push_back(component_ref(state, component.name, spec.versions.*component.version, component.role));
  }
  return components;
}

proto::DesiredState desired_state(const State& state) {
  proto::DesiredState desired;
  desired.epoch = state.identity().epoch;
  desired.revision = state.desired_revision();
  desired.cluster = told_spec(state);
  desired.components = desired_components(state);
  desired.pod_ranges = pod_ranges(state);
  if (state.artifact_manifest()) desired.artifact_manifest = state.artifact_manifest()->text;
  desired.nodes.reserve(state.nodes().size());
  for (const auto& [name, node] : state.nodes()) desired.nodes.push_back(peer_node(node));
  desired.overrides = all_overrides(state);
  desired.cas = ca_refs(state);
  desired.form = proto::k_desired_form;
  desired.node_count = state.history().mark().count;
  desired.nodes_hash = state.history().mark().hash();
  return desired;
}

std::optional<proto::DesiredDelta> desired_delta(const State& state, std::uint64_t since) {
  const auto changes = state.history().since(since);
  if (!changes) return std::nullopt;
  // As much work as the whole, and less shared: whoever lacks this much gets that.
  if (changes->nodes.size() > std::max(k_small_delta, state.nodes().size() / 2)) return std::nullopt;
  proto::DesiredDelta delta;
  delta.epoch = state.identity().epoch;
  delta.from = since;
  delta.to = state.desired_revision();
  delta.form = proto::k_desired_form;
  delta.node_count = state.history().mark().count;
  delta.nodes_hash = state.history().mark().hash();
  for (const Node* node : changes->nodes) {
    delta.up.push_back(peer_node(*node));
    proto::NodeOverrides own = overrides_of(state, *node);
    if (own != proto::NodeOverrides{}) delta.up_overrides.emplace(node->name, std::move(own));
  }
  for (const GoneNode* gone : changes->gone) {
    delta.del.push_back({gone->uid, gone->generation, {}});
    for (const Cidr& block : gone->blocks) delta.del.back().pod_cidrs.push_back(block.to_string());
  }
  if (changes->has(DesiredPart::cluster)) delta.cluster = told_spec(state);
  if (changes->has(DesiredPart::components)) delta.components = desired_components(state);
  if (changes->has(DesiredPart::pod_ranges)) delta.pod_ranges = pod_ranges(state);
  if (changes->has(DesiredPart::cas)) delta.cas = ca_refs(state);
  if (changes->has(DesiredPart::overrides)) delta.overrides = all_overrides(state);
  if (changes->has(DesiredPart::manifest)) delta.artifact_manifest = state.artifact_manifest() ? state.artifact_manifest()->text : std::string();
  return delta;
}

}  // namespace slipway
