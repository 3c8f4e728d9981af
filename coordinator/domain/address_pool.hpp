#pragma once
// One pool: the ranges of a PoolRecord as block trees that fill as if they were one. Pure, one thread.
#include <map>
#include <optional>
#include <vector>

#include "coordinator/domain/block_tree.hpp"
#include "coordinator/domain/pool_record.hpp"

namespace slipway {

struct PoolUsage {
  std::uint64_t capacity = 0;     // blocks of the pool's present size that its ranges hold
  std::uint64_t available = 0;    // such blocks that could be given out now, fragmentation considered
  std::uint64_t leased = 0;       // blocks of any size
  std::uint64_t held = 0;         // reserved, or kept for a node that is not there
  std::uint64_t quarantined = 0;
  std::optional<int> largest_free;
  // 0 to 1: the part of the pool that cannot be given out now.
  double used() const { return capacity == 0 ? 1.0 : 1.0 - static_cast<double>(available) / static_cast<double>(capacity); }
};

class AddressPool {
 public:
  // Errc::invalid when a range cannot be cut; otherwise the record was checked with pool_problems().
  static Result<AddressPool> make(const PoolRecord& record);

  const PoolRecord& record() const { return record_; }
  bool contains(const Cidr& block) const;
  bool overlaps(const Cidr& block) const;
  bool contains(const IpAddress& address) const;

  // The smallest free block of all ranges that fits, the lowest of the first such range. Absent: none is left.
  std::optional<Cidr> take(BlockUse use, std::uint64_t tag);
  bool can_take() const;
  // As BlockTree::take_exactly(); blocks may be smaller than what was cut before.
  Status take_exactly(const Cidr& block, BlockUse use, std::uint64_t tag);
  bool change(const Cidr& block, BlockUse use, std::uint64_t tag);
  bool put_back(const Cidr& block);
  // New ranges, wider ones, another size of blocks, other rules. All old ranges must lie within the new ones. Errc::invalid.
  Status become(const PoolRecord& record);

  std::optional<TakenBlock> find(const Cidr& block) const;
  std::optional<TakenBlock> overlapping(const Cidr& block) const;
  std::vector<TakenBlock> taken() const;
  bool empty() const;
  PoolUsage usage() const;
  std::map<int, std::uint64_t> free_blocks() const;  // by prefix length, as BlockTree::free_blocks(); lengths that are cut here
  std::size_t memory_bytes() const;
  bool operator==(const AddressPool&) const = default;

 private:
  explicit AddressPool(PoolRecord record) : record_(std::move(record)) {}
  BlockTree* tree_of(const Cidr& block);
  const BlockTree* tree_of(const Cidr& block) const;

  PoolRecord record_;
  std::vector<BlockTree> trees_;  // in the order of the ranges
  std::uint64_t counts_[4] = {0, 0, 0, 0};  // by BlockUse
};

}  // namespace slipway
