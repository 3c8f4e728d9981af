#include "coordinator/domain/pool_operations.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

Error overlap_error(const std::string& head, const std::vector<std::string>& problems) {
  return make_error(Errc::conflict, Cause::range_overlap, head + "\n  " + join(problems, "\n  "));
}

Error no_pool(const std::string& name) {
  return make_error(Errc::not_found, "there is no pool " + name.substr(0, 64) + " (slipwayctl pool list)");
}

bool covers(const std::vector<Cidr>& ranges, const Cidr& block) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.contains(block); });
}

// `now` with the ranges of `before` that it does not cover, in the old order as far as they stay.
std::vector<Cidr> with_old(const std::vector<Cidr>& before, const std::vector<Cidr>& now) {
  std::vector<Cidr> ranges;
  for (const Cidr& old : before) {
    const auto wider = std::find_if(now.begin(), now.end(), [&](const Cidr& range) { return range.contains(old); });
    const Cidr& range = wider == now.end() ? old : *wider;
    if (std::find(ranges.begin(), ranges.end(), range) == ranges.end()) ranges.push_back(range);
  }
  for (const Cidr& range : now) {
    if (std::find(ranges.begin(), ranges.end(), range) == ranges.end()) ranges.push_back(range);
  }
  return ranges;
}

// What hosts report in the way of the services' new range. What it was before is no news: health tells of that.
std::vector<std::string> service_collisions(const State& state, const ValidatedCluster& wanted, const std::vector<OccupiedRange>& routes) {
  if (!state.has_cluster() || wanted.service_cidr == state.cluster().service_cidr) return {};
  std::vector<OccupiedRange> fresh;
  std::copy_if(routes.begin(), routes.end(), std::back_inserter(fresh),
               [&](const OccupiedRange& route) { return !state.cluster().service_cidr.contains(route.block); });
  return overlap_problems({wanted.service_cidr}, fresh);
}

// Of what hosts report, a route within a range that the pools have already is one of ours.
std::vector<std::string> collisions(const State& state, const ValidatedCluster& cluster, const std::vector<Cidr>& ranges,
                                    const std::vector<OccupiedRange>& routes) {
  std::vector<OccupiedRange> occupied = occupied_addresses(state, cluster);
  const std::vector<Cidr> pools = state.ledger().ranges();
  for (const OccupiedRange& route : routes) {
    if (!covers(pools, route.block)) occupied.push_back(route);
  }
  std::vector<Cidr> fresh;
  std::copy_if(ranges.begin(), ranges.end(), std::back_inserter(fresh), [&](const Cidr& range) { return !covers(pools, range); });
  return overlap_problems(fresh, occupied);
}

// `field`: what says how large its blocks are.
Status check_size(const State& state, const PoolRecord& pool, const char* field) {
  const std::uint64_t wanted = state.cluster().spec.kubelet.max_pods;
  if (usable_pods(pool) >= wanted) return {};
  return field_error(field, ": a block of /" + std::to_string(pool.node_prefix_length) + " has addresses for " +
                                       std::to_string(usable_pods(pool)) + " pods, kubelet.maxPods is " + std::to_string(wanted) + ": take larger blocks or lower maxPods");
}

Error with_owner(const State& state, const Cidr& block, Error error) {
  const Node* node = error.code == Errc::conflict ? state.node_with_block(block) : nullptr;
  if (node != nullptr) error.message += " (node " + node->name + ")";
  return error;
}

void put(const State& state, StateEditor& editor, CidrLedger& trial, const std::vector<PoolRecord>& changed) {
  for (const PoolRecord& pool : changed) {
    const AddressPool* old = state.ledger().pool(pool.name);
    // Samples count blocks of the size that they had.
    if (old != nullptr && old->record().node_prefix_length != pool.node_prefix_length) editor.put_history({pool.name, {}});
    editor.put_pool(pool);
  }
  editor.ledger() = std::move(trial);
}

}  // namespace

