#pragma once
// What operators see of the pools. State thread.
#include <optional>
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"
#include "coordinator/service/node_status.hpp"
#include "proto/view_types.hpp"

namespace slipway {

proto::PoolView pool_view(const State& state, const AddressPool& pool, WallTime now);
// The node's block in the pool: one, as a pool is of one family. Absent: it does not live there.
std::optional<proto::PoolTenant> tenant_of(const AddressPool& pool, const Node& node);
proto::PoolList pool_list(const State& state, WallTime now);
proto::Reservation reservation_view(const AddressPool& pool, const BlockHold& hold);

// What live nodes report of their own routes, for the check of new ranges.
std::vector<OccupiedRange> reported_routes(const State& state, const NodeStatusBoard& board);

// Where a node's own routes and a pool or the services are in each other's way: such a host loses packets of one of them.
struct RouteCollision {
  std::string node;
  std::string what;
};
std::vector<RouteCollision> route_collisions(const State& state, const NodeStatusBoard& board);

}  // namespace slipway
