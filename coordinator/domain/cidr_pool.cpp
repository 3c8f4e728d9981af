#include "coordinator/domain/cidr_pool.hpp"

#include <bit>

namespace slipway {

namespace {

constexpr int k_max_depth = 24;

bool is_mature(const QuarantinedBlock& block, const Maturity& maturity) {
  return block.revision <= maturity.acknowledged && maturity.now - block.since >= maturity.min_age;
}

std::string slash(int prefix_length) { return "/" + std::to_string(prefix_length); }

}  // namespace

FreeMap::FreeMap(std::uint64_t blocks) {
  if (blocks == 0) return;
  do {
    blocks = (blocks + 63) / 64;
    levels_.emplace_back(blocks, 0);
  } while (blocks > 1);
}

bool FreeMap::test(std::uint64_t index) const { return (levels_[0][index / 64] >> (index % 64) & 1) != 0; }

void FreeMap::set(std::uint64_t index) {
  if (test(index)) return;
  ++count_;
  for (auto& level : levels_) {
    auto& word = level[index / 64];
    const bool summarised = word != 0;
    word |= std::uint64_t{1} << (index % 64);
    if (summarised) return;
    index /= 64;
  }
}

void FreeMap::clear(std::uint64_t index) {
  if (!test(index)) return;
  --count_;
  for (auto& level : levels_) {
    auto& word = level[index / 64];
    word &= ~(std::uint64_t{1} << (index % 64));
    if (word != 0) return;
    index /= 64;
  }
}

std::optional<std::uint64_t> FreeMap::lowest() const {
  if (count_ == 0) return std::nullopt;
  std::uint64_t index = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    index = index * 64 + static_cast<std::uint64_t>(std::countr_zero((*level)[index]));
  }
  return index;
}

Result<CidrPool> CidrPool::make(const Cidr& pool, int longest) {
  if (longest < pool.prefix_length() || longest > pool.base().bits()) {
    return make_error(Errc::invalid, pool.to_string() + " cannot be cut into blocks of " + slash(longest));
  }
  if (longest - pool.prefix_length() > k_max_depth) {
    return make_error(Errc::invalid, pool.to_string() + " cut in " + slash(longest) + " would hold more than 2^" +
                                         std::to_string(k_max_depth) + " blocks: take a smaller range or larger blocks");
  }
  return CidrPool(pool, longest);
}

CidrPool::CidrPool(const Cidr& pool, int longest) : pool_(pool), depth_(longest - pool.prefix_length()) {
  for (int depth = 0; depth <= depth_; ++depth) free_.emplace_back(std::uint64_t{1} << depth);
  free_[0].set(0);
}

std::uint64_t CidrPool::offset_of(const Cidr& prefix) const {
  std::uint64_t index = 0;
  for (int bit = pool_.prefix_length(); bit < prefix.prefix_length(); ++bit) {
    index = index << 1 | (prefix.base().bit(bit) ? 1U : 0U);
  }
  return index;
}

Cidr CidrPool::block_at(int depth, std::uint64_t index) const {
  std::string bytes = pool_.base().bytes();
  const int length = pool_.prefix_length() + depth;
  for (int bit = length - 1; bit >= pool_.prefix_length(); --bit, index >>= 1) {
    if ((index & 1) == 0) continue;
    auto& byte = bytes[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | 1U << (7 - bit % 8));
  }
  return *Cidr::make(*IpAddress::from_bytes(bytes), length);
}

std::optional<Cidr> CidrPool::take(int depth) {
  // The smallest free block that is large enough: large ones stay whole.
  int from = depth;
  while (from >= 0 && free_[static_cast<std::size_t>(from)].count() == 0) --from;
  if (from < 0) return std::nullopt;
  std::uint64_t index = *free_[static_cast<std::size_t>(from)].lowest();
  free_[static_cast<std::size_t>(from)].clear(index);
  for (int at = from + 1; at <= depth; ++at) {
    index *= 2;
    free_[static_cast<std::size_t>(at)].set(index + 1);
  }
  return block_at(depth, index);
}

Status CidrPool::check_length(int prefix_length) const {
  if (prefix_length < pool_.prefix_length() || prefix_length > pool_.prefix_length() + depth_) {
    return make_error(Errc::invalid, "blocks of " + slash(prefix_length) + " are not cut from " + pool_.to_string() + ": " +
                                         slash(pool_.prefix_length()) + " to " + slash(pool_.prefix_length() + depth_) + " are");
  }
  return {};
}

