#pragma once
// Who has which block of pod addresses: all pools, the blocks kept for somebody, and those that rest. One ledger a cluster; the
// nodes' own records say which blocks they have, this is the index over them. Pure, one thread; nothing in it reads a clock.
//
// Rules:
// - A node gets one block of each family (IPv4, IPv6) that has a pool which takes new nodes; the family of the default pool first.
// - A block assigned to its name comes before all else. Then the pool that its token names, and only that. Then the pools whose
//   selector matches: the one with more criteria first, of equal ones the older; a full pool is passed over for the next.
// - A block given back rests until every live agent has dropped its route and a minimum age has passed, both. When no pool that may be
//   asked has anything left, the oldest one that all agents have dropped is given out before its age; the others never are.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/domain/address_pool.hpp"

namespace slipway {

struct NodeWish {
  std::string name;
  NodeRole role = NodeRole::node;
  std::string pool;  // that its token names; empty: by selectors
};

struct LedgerGrant {
  Cidr primary;
  std::optional<Cidr> second;   // of the other family
  std::vector<Cidr> reclaimed;  // left quarantine for this
  std::vector<QuarantinedBlock> early;  // of these, those whose minimum age had not passed
};

// "10.10.1.0/24 was given out 45s after ...": for log and audit.
std::string early_text(const QuarantinedBlock& block, const Maturity& maturity);

class CidrLedger {
 public:
  // A new pool, or new ranges and rules of one that is there. Errc::invalid (AddressPool::become), Errc::conflict when its ranges
  // overlap another pool's. Shape and other owners of addresses are the caller's to check (pool_record.hpp).
  Status put_pool(const PoolRecord& record);
  // Errc::not_found, Errc::conflict while anything in it is in use.
  Status erase_pool(const std::string& name);
  const std::map<std::string, AddressPool>& pools() const { return pools_; }  // by name
  const AddressPool* pool(const std::string& name) const;
  const AddressPool* pool_of(const Cidr& block) const;
  const AddressPool* pool_at(const IpAddress& address) const;
  std::vector<Cidr> ranges() const;  // of all pools
  std::uint64_t next_order() const;  // for a new PoolRecord

  // Takes the block out of allocation. `living`: the owner of that name, when such a node lives; it may have this very block
  // already. Errc::conflict when anybody else has any of it or the node has another one kept; Errc::invalid outside of the pools.
  Status hold(const BlockHold& hold, const std::optional<CidrOwner>& living);
  // The block may be given out again, unless a node has it or it rests. Errc::not_found.
  Status drop_hold(const Cidr& block);
  const std::map<Cidr, BlockHold>& holds() const { return holds_; }

  // All or nothing. Errc::exhausted with the arithmetic, Errc::conflict when what was asked for cannot be (a pool that drains).
  Result<LedgerGrant> allocate(const NodeWish& wish, const CidrOwner& owner, const Maturity& maturity);
  // What allocate() would say; changes nothing.
  Status can_allocate(const NodeWish& wish, const Maturity& maturity) const;

  // Records read back from the store: pools first, then holds, then these two in any order. Errc::conflict, Errc::invalid.
  Status restore(const Cidr& block, const CidrOwner& owner, const std::string& node_name);
  Status restore_quarantined(const QuarantinedBlock& block);

  // Compare and set, all or nothing: only the very owner of all of them; a late or double release frees nothing (Errc::conflict).
  Result<std::vector<QuarantinedBlock>> release(const std::vector<Cidr>& blocks, const CidrOwner& owner, WallTime now, std::uint64_t revision);
  // The same blocks for the node that takes the owner's place. Errc::conflict when `from` does not hold all of them.
  Status hand_over(const std::vector<Cidr>& blocks, const CidrOwner& from, const CidrOwner& to);
  // Blocks whose time is over are free again, or kept for their node; which they were, oldest first.
  std::vector<Cidr> mature(const Maturity& maturity);
  std::size_t quarantined() const { return quarantine_.size(); }
  std::vector<QuarantinedBlock> quarantine() const;  // oldest first

  bool operator==(const CidrLedger&) const = default;

 private:
  struct Plan {
    std::string pool;
    std::optional<Cidr> kept;            // this very block; absent: any of the pool
    std::vector<std::uint64_t> reclaim;  // orders in quarantine that must end for it
  };
  AddressPool* own_pool(const Cidr& block);
  bool takes_nodes(const AddressPool& pool, const NodeWish& wish) const;
  std::vector<bool> families(const NodeWish& wish) const;  // true: IPv4; the primary one first
  Result<std::vector<Plan>> plan(const NodeWish& wish, const Maturity& maturity) const;
  Result<Plan> plan_family(bool v4, const NodeWish& wish, const Maturity& maturity) const;
  Result<Plan> plan_kept(const Cidr& block, const NodeWish& wish, const Maturity& maturity) const;
  std::optional<Plan> plan_pool(const AddressPool& pool, const Maturity& maturity) const;
  std::optional<Plan> plan_early(const AddressPool& pool, const Maturity& maturity) const;
  std::vector<const AddressPool*> candidates(bool v4, const NodeWish& wish) const;
  Cidr carry_out(const Plan& plan, std::uint64_t tag, const Maturity& maturity, LedgerGrant& grant);
  Status check_owner(const std::vector<Cidr>& blocks, const CidrOwner& owner) const;
  void end_rest(const Cidr& block);
  Error exhausted(const std::vector<const AddressPool*>& asked, const Maturity& maturity) const;
  Error in_the_way(const Cidr& block, const TakenBlock& taken) const;

  std::map<std::string, AddressPool> pools_;
  std::map<Cidr, BlockHold> holds_;
  std::map<std::pair<std::string, bool>, Cidr> assigned_;  // (node name, IPv4) -> block kept for it
  std::map<std::uint64_t, QuarantinedBlock> quarantine_;   // by order
};

}  // namespace slipway
