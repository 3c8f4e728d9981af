#include "coordinator/domain/desired.hpp"

#include <array>

namespace slipway {

namespace {

struct Component {
  const char* name;
  std::string proto::Versions::*version;
  NodeRole role;
};
constexpr std::array<Component, 8> k_components = {{
    {"docker", &proto::Versions::docker, NodeRole::node},
    {"cni-plugins", &proto::Versions::cni_plugins, NodeRole::node},
    {"kubelet", &proto::Versions::kubernetes, NodeRole::node},
    {"kube-proxy", &proto::Versions::kubernetes, NodeRole::node},
    {"etcd", &proto::Versions::etcd, NodeRole::master},
    {"kube-apiserver", &proto::Versions::kubernetes, NodeRole::master},
    {"kube-controller-manager", &proto::Versions::kubernetes, NodeRole::master},
    {"kube-scheduler", &proto::Versions::kubernetes, NodeRole::master},
}};

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

}  // namespace

std::vector<std::string> component_names() {
  std::vector<std::string> names;
  for (const Component& component : k_components) names.emplace_back(component.name);
  return names;
}

std::vector<proto::ComponentRef> desired_components(const State& state) {
  std::vector<proto::ComponentRef> components;
  for (const Component& component : k_components) {
    proto::ComponentRef reference;
    reference.name = component.name;
    reference.version = state.cluster().spec.versions.*component.version;
    reference.role = to_string(component.role);
    if (const auto* artifact = state.artifact(reference.name, reference.version)) {
      reference.artifact = proto::ArtifactRef{artifact->sha256, artifact->size, artifact->format};
    }
    components.push_back(std::move(reference));
  }
  return components;
}

proto::DesiredState desired_state(const State& state) {
  proto::DesiredState desired;
  desired.epoch = state.identity().epoch;
  desired.revision = state.desired_revision();
  desired.cluster = state.cluster().spec;
  desired.components = desired_components(state);
  desired.pod_ranges = pod_ranges(state);
  if (state.artifact_manifest()) desired.artifact_manifest = state.artifact_manifest()->text;
  desired.nodes.reserve(state.nodes().size());
  for (const auto& [name, node] : state.nodes()) {
    desired.nodes.push_back({node.name, node.uid, node.generation, std::string(to_string(node.role)), node.address.to_string(),
                             node.pod_cidr.to_string()});
    if (node.renew_before != WallTime{}) desired.nodes.back().renew_before = to_rfc3339(node.renew_before);
  }
  for (const auto& [kind, line] : state.cas()) {
    desired.cas.push_back({std::string(to_string(kind)), line.bundle_sha256, line.signing.key_id});
  }
  return desired;
}

}  // namespace slipway
