#pragma once
// Which runtime goes with which Kubernetes, and what each needs: asked by the coordinator when settings are
// applied and by the agent before it renders, so that both refuse the same with the same words. Pure.
#include <string>
#include <vector>

#include "common/kube/versions.hpp"
#include "proto/cluster_types.hpp"

namespace slipway::kube {

inline constexpr Span k_dockershim{k_oldest_minor, 23};  // KEP-2221; from 1.24 on docker needs cri-dockerd
inline constexpr Span k_runtime_endpoint_field{
    27, k_still};  // KubeletConfiguration.containerRuntimeEndpoint: #112136

struct FieldProblem {
  std::string field;  // JSON pointer into cluster.yaml: "/runtime"
  std::string text;   // what is wrong; the cure
  bool operator==(const FieldProblem&) const = default;
};

// All that is wrong with runtime and versions together. Says nothing of versions that are no versions, but
// for Kubernetes'.
std::vector<FieldProblem> runtime_problems(const proto::ClusterSpec& spec);

// docker speaks to the kubelet through cri-dockerd.
bool needs_cri_dockerd(const proto::ClusterSpec& spec);

struct RuntimeArtifact {
  std::string component;  // "containerd"
  std::string version;
  std::string field;  // "/versions/containerd"
  bool operator==(const RuntimeArtifact&) const = default;
};
// What must be on every host for the runtime of these settings; a version that is not set is empty.
std::vector<RuntimeArtifact> runtime_artifacts(const proto::ClusterSpec& spec);

}  // namespace slipway::kube
