#pragma once
// One range of addresses cut into blocks of different sizes: a binary buddy tree. An allocation costs a few steps for each level
// of the tree, whatever its fill. Who has a block is kept as a 64-bit tag beside it, not as a text. Pure, one thread.
//
// Memory, a /8 cut in /24s with all 65,536 given out: 64 pages of 9 KiB and 17 KiB of bits, 0.6 MB in all.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "coordinator/domain/cidr_lease.hpp"
#include "coordinator/domain/free_map.hpp"

namespace slipway {

// What a block that is not free is for.
enum class BlockUse : std::uint8_t {
  leased = 1,   // a live node's
  held,         // reserved, or kept for a node that is not there
  quarantined,  // of a removed node, until every agent has dropped its route
};

struct TakenBlock {
  Cidr prefix;
  BlockUse use = BlockUse::leased;
  std::uint64_t tag = 0;
  bool operator==(const TakenBlock&) const = default;
};

// What stands beside a block for its owner: a hash of uid and generation. Two owners' tags are alike once in 2^64 pairs, and
// the records of the nodes, from which they are made, are exact.
std::uint64_t owner_tag(const CidrOwner& owner);

class BlockTree {
 public:
  static constexpr int k_max_depth = 24;

  // Cuts `range` into blocks of `longest` prefix length or shorter, at most k_max_depth levels below. Errc::invalid otherwise.
  static Result<BlockTree> make(const Cidr& range, int longest);

  const Cidr& range() const { return range_; }
  int longest() const { return range_.prefix_length() + depth_; }

  // Prefix length of the smallest free block that can hold one of `length`; absent: none is left.
  std::optional<int> best_fit(int length) const;
  // The lowest of the smallest free blocks that fit, split down; absent: none is left. `length` must be one that is cut here.
  std::optional<Cidr> take(int length, BlockUse use, std::uint64_t tag);
  // This very block. Errc::invalid when it is not a part of the range or smaller than what is cut, Errc::conflict when any of it is taken.
  Status take_exactly(const Cidr& prefix, BlockUse use, std::uint64_t tag);
  // The block must be taken, exactly as it was; false when it is not.
  bool change(const Cidr& prefix, BlockUse use, std::uint64_t tag);
  bool put_back(const Cidr& prefix);
  // Makes the range wider (one that contains the old), the smallest blocks smaller, or both; nobody's block changes. As make().
  Status reshape(const Cidr& range, int longest);

  std::optional<TakenBlock> find(const Cidr& prefix) const;         // exactly this one
  std::optional<TakenBlock> overlapping(const Cidr& prefix) const;  // the lowest that has any of it
  std::vector<TakenBlock> taken() const;                            // in address order
  std::uint64_t taken_count() const { return taken_; }
  // Blocks of `length` that could be given out now, and that the whole range holds.
  std::uint64_t available(int length) const;
  std::uint64_t capacity(int length) const;
  std::optional<int> largest_free() const;
  // Free blocks of exactly this length, none of which is a half of a larger free one.
  std::uint64_t free_blocks(int length) const;
  std::size_t memory_bytes() const;
  // The same range with the same blocks taken; how small it can be cut is no matter.
  bool operator==(const BlockTree& other) const;

 private:
  static constexpr std::size_t k_page = 1024;
  // Of k_page smallest blocks; no vectors while none of them begins a taken block.
  struct Page {
    std::vector<std::uint64_t> tags;
    std::vector<std::uint8_t> uses;  // 0: no taken block begins here; else depth, and BlockUse in the upper bits
    std::uint32_t used = 0;
  };
  BlockTree(const Cidr& range, int longest);
  bool has_length(int length) const { return length >= range_.prefix_length() && length <= longest(); }
  std::uint64_t index_of(const Cidr& prefix) const;  // in blocks of its own size, of the smallest for one smaller still
  Cidr block_at(int depth, std::uint64_t index) const;
  std::uint8_t use_at(std::uint64_t smallest) const;
  TakenBlock block_of(std::uint64_t smallest) const;
  std::optional<std::uint64_t> begin_of(const Cidr& prefix) const;
  void enter(int depth, std::uint64_t index, BlockUse use, std::uint64_t tag);
  bool cut_out(int depth, std::uint64_t index);
  void free_block(int depth, std::uint64_t index);

  Cidr range_;
  int depth_ = 0;              // of the smallest blocks
  std::vector<FreeMap> free_;  // by depth; 0 is the whole range
  std::vector<Page> pages_;
  std::uint64_t taken_ = 0;
};

}  // namespace slipway