std::vector<OccupiedRange> occupied_addresses(const State& state, const ValidatedCluster& cluster) {
  std::vector<OccupiedRange> occupied = {{cluster.service_cidr, "network.serviceCIDR"}};
  if (cluster.service_reserve != cluster.service_cidr) occupied.push_back({cluster.service_reserve, "network.serviceReserve"});
  const auto add_host = [&](const IpAddress& address, const std::string& owner) { occupied.push_back({*Cidr::make(address, address.bits()), owner}); };
  for (const Cidr& nodes : cluster.node_cidrs) occupied.push_back({nodes, "network.nodeCIDRs"});
  for (const Cidr& source : cluster.nat_sources) occupied.push_back({source, "network.natSources"});
  if (cluster.endpoint_address) add_host(*cluster.endpoint_address, "apiServer.endpoint");
  for (const std::string& text : cluster.spec.coordinator.addresses) {
    if (const auto address = IpAddress::parse(text)) add_host(*address, "coordinator.addresses");
  }
  for (const auto& [name, node] : state.nodes()) add_host(node.address, "node " + name);
  return occupied;
}

Status create_pool(const State& state, StateEditor& editor, const CreatePool& op) {
  if (state.ledger().pool(op.pool.name) != nullptr) {
    return pointing_to("/name", make_error(Errc::conflict, Cause::name_taken, "pool " + op.pool.name + " exists: slipwayctl pool grow " + op.pool.name +
                                                                                    " makes it larger"));
  }
  if (const auto fits = check_size(state, op.pool, "/nodePrefixLength"); !fits) return fits;
  if (const auto problems = collisions(state, state.cluster(), op.pool.ranges, op.host_routes); !problems.empty()) {
    return pointing_to("/ranges", overlap_error("pool " + op.pool.name + " cannot be made:", problems));
  }
  PoolRecord pool = op.pool;
  pool.order = state.ledger().next_order();
  if (const auto made = editor.ledger().put_pool(pool); !made) return pointing_to("/ranges", made.error());
  editor.put_pool(pool);
  return {};
}

Result<bool> grow_pool(const State& state, StateEditor& editor, const GrowPool& op) {
  const AddressPool* found = state.ledger().pool(op.name);
  if (found == nullptr) return no_pool(op.name);
  PoolRecord pool = found->record();
  pool.ranges = with_old(pool.ranges, op.ranges);
  if (op.node_prefix_length) pool.node_prefix_length = *op.node_prefix_length;
  if (pool == found->record()) return false;
  const bool is_default = pool.name == k_default_pool;
  if (is_default && pool.node_prefix_length != found->record().node_prefix_length) {
    return pointing_to("/nodePrefixLength", make_error(Errc::conflict, Cause::fixed, "the size of the default pool's blocks is network.nodePrefixLength, which cannot "
                                                                                     "change on a living cluster: make another pool"));
  }
  if (const auto problems = pool_problems(pool, "", &op.ranges); !problems.none()) return problems.error(Errc::invalid);
  if (const auto fits = check_size(state, pool, "/nodePrefixLength"); !fits) return fits.error();
  if (const auto problems = collisions(state, state.cluster(), pool.ranges, op.host_routes); !problems.empty()) {
    return pointing_to("/ranges", overlap_error("pool " + op.name + " cannot grow:", problems));
  }
  CidrLedger trial = state.ledger();
  if (const auto grown = trial.put_pool(pool); !grown) return pointing_to("/ranges", grown.error());
  if (is_default) {
    // The settings say what the default pool's first range is.
    ValidatedCluster cluster = state.cluster();
    const auto first = std::find_if(pool.ranges.begin(), pool.ranges.end(), [&](const Cidr& range) { return range.contains(cluster.pod_cidr); });
    proto::ClusterSpec spec = cluster.spec;
    spec.network.pod_cidr = first->to_string();
    auto valid = validate(spec);
    if (!valid) return valid.error();
    if (*valid != cluster) editor.put_cluster(std::move(*valid));
  }
  put(state, editor, trial, {pool});
  return true;
}

