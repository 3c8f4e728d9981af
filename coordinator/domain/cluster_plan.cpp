#include "coordinator/domain/cluster_plan.hpp"

namespace slipway {

namespace {

Status check_nodes(const State& state, const ValidatedCluster& wanted) {
  const ProfileCluster cluster = profile_cluster(wanted, state.identity().id);
  for (const auto& [name, node] : state.nodes()) {
    ProfileNode profile;
    profile.name = name;
    profile.master = node.role == NodeRole::master;
    const auto fits = check_node_address(cluster, profile, node.address);
    if (!fits) return make_error(Errc::conflict, "the change does not fit the live nodes: " + fits.error().message);
  }
  return {};
}

}  // namespace

Result<ClusterPlan> plan_cluster(const State& state, const ApplyCluster& op) {
  auto cluster = validate(op.spec);
  if (!cluster) return cluster.error();
  if (const auto change = check_change(state.cluster(), *cluster); !change) return change.error();
  if (*cluster == state.cluster()) return ClusterPlan{std::move(*cluster), {state.ledger(), {}}};
  if (const auto nodes = check_nodes(state, *cluster); !nodes) return nodes.error();
  auto pools = plan_pools(state, *cluster, op.host_routes);
  if (!pools) return pools.error();
  return ClusterPlan{std::move(*cluster), std::move(*pools)};
}

}  // namespace slipway
