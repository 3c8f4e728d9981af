#include "coordinator/service/pool_view.hpp"

#include <set>

namespace slipway {

namespace {

void add_usage(const State& state, const AddressPool& pool, WallTime now, proto::PoolView& view) {
  const PoolUsage usage = pool.usage();
  view.capacity = usage.capacity;
  view.available = usage.available;
  view.allocated = usage.leased;
  view.reserved = usage.held;
  view.quarantined = usage.quarantined;
  view.used_percent = static_cast<double>(static_cast<std::uint64_t>(usage.used() * 1000.0 + 0.5)) / 10.0;
  view.level = to_string(pool_level(usage.used()));
  if (usage.largest_free) view.largest_free = static_cast<std::uint64_t>(*usage.largest_free);
  const auto history = state.pool_histories().find(pool.record().name);
  const auto end = exhaustion(history == state.pool_histories().end() ? std::vector<PoolSample>() : history->second.samples,
                              {now, usage.capacity - usage.available}, usage.available);
  if (end) view.exhausted_at = to_rfc3339(*end);
}

}  // namespace

proto::Reservation reservation_view(const AddressPool& pool, const BlockHold& hold) {
  const auto taken = pool.find(hold.block);
  return {hold.block.to_string(), hold.node, hold.imported, taken && taken->use == BlockUse::leased, hold.note, to_rfc3339(hold.since)};
}

proto::PoolView pool_view(const State& state, const AddressPool& pool, WallTime now) {
  const PoolRecord& record = pool.record();
  proto::PoolView view;
  view.name = record.name;
  for (const Cidr& range : record.ranges) view.ranges.push_back(range.to_string());
  view.node_prefix_length = static_cast<std::uint64_t>(record.node_prefix_length);
  if (record.selector.role) view.role = to_string(*record.selector.role);
  view.name_pattern = record.selector.name_pattern;
  view.only_by_name = record.selector.only_by_name;
  view.draining = record.draining;
  add_usage(state, pool, now, view);
  for (const auto& [block, hold] : state.ledger().holds()) {
    if (pool.contains(block)) view.reservations.push_back(reservation_view(pool, hold));
  }
  return view;
}

proto::PoolList pool_list(const State& state, WallTime now) {
  proto::PoolList list;
  for (const auto& [name, pool] : state.ledger().pools()) list.items.push_back(pool_view(state, pool, now));
  return list;
}

std::optional<proto::PoolTenant> tenant_of(const AddressPool& pool, const Node& node) {
  for (const Cidr& block : blocks_of(node)) {
    if (pool.contains(block)) return proto::PoolTenant{node.name, block.to_string()};
  }
  return std::nullopt;
}

std::vector<OccupiedRange> reported_routes(const State& state, const NodeStatusBoard& board) {
  std::vector<OccupiedRange> all;
  for (const auto& [name, node] : state.nodes()) {
    const NodeContact* contact = board.find(node.uid);
    if (contact == nullptr) continue;
    const auto some = host_routes_of(contact->report.facts.host_routes, name, false);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

namespace {

// Whose routes are ours to have on a host: live nodes' blocks, and those that agents may still be dropping.
std::set<Cidr> own_routes(const State& state) {
  std::set<Cidr> blocks;
  for (const auto& [name, node] : state.nodes()) {
    for (const Cidr& block : blocks_of(node)) blocks.insert(block);
  }
  for (const QuarantinedBlock& block : state.ledger().quarantine()) blocks.insert(block.prefix);
  return blocks;
}

std::vector<OccupiedRange> cluster_ranges(const State& state) {
  std::vector<OccupiedRange> ranges;
  for (const auto& [name, pool] : state.ledger().pools()) {
    for (const Cidr& range : pool.record().ranges) ranges.push_back({range, "pool " + name});
  }
  ranges.push_back({state.cluster().service_cidr, "network.serviceCIDR"});
  return ranges;
}

// A wide route through a gateway is no harm: ours to pods are narrower, and services are rewritten before any route is looked up.
bool is_in_the_way(const OccupiedRange& route, const OccupiedRange& range, const std::set<Cidr>& own) {
  if (!route.block.overlaps(range.block)) return false;
  return !route.via || (range.block.contains(route.block) && !own.contains(route.block));
}

}  // namespace

std::vector<RouteCollision> route_collisions(const State& state, const NodeStatusBoard& board) {
  std::vector<RouteCollision> found;
  const std::set<Cidr> own = own_routes(state);
  const std::vector<OccupiedRange> ranges = cluster_ranges(state);
  for (const auto& [name, node] : state.nodes()) {
    const NodeContact* contact = board.find(node.uid);
    if (contact == nullptr) continue;
    for (const OccupiedRange& route : host_routes_of(contact->report.facts.host_routes, name, false)) {
      for (const OccupiedRange& range : ranges) {
        if (!is_in_the_way(route, range, own)) continue;
        found.push_back({name, route.block.to_string() + " of " + route.owner + " overlaps " + range.block.to_string() + " of " + range.owner});
      }
    }
  }
  return found;
}

}  // namespace slipway
