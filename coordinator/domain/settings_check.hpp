#pragma once
// Settings of nodes, checked with all problems told at once. What components know is asked of
// common/kube/component_settings.hpp. Pure.
#include <optional>
#include <string>

#include "common/core/problems.hpp"
#include "proto/cluster_types.hpp"

namespace slipway {

// `field`: pointer to what holds the settings, empty for the document itself. `minor` of Kubernetes; absent:
// names are not looked at.
void check_node_settings(Problems& problems, const std::string& field, const proto::NodeSettings& settings,
                         std::optional<int> minor);
// Those of the cluster and of its groups, and rollout.
void check_cluster_settings(Problems& problems, const proto::ClusterSpec& spec);

// How many nodes of so many may be away at once: at least one. Absent: `amount` is neither a number nor a
// part.
std::optional<std::uint64_t> max_unavailable(const proto::Amount& amount, std::uint64_t nodes);

}  // namespace slipway