Status CidrPool::take_exactly(const Cidr& prefix) {
  if (!pool_.contains(prefix)) {
    return make_error(Errc::invalid, prefix.to_string() + " is not a part of the pod range " + pool_.to_string());
  }
  if (const auto length = check_length(prefix.prefix_length()); !length) return length;
  const int depth = prefix.prefix_length() - pool_.prefix_length();
  const std::uint64_t index = offset_of(prefix);
  int from = depth;
  while (from >= 0 && !free_[static_cast<std::size_t>(from)].test(index >> (depth - from))) --from;
  if (from < 0) {
    const auto taken = overlapping(prefix);
    return make_error(Errc::conflict, prefix.to_string() + " overlaps " +
                                          (taken ? taken->first.to_string() + " of node " + taken->second.uid : "a block in use"));
  }
  free_[static_cast<std::size_t>(from)].clear(index >> (depth - from));
  for (int at = from + 1; at <= depth; ++at) free_[static_cast<std::size_t>(at)].set((index >> (depth - at)) ^ 1);
  return {};
}

void CidrPool::give_back(const Cidr& prefix) {
  int depth = prefix.prefix_length() - pool_.prefix_length();
  std::uint64_t index = offset_of(prefix);
  while (depth > 0 && free_[static_cast<std::size_t>(depth)].test(index ^ 1)) {
    free_[static_cast<std::size_t>(depth)].clear(index ^ 1);
    index >>= 1;
    --depth;
  }
  free_[static_cast<std::size_t>(depth)].set(index);
}

Result<CidrAllocation> CidrPool::allocate(const CidrOwner& owner, int prefix_length, const Maturity& maturity) {
  if (const auto length = check_length(prefix_length); !length) return length.error();
  if (const auto mine = by_owner_.find(owner.uid); mine != by_owner_.end()) {
    const CidrOwner& recorded = leases_.at(mine->second);
    if (recorded == owner && mine->second.prefix_length() == prefix_length) return CidrAllocation{mine->second, false, {}};
    return make_error(Errc::conflict, "node " + owner.uid + " has " + mine->second.to_string() + " in generation " +
                                          std::to_string(recorded.generation) + " already");
  }
  const int depth = prefix_length - pool_.prefix_length();
  CidrAllocation allocation;
  allocation.fresh = true;
  std::vector<std::uint64_t> reclaimed;
  auto block = take(depth);
  for (auto old = quarantine_.begin(); !block && old != quarantine_.end(); ++old) {
    if (!is_mature(old->second, maturity)) continue;
    give_back(old->second.prefix);
    reclaimed.push_back(old->first);
    block = take(depth);
  }
  if (!block) {
    const Error error = exhausted(prefix_length, maturity);
    for (const std::uint64_t order : reclaimed) {
      // It was free a moment ago and nothing was taken since.
      if (const auto undone = take_exactly(quarantine_.at(order).prefix); !undone) return undone.error();
    }
    return error;
  }
  for (const std::uint64_t order : reclaimed) {
    allocation.reclaimed.push_back(quarantine_.at(order).prefix);
    quarantine_.erase(order);
  }
  allocation.prefix = *block;
  leases_.emplace(*block, owner);
  by_owner_.emplace(owner.uid, *block);
  return allocation;
}

Status CidrPool::can_allocate(const CidrOwner& owner, int prefix_length, const Maturity& maturity) const {
  if (const auto length = check_length(prefix_length); !length) return length;
  if (!by_owner_.contains(owner.uid) && available(prefix_length) > 0) return {};
  // Rare: the answer hangs on the quarantine or on what the owner has.
  CidrPool trial = *this;
  const auto allocation = trial.allocate(owner, prefix_length, maturity);
  return allocation ? Status{} : Status(allocation.error());
}

Error CidrPool::exhausted(int prefix_length, const Maturity& maturity) const {
  std::size_t young = 0;
  std::size_t unheard = 0;
  for (const auto& [order, block] : quarantine_) {
    if (block.revision > maturity.acknowledged) {
      ++unheard;
    } else if (!is_mature(block, maturity)) {
      ++young;
    }
  }
  const std::uint64_t all = std::uint64_t{1} << (prefix_length - pool_.prefix_length());
  std::string text = "no free pod block of " + slash(prefix_length) + " is left in " + pool_.to_string() + ": it holds " +
                     std::to_string(all) + ", " + std::to_string(leases_.size()) + " blocks are in use and " +
                     std::to_string(quarantine_.size()) + " in quarantine";
  if (young > 0) {
    text += ", of which " + std::to_string(young) + " will be free within " + to_duration_text(maturity.min_age);
  }
  if (unheard > 0) {
    text += ", " + std::to_string(unheard) + " wait for nodes that have not yet dropped their routes (slipwayctl node list)";
  }
  return make_error(Errc::exhausted, text + "; delete nodes that are no more (slipwayctl node delete NAME)");
}