Result<bool> drain_pool(const State& state, StateEditor& editor, const DrainPool& op) {
  const AddressPool* found = state.ledger().pool(op.name);
  if (found == nullptr) return no_pool(op.name);
  PoolRecord pool = found->record();
  if (pool.draining == op.draining) return false;
  pool.draining = op.draining;
  if (const auto changed = editor.ledger().put_pool(pool); !changed) return changed.error();
  editor.put_pool(pool);
  return true;
}

Status delete_pool(const State& state, StateEditor& editor, const DeletePool& op) {
  if (op.name == k_default_pool) return make_error(Errc::conflict, Cause::fixed, "the default pool is part of the cluster settings and stays: drain it instead");
  const auto& declared = state.cluster().pools;
  if (std::any_of(declared.begin(), declared.end(), [&](const PoolRecord& pool) { return pool.name == op.name; })) {
    return make_error(Errc::conflict, Cause::in_use, "pool " + op.name + " stands in the cluster settings: take it out of network.pools first (slipwayctl cluster apply)");
  }
  if (const auto erased = editor.ledger().erase_pool(op.name); !erased) return erased;
  editor.erase_pool(op.name);
  return {};
}

namespace {

Status check_hold_text(const BlockHold& hold) {
  if (!hold.node.empty() && !is_dns_subdomain(hold.node)) {
    return field_error("/node", ": \"" + hold.node.substr(0, 64) + "\" is not a node name: lower-case letters, digits, '-' and '.'");
  }
  if (hold.note.size() > 256 || std::any_of(hold.note.begin(), hold.note.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return field_error("/note", ": at most 256 characters, all printable");
  }
  return {};
}

// A node keeps the block that it lives with.
Status check_living(const Node& node, const Cidr& wanted) {
  for (const Cidr& block : blocks_of(node)) {
    if (block.is_v4() != wanted.is_v4() || block == wanted) continue;
    return make_error(Errc::conflict, Cause::fixed, "node " + node.name + " lives with " + block.to_string() + ", which cannot change: slipwayctl node delete " + node.name +
                                          " first, assign, and let it join again");
  }
  return {};
}

}  // namespace

Status hold_block(const State& state, StateEditor& editor, const HoldBlock& op) {
  const BlockHold& hold = op.hold;
  if (!op.pool.empty() && state.ledger().pool(op.pool) == nullptr) return no_pool(op.pool);
  if (const auto text = check_hold_text(hold); !text) return text;
  const AddressPool* pool = state.ledger().pool_of(hold.block);
  if (pool == nullptr) return field_error("/block", ": " + hold.block.to_string() + " lies in no pool (slipwayctl pool list)");
  if (!op.pool.empty() && pool->record().name != op.pool) {
    return pointing_to("/block", make_error(Errc::conflict, hold.block.to_string() + " lies in pool " + pool->record().name + ", not in " + op.pool.substr(0, 64)));
  }
  std::optional<CidrOwner> living;
  if (const Node* node = hold.node.empty() ? nullptr : state.node(hold.node)) {
    if (const auto fits = check_living(*node, hold.block); !fits) return pointing_to("/block", fits.error());
    living = CidrOwner{node->uid, node->generation};
  }
  if (!hold.node.empty()) {
    PoolRecord sized = pool->record();
    sized.node_prefix_length = hold.block.prefix_length();
    if (const auto fits = check_size(state, sized, "/block"); !fits) return fits;
  }
  const auto kept = editor.ledger().hold(hold, living);
  if (!kept) return pointing_to("/block", with_owner(state, hold.block, kept.error()));
  editor.put_hold(hold);
  return {};
}

Status release_hold(const State& state, StateEditor& editor, const ReleaseHold& op) {
  const AddressPool* pool = state.ledger().pool_of(op.block);
  if (pool == nullptr || (!op.pool.empty() && pool->record().name != op.pool)) {
    return make_error(Errc::not_found, op.block.to_string() + " is not a block of pool " + op.pool.substr(0, 64));
  }
  if (const auto dropped = editor.ledger().drop_hold(op.block); !dropped) return dropped;
  editor.erase_hold(op.block);
  return {};
}

bool import_nodes(const State& state, StateEditor& editor, const ImportNodes& op, std::vector<std::string>& notes) {
  bool any = false;
  for (const ImportedNode& object : op.nodes) {
    // Ours have their blocks; the objects of removed ones are on their way out.
    if (state.node(object.name) != nullptr || state.tombstone(object.name) != nullptr) continue;
    for (const std::string& text : object.pod_cidrs) {
      const std::string what = "Node " + object.name + " has spec.podCIDR " + text.substr(0, 64);
      const auto block = Cidr::parse(text);
      if (!block) {
        notes.push_back(what + ", which is no block");
        continue;
      }
      const auto old = state.ledger().holds().find(*block);
      if (old != state.ledger().holds().end() && old->second.node == object.name) continue;
      const BlockHold hold{*block, object.name, true, "found in Node.spec.podCIDRs", op.now};
      const auto kept = editor.ledger().hold(hold, std::nullopt);
      if (!kept) {
        notes.push_back(what + ", which cannot be kept for it: " + with_owner(state, *block, kept.error()).message);
        continue;
      }
      editor.put_hold(hold);
      any = true;
    }
  }
  if (!state.nodes_imported()) {
    editor.set_nodes_imported();
    any = true;
  }
  return any;
}

bool sample_pools(const State& state, StateEditor& editor, WallTime now) {
  bool any = false;
  for (const auto& [name, pool] : state.ledger().pools()) {
    const PoolUsage usage = pool.usage();
    PoolHistory history{name, {}};
    if (const auto old = state.pool_histories().find(name); old != state.pool_histories().end()) history = old->second;
    if (!add_sample(history.samples, {now, usage.capacity - usage.available})) continue;
    editor.put_history(std::move(history));
    any = true;
  }
  return any;
}

Result<PoolPlan> plan_pools(const State& state, const ValidatedCluster& wanted, const std::vector<OccupiedRange>& host_routes) {
  // Pools made with slipwayctl stand in no settings: new ranges of services and nodes must keep clear of them, too.
  std::vector<OccupiedRange> pools;
  for (const auto& [name, pool] : state.ledger().pools()) {
    for (const Cidr& range : pool.record().ranges) pools.push_back({range, "pool " + name});
  }
  std::vector<Cidr> others = wanted.node_cidrs;
  others.insert(others.end(), wanted.nat_sources.begin(), wanted.nat_sources.end());
  others.push_back(wanted.service_cidr);
  if (wanted.service_reserve != wanted.service_cidr) others.push_back(wanted.service_reserve);
  if (const auto problems = overlap_problems(others, pools); !problems.empty()) return overlap_error("the change does not fit the pools:", problems);
  if (const auto problems = service_collisions(state, wanted, host_routes); !problems.empty()) {
    return overlap_error("network.serviceCIDR cannot be as written:", problems);
  }
  std::vector<PoolRecord> records = wanted.pools;
  records.insert(records.begin(), default_pool(wanted));
  PoolPlan plan{state.ledger(), {}};
  for (PoolRecord& record : records) {
    if (const AddressPool* living = plan.ledger.pool(record.name)) {
      record.order = living->record().order;
      record.draining = living->record().draining;
      record.ranges = with_old(living->record().ranges, record.ranges);
      if (record == living->record()) continue;
    } else {
      record.order = plan.ledger.next_order();
    }
    if (const auto problems = collisions(state, wanted, record.ranges, host_routes); !problems.empty()) {
      return overlap_error("pool " + record.name + " cannot be as written:", problems);
    }
    if (const auto made = plan.ledger.put_pool(record); !made) return error_of(made, "pool " + record.name);
    plan.changed.push_back(record);
  }
  return plan;
}

void carry_out(const State& state, StateEditor& editor, PoolPlan plan) {
  if (!plan.changed.empty()) put(state, editor, plan.ledger, plan.changed);
}

}  // namespace slipway
