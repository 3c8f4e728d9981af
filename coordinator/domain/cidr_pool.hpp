#pragma once
// Who has which block of the pod range. One binary buddy tree: the cost of an allocation depends on the depth of the tree,
// never on its fill; blocks of different sizes live together (notes in docs/architecture.md). Pure, one thread.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

// Free blocks of one size. A summary bit says whether its 64 bits below hold any: the lowest is found in one step a level.
class FreeMap {
 public:
  explicit FreeMap(std::uint64_t blocks = 0);
  bool test(std::uint64_t index) const;
  void set(std::uint64_t index);
  void clear(std::uint64_t index);
  std::optional<std::uint64_t> lowest() const;
  std::uint64_t count() const { return count_; }
  bool operator==(const FreeMap&) const = default;

 private:
  std::vector<std::vector<std::uint64_t>> levels_;  // [0] the blocks, each next one summarises
  std::uint64_t count_ = 0;
};

struct CidrOwner {
  std::string uid;               // node identity, not its name or address
  std::uint64_t generation = 0;  // counts registrations of the node's name
  bool operator==(const CidrOwner&) const = default;
};

struct QuarantinedBlock {
  Cidr prefix;
  CidrOwner owner;             // the last one
  WallTime since{};
  std::uint64_t revision = 0;  // of the desired state that removed it: agents that applied it route there no more
  std::uint64_t order = 0;     // first in, first out
  bool operator==(const QuarantinedBlock&) const = default;
};

// When a block that was given back may be given out again: both must hold.
struct Maturity {
  WallTime now{};
  Seconds min_age{600};
  std::uint64_t acknowledged = 0;  // every live agent has applied this revision
};

struct CidrAllocation {
  Cidr prefix;
  bool fresh = false;             // false: the owner had it already
  std::vector<Cidr> reclaimed;    // left quarantine for this allocation
};

class CidrPool {
 public:
  // Hands out blocks of `longest` prefix length or shorter; at most 24 levels below the pool. Errc::invalid otherwise.
  static Result<CidrPool> make(const Cidr& pool, int longest);

  // The lowest free block that fits best. The same owner gets the same block again (Errc::conflict when it asks for another
  // size, or with another generation). When nothing is free, matured blocks are taken out of quarantine, oldest first;
  // then Errc::exhausted with the arithmetic. A failure changes nothing.
  Result<CidrAllocation> allocate(const CidrOwner& owner, int prefix_length, const Maturity& maturity);
  // What allocate() would give, or its error; changes nothing.
  Status can_allocate(const CidrOwner& owner, int prefix_length, const Maturity& maturity) const;

  // Takes a given block: records read back from the store. Errc::conflict names the owner in the way.
  Status restore(const Cidr& prefix, const CidrOwner& owner);
  Status restore_quarantined(const QuarantinedBlock& block);

  // Compare and set: only the very (prefix, uid, generation) that holds it; a late or double release frees nothing
  // (Errc::conflict). The block goes into quarantine.
  Result<QuarantinedBlock> release(const Cidr& prefix, const CidrOwner& owner, WallTime now, std::uint64_t revision);

  // The same block for the node that takes the owner's place. Errc::conflict when `from` does not hold it, or `to` holds one.
  Status hand_over(const Cidr& prefix, const CidrOwner& from, const CidrOwner& to);

  // Blocks whose time is over go back to the free ones; which they were, oldest first.
  std::vector<Cidr> mature(const Maturity& maturity);

  const Cidr& range() const { return pool_; }
  const CidrOwner* owner_of(const Cidr& prefix) const;
  std::optional<Cidr> block_of(const std::string& owner_uid) const;
  std::size_t allocated() const { return leases_.size(); }
  std::size_t quarantined() const { return quarantine_.size(); }
  std::vector<QuarantinedBlock> quarantine() const;  // oldest first
  // Blocks of this size that could be given out now, fragmentation considered.
  std::uint64_t available(int prefix_length) const;
  // Largest free block; absent when all is taken.
  std::optional<int> largest_free() const;
  bool operator==(const CidrPool&) const = default;

 private:
  CidrPool(const Cidr& pool, int longest);
  std::uint64_t offset_of(const Cidr& prefix) const;  // in blocks of its own size
  Cidr block_at(int depth, std::uint64_t index) const;
  std::optional<Cidr> take(int depth);
  Status take_exactly(const Cidr& prefix);
  void give_back(const Cidr& prefix);
  Status check_length(int prefix_length) const;
  Error exhausted(int prefix_length, const Maturity& maturity) const;
  std::optional<std::pair<Cidr, CidrOwner>> overlapping(const Cidr& prefix) const;

  Cidr pool_;
  int depth_ = 0;                // of the smallest blocks
  std::vector<FreeMap> free_;    // by depth; 0 is the whole pool
  std::map<Cidr, CidrOwner> leases_;
  std::map<std::string, Cidr> by_owner_;
  std::map<std::uint64_t, QuarantinedBlock> quarantine_;  // by order
};

}  // namespace slipway