std::optional<std::pair<Cidr, CidrOwner>> CidrPool::overlapping(const Cidr& prefix) const {
  // Leases are disjoint: only the neighbours in address order can overlap.
  auto next = leases_.lower_bound(prefix);
  if (next != leases_.end() && next->first.overlaps(prefix)) return *next;
  if (next != leases_.begin() && std::prev(next)->first.overlaps(prefix)) return *std::prev(next);
  for (const auto& [order, block] : quarantine_) {
    if (block.prefix.overlaps(prefix)) return std::pair(block.prefix, block.owner);
  }
  return std::nullopt;
}

Status CidrPool::restore(const Cidr& prefix, const CidrOwner& owner) {
  if (const auto mine = by_owner_.find(owner.uid); mine != by_owner_.end()) {
    return make_error(Errc::conflict, "node " + owner.uid + " has both " + mine->second.to_string() + " and " + prefix.to_string());
  }
  if (const auto taken = take_exactly(prefix); !taken) return taken;
  leases_.emplace(prefix, owner);
  by_owner_.emplace(owner.uid, prefix);
  return {};
}

Status CidrPool::restore_quarantined(const QuarantinedBlock& block) {
  if (quarantine_.contains(block.order)) {
    return make_error(Errc::conflict, "two blocks in quarantine have number " + std::to_string(block.order));
  }
  if (const auto taken = take_exactly(block.prefix); !taken) return taken;
  quarantine_.emplace(block.order, block);
  return {};
}

Result<QuarantinedBlock> CidrPool::release(const Cidr& prefix, const CidrOwner& owner, WallTime now, std::uint64_t revision) {
  const auto lease = leases_.find(prefix);
  if (lease == leases_.end() || lease->second != owner) {
    return make_error(Errc::conflict, prefix.to_string() + " is not held by node " + owner.uid + " in generation " +
                                          std::to_string(owner.generation));
  }
  const std::uint64_t order = quarantine_.empty() ? 1 : quarantine_.rbegin()->first + 1;
  const QuarantinedBlock block{prefix, owner, now, revision, order};
  by_owner_.erase(owner.uid);
  leases_.erase(lease);
  quarantine_.emplace(block.order, block);
  return block;
}

Status CidrPool::hand_over(const Cidr& prefix, const CidrOwner& from, const CidrOwner& to) {
  const auto lease = leases_.find(prefix);
  if (lease == leases_.end() || lease->second != from) {
    return make_error(Errc::conflict, prefix.to_string() + " is not held by node " + from.uid + " in generation " +
                                          std::to_string(from.generation));
  }
  if (to.uid != from.uid && by_owner_.contains(to.uid)) return make_error(Errc::conflict, "node " + to.uid + " holds a block already");
  by_owner_.erase(from.uid);
  by_owner_.emplace(to.uid, prefix);
  lease->second = to;
  return {};
}

std::vector<Cidr> CidrPool::mature(const Maturity& maturity) {
  std::vector<Cidr> freed;
  for (auto block = quarantine_.begin(); block != quarantine_.end();) {
    if (!is_mature(block->second, maturity)) {
      ++block;
      continue;
    }
    freed.push_back(block->second.prefix);
    give_back(block->second.prefix);
    block = quarantine_.erase(block);
  }
  return freed;
}

const CidrOwner* CidrPool::owner_of(const Cidr& prefix) const {
  const auto lease = leases_.find(prefix);
  return lease == leases_.end() ? nullptr : &lease->second;
}

std::optional<Cidr> CidrPool::block_of(const std::string& owner_uid) const {
  const auto mine = by_owner_.find(owner_uid);
  if (mine == by_owner_.end()) return std::nullopt;
  return mine->second;
}

std::vector<QuarantinedBlock> CidrPool::quarantine() const {
  std::vector<QuarantinedBlock> blocks;
  for (const auto& [order, block] : quarantine_) blocks.push_back(block);
  return blocks;
}

std::uint64_t CidrPool::available(int prefix_length) const {
  std::uint64_t sum = 0;
  const int depth = prefix_length - pool_.prefix_length();
  for (int at = 0; at <= depth && at <= depth_; ++at) sum += free_[static_cast<std::size_t>(at)].count() << (depth - at);
  return sum;
}

std::optional<int> CidrPool::largest_free() const {
  for (int at = 0; at <= depth_; ++at) {
    if (free_[static_cast<std::size_t>(at)].count() > 0) return pool_.prefix_length() + at;
  }
  return std::nullopt;
}

}  // namespace slipway
