#pragma once
// From one version of Kubernetes to another: what a plan says, and how far the nodes are. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "proto/cluster_types.hpp"
#include "proto/upgrade_report.hpp"
#include "proto/view_types.hpp"

namespace slipway::ctl {

// What a plan is made of, as the coordinator tells it.
struct UpgradeFacts {
  proto::ClusterView cluster;
  std::vector<proto::NodeView> nodes;
  std::vector<proto::Artifact> artifacts;
};

// "v1.31.1" to "1.31.1". Errc::invalid: it is no whole version of Kubernetes 1.
Result<std::string> upgrade_target(const std::string& text);
// The cluster's settings with this version of Kubernetes.
proto::ClusterSpec with_kubernetes(proto::ClusterSpec spec, const std::string& target);

// Without what only the coordinator can say of the new settings (add_refused()).
proto::UpgradePlanReport plan_upgrade(const UpgradeFacts& facts, const std::string& target, WallTime now);
// What the coordinator found wrong with the new settings, a refusal for each of its lines.
void add_refused(proto::UpgradePlanReport& plan, const Error& error);
bool is_refused(const proto::UpgradePlanReport& plan);
// How many nodes restart something.
std::size_t restarting_nodes(const proto::UpgradePlanReport& plan);

proto::UpgradeStatusReport upgrade_status(const proto::ClusterView& cluster, const std::vector<proto::NodeView>& nodes, WallTime now);
// The nodes that are still to come to the cluster's desired revision and version, but for silent ones. Errc::conflict: one that has seen it has
// failed, and with it the rollout has stopped.
Result<std::vector<std::string>> upgrade_left(const proto::ClusterView& cluster, const std::vector<proto::NodeView>& nodes, WallTime now);

}  // namespace slipway::ctl
