#pragma once
// What a change of the cluster settings would come to, with everything checked and nothing changed. Pure.
#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/pool_operations.hpp"

namespace slipway {

struct ClusterPlan {
  ValidatedCluster cluster;
  PoolPlan pools;
};

// Errors as of ApplyCluster.
Result<ClusterPlan> plan_cluster(const State& state, const ApplyCluster& op);

}  // namespace slipway
