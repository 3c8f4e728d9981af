#include "coordinator/domain/cidr_ledger.hpp"

#include <algorithm>
#include <array>

namespace slipway {

namespace {

// No agent routes there any more.
bool is_dropped(const QuarantinedBlock& block, const Maturity& maturity) { return block.revision <= maturity.acknowledged; }

bool is_mature(const QuarantinedBlock& block, const Maturity& maturity) {
  return is_dropped(block, maturity) && maturity.now - block.since >= maturity.min_age;
}

std::string family_name(bool v4) { return v4 ? "IPv4" : "IPv6"; }

std::string ranges_text(const AddressPool& pool) {
  std::string text;
  for (const Cidr& range : pool.record().ranges) text += (text.empty() ? "" : ", ") + range.to_string();
  return text;
}

// When a block that rests may be given out, in words.
std::string rest_text(const QuarantinedBlock& block, const Maturity& maturity) {
  if (!is_dropped(block, maturity)) return "until all nodes have dropped its route (slipwayctl node list)";
  return "for another " + to_duration_text(maturity.min_age - (maturity.now - block.since));
}

}  // namespace

std::string early_text(const QuarantinedBlock& block, const Maturity& maturity) {
  return block.prefix.to_string() + " was given out " + to_age_text(std::max(maturity.now - block.since, Seconds(0))) + " after it was given back, before its " +
         to_duration_text(maturity.min_age) + " of rest were over: nothing else was left, and every live agent has dropped its route";
}

const AddressPool* CidrLedger::pool(const std::string& name) const {
  const auto found = pools_.find(name);
  return found == pools_.end() ? nullptr : &found->second;
}

const AddressPool* CidrLedger::pool_of(const Cidr& block) const {
  for (const auto& [name, pool] : pools_) {
    if (pool.contains(block)) return &pool;
  }
  return nullptr;
}

AddressPool* CidrLedger::own_pool(const Cidr& block) {
  for (auto& [name, pool] : pools_) {
    if (pool.contains(block)) return &pool;
  }
  return nullptr;
}

const AddressPool* CidrLedger::pool_at(const IpAddress& address) const {
  for (const auto& [name, pool] : pools_) {
    if (pool.contains(address)) return &pool;
  }
  return nullptr;
}

std::vector<Cidr> CidrLedger::ranges() const {
  std::vector<Cidr> all;
  for (const auto& [name, pool] : pools_) all.insert(all.end(), pool.record().ranges.begin(), pool.record().ranges.end());
  return all;
}

std::uint64_t CidrLedger::next_order() const {
  std::uint64_t last = 0;
  for (const auto& [name, pool] : pools_) last = std::max(last, pool.record().order);
  return last + 1;
}

Status CidrLedger::put_pool(const PoolRecord& record) {
  for (const auto& [name, other] : pools_) {
    if (name == record.name) continue;
    for (const Cidr& range : record.ranges) {
      if (other.overlaps(range)) return make_error(Errc::conflict, Cause::range_overlap, range.to_string() + " overlaps " + ranges_text(other) + " of pool " + name);
    }
  }
  const auto found = pools_.find(record.name);
  if (found != pools_.end()) return found->second.become(record);
  auto pool = AddressPool::make(record);
  if (!pool) return pool.error();
  pools_.emplace(record.name, std::move(*pool));
  return {};
}

Status CidrLedger::erase_pool(const std::string& name) {
  const auto found = pools_.find(name);
  if (found == pools_.end()) return make_error(Errc::not_found, "there is no pool " + name.substr(0, 64) + " (slipwayctl pool list)");
  const PoolUsage usage = found->second.usage();
  if (!found->second.empty()) {
    return make_error(Errc::conflict, Cause::in_use, "pool " + name + " is in use: " + std::to_string(usage.leased) + " blocks of nodes, " + std::to_string(usage.held) +
                                          " kept, " + std::to_string(usage.quarantined) + " in quarantine; drain it (slipwayctl pool drain " + name +
                                          "), delete or replace its nodes, then try again");
  }
  pools_.erase(found);
  return {};
}

Error CidrLedger::in_the_way(const Cidr& block, const TakenBlock& taken) const {
  std::string who = "which a node has";
  if (taken.use == BlockUse::quarantined) who = "which rests in quarantine";
  if (const auto kept = holds_.find(taken.prefix); kept != holds_.end()) {
    who = kept->second.node.empty() ? "which is reserved" : "which is kept for node " + kept->second.node;
  }
  return make_error(Errc::conflict, Cause::block_taken, block.to_string() + " overlaps " + taken.prefix.to_string() + ", " + who);
}

Status CidrLedger::hold(const BlockHold& hold, const std::optional<CidrOwner>& living) {
  AddressPool* pool = own_pool(hold.block);
  if (pool == nullptr) return make_error(Errc::invalid, hold.block.to_string() + " lies in no pool (slipwayctl pool list)");
  if (const auto old = holds_.find(hold.block); old != holds_.end()) {
    return make_error(Errc::conflict, Cause::block_taken, hold.block.to_string() + (old->second.node.empty() ? " is reserved already" : " is kept for node " + old->second.node + " already"));
  }
  const std::pair<std::string, bool> key(hold.node, hold.block.is_v4());
  if (const auto other = assigned_.find(key); !hold.node.empty() && other != assigned_.end()) {
    return make_error(Errc::conflict, "node " + hold.node + " has " + other->second.to_string() + " assigned: release that first (slipwayctl pool release " +
                                          other->second.to_string() + ")");
  }
  if (const auto taken = pool->overlapping(hold.block)) {
    const bool its_own = living && taken->use == BlockUse::leased && taken->tag == owner_tag(*living);
    const bool rests = taken->use == BlockUse::quarantined;
    if (taken->prefix != hold.block || !(its_own || rests)) return in_the_way(hold.block, *taken);
  } else if (const auto taken_now = pool->take_exactly(hold.block, BlockUse::held, 0); !taken_now) {
    return taken_now;
  }
  holds_.emplace(hold.block, hold);
  if (!hold.node.empty()) assigned_.emplace(key, hold.block);
  return {};
}

Status CidrLedger::drop_hold(const Cidr& block) {
  const auto found = holds_.find(block);
  if (found == holds_.end()) return make_error(Errc::not_found, block.to_string() + " is neither reserved nor assigned");
  if (!found->second.node.empty()) assigned_.erase({found->second.node, block.is_v4()});
  holds_.erase(found);
  AddressPool* pool = own_pool(block);
  const auto taken = pool->find(block);
  if (taken && taken->use == BlockUse::held) pool->put_back(block);
  return {};
}

bool CidrLedger::takes_nodes(const AddressPool& pool, const NodeWish& wish) const {
  if (pool.record().draining) return false;
  return !pool.record().selector.only_by_name || pool.record().name == wish.pool;
}

std::vector<bool> CidrLedger::families(const NodeWish& wish) const {
  const AddressPool* first = pool(k_default_pool);
  const bool primary_v4 = first == nullptr || is_v4(first->record());
  std::vector<bool> families = {primary_v4};
  for (const auto& [name, pool] : pools_) {
    if (is_v4(pool.record()) != primary_v4 && takes_nodes(pool, wish)) return {primary_v4, !primary_v4};
  }
  return families;
}

std::vector<const AddressPool*> CidrLedger::candidates(bool v4, const NodeWish& wish) const {
  std::vector<const AddressPool*> found;
  for (const auto& [name, pool] : pools_) {
    if (is_v4(pool.record()) != v4 || !takes_nodes(pool, wish)) continue;
    if (selects(pool.record().selector, wish.name, wish.role)) found.push_back(&pool);
  }
  std::sort(found.begin(), found.end(), [](const AddressPool* a, const AddressPool* b) {
    const int closer = specificity(a->record().selector) - specificity(b->record().selector);
    return closer != 0 ? closer > 0 : a->record().order < b->record().order;
  });
  return found;
}

// From this pool, perhaps with blocks whose rest is over; absent: not now.
std::optional<CidrLedger::Plan> CidrLedger::plan_pool(const AddressPool& pool, const Maturity& maturity) const {
  Plan plan{pool.record().name, std::nullopt, {}};
  if (pool.can_take()) return plan;
  std::optional<AddressPool> trial;  // rare: all is taken and some of it could be had
  for (const auto& [order, block] : quarantine_) {
    if (!is_mature(block, maturity) || !pool.contains(block.prefix) || holds_.contains(block.prefix)) continue;
    if (!trial) trial = pool;
    trial->put_back(block.prefix);
    plan.reclaim.push_back(order);
    if (trial->can_take()) return plan;
  }
  return std::nullopt;
}

// When nothing is left: the oldest block that no agent routes to and that is large enough, or, when none is, as many as it takes.
std::optional<CidrLedger::Plan> CidrLedger::plan_early(const AddressPool& pool, const Maturity& maturity) const {
  Plan plan{pool.record().name, std::nullopt, {}};
  std::vector<const QuarantinedBlock*> dropped;
  for (const auto& [order, block] : quarantine_) {
    if (is_dropped(block, maturity) && pool.contains(block.prefix) && !holds_.contains(block.prefix)) dropped.push_back(&block);
  }
  if (dropped.empty()) return std::nullopt;
  AddressPool trial = pool;
  for (const QuarantinedBlock* block : dropped) {
    trial.put_back(block->prefix);
    if (trial.can_take()) return Plan{pool.record().name, std::nullopt, {block->order}};
    if (!trial.take_exactly(block->prefix, BlockUse::quarantined, 0)) return std::nullopt;
  }
  for (const QuarantinedBlock* block : dropped) {
    trial.put_back(block->prefix);
    plan.reclaim.push_back(block->order);
    if (trial.can_take()) break;
  }
  if (!trial.can_take()) return std::nullopt;
  // What was of no use goes on resting.
  std::erase_if(plan.reclaim, [&](std::uint64_t order) {
    const Cidr& prefix = quarantine_.find(order)->second.prefix;
    if (!trial.take_exactly(prefix, BlockUse::quarantined, 0)) return false;
    const bool needed = !trial.can_take();
    if (needed) trial.put_back(prefix);
    return !needed;
  });
  return plan;
}

Result<CidrLedger::Plan> CidrLedger::plan_kept(const Cidr& block, const NodeWish& wish, const Maturity& maturity) const {
  const AddressPool& pool = *pool_of(block);
  const std::string what = block.to_string() + ", assigned to node " + wish.name + ",";
  if (pool.record().draining) {
    return make_error(Errc::conflict, what + " lies in pool " + pool.record().name + ", which is being drained: slipwayctl pool release " + block.to_string());
  }
  const auto taken = pool.find(block);
  if (taken && taken->use == BlockUse::held) return Plan{pool.record().name, block, {}};
  for (const auto& [order, resting] : quarantine_) {
    if (resting.prefix != block) continue;
    if (is_mature(resting, maturity)) return Plan{pool.record().name, block, {order}};
    return make_error(Errc::exhausted, what + " rests in quarantine " + rest_text(resting, maturity));
  }
  return make_error(Errc::conflict, Cause::block_taken, what + " is in use");
}

Result<CidrLedger::Plan> CidrLedger::plan_family(bool v4, const NodeWish& wish, const Maturity& maturity) const {
  if (const auto kept = assigned_.find({wish.name, v4}); kept != assigned_.end()) return plan_kept(kept->second, wish, maturity);
  std::vector<const AddressPool*> asked;
  const AddressPool* named = wish.pool.empty() ? nullptr : pool(wish.pool);
  if (named != nullptr && is_v4(named->record()) == v4) {
    if (named->record().draining) return make_error(Errc::conflict, "pool " + wish.pool + ", which the token names, is being drained: use a token for another pool");
    asked = {named};
  } else {
    asked = candidates(v4, wish);
  }
  for (const AddressPool* pool : asked) {
    if (auto plan = plan_pool(*pool, maturity)) return std::move(*plan);
  }
  for (const AddressPool* pool : asked) {
    if (auto plan = plan_early(*pool, maturity)) return std::move(*plan);
  }
  if (asked.empty()) {
    return make_error(Errc::exhausted, Cause::no_block, "no pool of " + family_name(v4) + " addresses takes node " + wish.name + " with role " + std::string(to_string(wish.role)) +
                                           ": see the rules with slipwayctl pool list, add a pool with slipwayctl pool create");
  }
  return exhausted(asked, maturity);
}

Result<std::vector<CidrLedger::Plan>> CidrLedger::plan(const NodeWish& wish, const Maturity& maturity) const {
  if (!wish.pool.empty() && pool(wish.pool) == nullptr) {
    return make_error(Errc::conflict, "there is no pool " + wish.pool.substr(0, 64) + ", which the token names: use another token or make the pool");
  }
  std::vector<Plan> plans;
  for (const bool v4 : families(wish)) {
    auto plan = plan_family(v4, wish, maturity);
    if (!plan) return plan.error();
    plans.push_back(std::move(*plan));
  }
  return plans;
}

Status CidrLedger::can_allocate(const NodeWish& wish, const Maturity& maturity) const {
  const auto plans = plan(wish, maturity);
  return plans ? Status{} : Status(plans.error());
}

void CidrLedger::end_rest(const Cidr& block) {
  AddressPool* pool = own_pool(block);
  if (holds_.contains(block)) {
    pool->change(block, BlockUse::held, 0);
  } else {
    pool->put_back(block);
  }
}

Cidr CidrLedger::carry_out(const Plan& plan, std::uint64_t tag, const Maturity& maturity, LedgerGrant& grant) {
  for (const std::uint64_t order : plan.reclaim) {
    const auto old = quarantine_.find(order);
    end_rest(old->second.prefix);
    grant.reclaimed.push_back(old->second.prefix);
    if (!is_mature(old->second, maturity)) grant.early.push_back(old->second);
    quarantine_.erase(old);
  }
  AddressPool& pool = pools_.find(plan.pool)->second;
  if (!plan.kept) return *pool.take(BlockUse::leased, tag);
  pool.change(*plan.kept, BlockUse::leased, tag);
  return *plan.kept;
}

Result<LedgerGrant> CidrLedger::allocate(const NodeWish& wish, const CidrOwner& owner, const Maturity& maturity) {
  const auto plans = plan(wish, maturity);
  if (!plans) return plans.error();
  const std::uint64_t tag = owner_tag(owner);
  LedgerGrant grant;
  grant.primary = carry_out(plans->front(), tag, maturity, grant);
  if (plans->size() > 1) grant.second = carry_out(plans->back(), tag, maturity, grant);
  return grant;
}

Error CidrLedger::exhausted(const std::vector<const AddressPool*>& asked, const Maturity& maturity) const {
  std::string text;
  for (const AddressPool* pool : asked) {
    std::size_t young = 0;
    std::size_t unheard = 0;
    for (const auto& [order, block] : quarantine_) {
      if (!pool->contains(block.prefix)) continue;
      if (!is_dropped(block, maturity)) ++unheard;
      else if (!is_mature(block, maturity)) ++young;
    }
    const PoolUsage usage = pool->usage();
    text += (text.empty() ? "no free pod block of /" : "; none of /") + std::to_string(pool->record().node_prefix_length) + " is left in pool " +
            pool->record().name + " (" + ranges_text(*pool) + "): it holds " + std::to_string(usage.capacity) + ", " + std::to_string(usage.leased) +
            " blocks are in use, " + std::to_string(usage.held) + " kept and " + std::to_string(usage.quarantined) + " in quarantine";
    if (young > 0) text += ", of which " + std::to_string(young) + " will be free within " + to_duration_text(maturity.min_age);
    if (unheard > 0) text += ", " + std::to_string(unheard) + " wait for nodes that have not yet dropped their routes (slipwayctl node list)";
  }
  return make_error(Errc::exhausted, Cause::no_block, text + "; delete nodes that are no more (slipwayctl node delete NAME) or grow the pool (slipwayctl pool grow " +
                                         asked.front()->record().name + " --range CIDR)");
}

Status CidrLedger::restore(const Cidr& block, const CidrOwner& owner, const std::string& node_name) {
  AddressPool* pool = own_pool(block);
  if (pool == nullptr) return make_error(Errc::invalid, block.to_string() + " lies in no pool");
  const auto kept = holds_.find(block);
  if (kept != holds_.end() && kept->second.node == node_name && pool->find(block)->use == BlockUse::held) {
    pool->change(block, BlockUse::leased, owner_tag(owner));
    return {};
  }
  if (const auto taken = pool->overlapping(block)) return in_the_way(block, *taken);
  return pool->take_exactly(block, BlockUse::leased, owner_tag(owner));
}

Status CidrLedger::restore_quarantined(const QuarantinedBlock& block) {
  if (quarantine_.contains(block.order)) {
    return make_error(Errc::conflict, "two blocks in quarantine have number " + std::to_string(block.order));
  }
  AddressPool* pool = own_pool(block.prefix);
  if (pool == nullptr) return make_error(Errc::invalid, block.prefix.to_string() + " lies in no pool");
  const auto taken = pool->overlapping(block.prefix);
  if (taken && taken->prefix == block.prefix && taken->use == BlockUse::held) {
    pool->change(block.prefix, BlockUse::quarantined, owner_tag(block.owner));
  } else if (taken) {
    return in_the_way(block.prefix, *taken);
  } else if (const auto rests = pool->take_exactly(block.prefix, BlockUse::quarantined, owner_tag(block.owner)); !rests) {
    return rests;
  }
  quarantine_.emplace(block.order, block);
  return {};
}

Status CidrLedger::check_owner(const std::vector<Cidr>& blocks, const CidrOwner& owner) const {
  const std::uint64_t tag = owner_tag(owner);
  for (const Cidr& block : blocks) {
    const AddressPool* pool = pool_of(block);
    const auto taken = pool == nullptr ? std::nullopt : pool->find(block);
    if (taken && taken->use == BlockUse::leased && taken->tag == tag && std::count(blocks.begin(), blocks.end(), block) == 1) continue;
    return make_error(Errc::conflict, block.to_string() + " is not held by node " + owner.uid + " in generation " + std::to_string(owner.generation));
  }
  return {};
}

Status CidrLedger::hand_over(const std::vector<Cidr>& blocks, const CidrOwner& from, const CidrOwner& to) {
  if (const auto theirs = check_owner(blocks, from); !theirs) return theirs;
  for (const Cidr& block : blocks) own_pool(block)->change(block, BlockUse::leased, owner_tag(to));
  return {};
}

Result<std::vector<QuarantinedBlock>> CidrLedger::release(const std::vector<Cidr>& blocks, const CidrOwner& owner, WallTime now, std::uint64_t revision) {
  if (const auto theirs = check_owner(blocks, owner); !theirs) return theirs.error();
  const std::uint64_t tag = owner_tag(owner);
  std::vector<QuarantinedBlock> resting;
  for (const Cidr& block : blocks) {
    const std::uint64_t order = quarantine_.empty() ? 1 : quarantine_.rbegin()->first + 1;
    own_pool(block)->change(block, BlockUse::quarantined, tag);
    resting.push_back({block, owner, now, revision, order});
    quarantine_.emplace(order, resting.back());
  }
  return resting;
}

std::vector<Cidr> CidrLedger::mature(const Maturity& maturity) {
  std::vector<Cidr> freed;
  for (auto block = quarantine_.begin(); block != quarantine_.end();) {
    if (!is_mature(block->second, maturity)) {
      ++block;
      continue;
    }
    freed.push_back(block->second.prefix);
    end_rest(block->second.prefix);
    block = quarantine_.erase(block);
  }
  return freed;
}

std::vector<QuarantinedBlock> CidrLedger::quarantine() const {
  std::vector<QuarantinedBlock> blocks;
  for (const auto& [order, block] : quarantine_) blocks.push_back(block);
  return blocks;
}

}  // namespace slipway
