#pragma once
// The address ranges of a cluster as written: that each can be used, that they are apart, and that pods and services fit. Part of cluster_spec. Pure.
#include "common/core/problems.hpp"
#include "coordinator/domain/cluster_spec.hpp"

namespace slipway {

// kube-apiserver refuses larger service ranges; the default DNS address, the tenth, needs a /28.
inline constexpr int k_shortest_service_prefix = 12;
inline constexpr int k_longest_service_prefix = 28;
inline constexpr int k_longest_node_prefix = 29;  // five pods

// Fills in what the texts of `cluster.spec.network` mean.
void check_network(Problems& problems, ValidatedCluster& cluster);

// The longest prefix length (smallest block) that holds this many pods; 8 when none does.
int prefix_for(std::uint64_t pods);
// "10.10.0.0/16 cut in /24 holds 256 nodes with 253 pods each".
std::string cut_text(const Cidr& pods, int length);

}  // namespace slipway
