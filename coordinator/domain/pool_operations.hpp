#pragma once
// Changes of the pools: what the operations of operations.hpp do. Each checks all first, then changes state and records; false
// when nothing changed. For operations.cpp only.
#include <string>
#include <vector>

#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

// Addresses that are not for pods and who has them: services, the nodes' network, endpoints, live nodes.
std::vector<OccupiedRange> occupied_addresses(const State& state, const ValidatedCluster& cluster);

Status create_pool(const State& state, StateEditor& editor, const CreatePool& op);
Result<bool> grow_pool(const State& state, StateEditor& editor, const GrowPool& op);
Result<bool> drain_pool(const State& state, StateEditor& editor, const DrainPool& op);
Status delete_pool(const State& state, StateEditor& editor, const DeletePool& op);
Status hold_block(const State& state, StateEditor& editor, const HoldBlock& op);
Status release_hold(const State& state, StateEditor& editor, const ReleaseHold& op);
// `notes` gets a line for each block that could not be kept for its node.
bool import_nodes(const State& state, StateEditor& editor, const ImportNodes& op, std::vector<std::string>& notes);
bool sample_pools(const State& state, StateEditor& editor, WallTime now);

// The pools that the cluster settings describe, made or grown, as they would be; the state still has the old settings.
struct PoolPlan {
  CidrLedger ledger;
  std::vector<PoolRecord> changed;
};
Result<PoolPlan> plan_pools(const State& state, const ValidatedCluster& wanted, const std::vector<OccupiedRange>& host_routes);
void carry_out(const State& state, StateEditor& editor, PoolPlan plan);

}  // namespace slipway
