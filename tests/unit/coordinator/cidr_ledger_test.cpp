#include "coordinator/domain/cidr_ledger.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

namespace slipway {
namespace {

Cidr cidr(const std::string& text) {
  const auto block = Cidr::parse(text);
  REQUIRE(block);
  return *block;
}
PoolRecord record(const std::string& name, std::uint64_t order, const std::vector<std::string>& ranges, int length, PoolSelector selector = {}) {
  PoolRecord pool{name, order, {}, length, std::move(selector), false};
  for (const std::string& range : ranges) pool.ranges.push_back(cidr(range));
  return pool;
}
CidrLedger ledger(const std::vector<PoolRecord>& pools) {
  CidrLedger made;
  for (const PoolRecord& pool : pools) REQUIRE(made.put_pool(pool));
  return made;
}
Maturity at(int seconds, std::uint64_t acknowledged) { return {WallTime(Seconds(seconds)), Seconds(600), acknowledged}; }
BlockHold keep(const std::string& block, const std::string& node = "") { return {cidr(block), node, false, "", WallTime{}}; }

// "10.10.0.0/24", "10.10.0.0/24 fd00::/64" or the error's text.
std::string give(CidrLedger& from, const NodeWish& wish, const std::string& uid, const Maturity& maturity = at(0, 0)) {
  const auto got = from.allocate(wish, {uid, 1}, maturity);
  if (!got) return got.error().message;
  return got->primary.to_string() + (got->second ? " " + got->second->to_string() : "");
}
std::string give(CidrLedger& from, const std::string& name) { return give(from, {name, NodeRole::node, ""}, "uid of " + name); }
bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return true;
}

TEST_CASE("a node gets a block of each family", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("six", 2, {"fd00:10::/48"}, 64)});
  CHECK(give(blocks, "a") == "10.10.0.0/24 fd00:10::/64");
  CHECK(give(blocks, "b") == "10.10.1.0/24 fd00:10:0:1::/64");
  // The default pool's family is the first one, and a family without a pool that takes nodes is none of the cluster's.
  CidrLedger six = ledger({record("default", 1, {"fd00:10::/48"}, 64), record("four", 2, {"10.10.0.0/16"}, 24)});
  CHECK(give(six, "a") == "fd00:10::/64 10.10.0.0/24");
  PoolRecord drained = record("four", 2, {"10.10.0.0/16"}, 24);
  drained.draining = true;
  REQUIRE(six.put_pool(drained));
  CHECK(give(six, "b") == "fd00:10:0:1::/64");
}

TEST_CASE("when the second family has nothing left the first keeps its block", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("six", 2, {"fd00:10::/64"}, 64)});
  CHECK(give(blocks, "a") == "10.10.0.0/24 fd00:10::/64");
  const CidrLedger before = blocks;
  has(give(blocks, "b"), "pool six (fd00:10::/64): it holds 1, 1 blocks are in use");
  CHECK(blocks == before);
  CHECK(blocks.can_allocate({"b", NodeRole::node, ""}, at(0, 0)).error().code == Errc::exhausted);
}

TEST_CASE("the token's pool, then the closest selector, then the oldest pool", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("second", 2, {"10.11.0.0/16"}, 24),
                              record("masters", 3, {"10.12.0.0/16"}, 26, {NodeRole::master, "", false}),
                              record("gpu", 4, {"10.13.0.0/16"}, 23, {std::nullopt, "gpu-*", false}),
                              record("quiet", 5, {"10.14.0.0/16"}, 24, {std::nullopt, "", true})});
  CHECK(give(blocks, "n1") == "10.10.0.0/24");
  CHECK(give(blocks, {"m1", NodeRole::master, ""}, "m1") == "10.12.0.0/26");
  CHECK(give(blocks, "gpu-1") == "10.13.0.0/23");
  CHECK(give(blocks, {"gpu-2", NodeRole::node, "quiet"}, "g2") == "10.14.0.0/24");
  CHECK(give(blocks, {"n2", NodeRole::node, "gpu"}, "n2") == "10.13.2.0/23");  // the operator's word is more than the pattern
  has(give(blocks, {"n3", NodeRole::node, "nope"}, "n3"), "there is no pool nope");
}

TEST_CASE("a full pool is passed over for the next, but not the one that the token names", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/24"}, 24), record("more", 2, {"10.11.0.0/24"}, 24)});
  CHECK(give(blocks, "a") == "10.10.0.0/24");
  has(give(blocks, {"b", NodeRole::node, "default"}, "b"), "is left in pool default");
  CHECK(give(blocks, "b") == "10.11.0.0/24");
  const std::string full = give(blocks, "c");
  has(full, "pool default (10.10.0.0/24): it holds 1, 1 blocks are in use");
  has(full, "none of /24 is left in pool more");
  has(full, "slipwayctl pool grow default");
}

TEST_CASE("nodes that no pool is for are told so", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/24"}, 24, {NodeRole::master, "", false})});
  has(give(blocks, "a"), "no pool of IPv4 addresses takes node a with role node");
  CidrLedger six = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("six", 2, {"fd00::/48"}, 64, {NodeRole::master, "", false})});
  has(give(six, "a"), "no pool of IPv6 addresses takes node a");  // never single-stack in silence
}

TEST_CASE("a pool that drains gives out nothing and can go when it is empty", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("old", 0, {"10.11.0.0/16"}, 24)});
  CHECK(give(blocks, "a") == "10.11.0.0/24");
  PoolRecord old = record("old", 0, {"10.11.0.0/16"}, 24);
  old.draining = true;
  REQUIRE(blocks.put_pool(old));
  CHECK(give(blocks, "b") == "10.10.0.0/24");
  has(give(blocks, {"c", NodeRole::node, "old"}, "c"), "is being drained");
  has(blocks.erase_pool("old").error().message, "pool old is in use: 1 blocks of nodes, 0 kept, 0 in quarantine");
  REQUIRE(blocks.release({cidr("10.11.0.0/24")}, {"uid of a", 1}, WallTime{}, 1));
  has(blocks.erase_pool("old").error().message, "1 in quarantine");
  CHECK(blocks.mature(at(600, 1)).size() == 1);
  CHECK(blocks.erase_pool("old"));
  CHECK(blocks.erase_pool("old").error().code == Errc::not_found);
}

TEST_CASE("pools grow while nodes live in them", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/24"}, 24), record("blue", 2, {"10.20.0.0/16"}, 24)});
  CHECK(give(blocks, "a") == "10.10.0.0/24");
  REQUIRE(blocks.put_pool(record("default", 1, {"10.10.0.0/23", "10.30.0.0/24"}, 24)));
  CHECK(give(blocks, "b") == "10.10.1.0/24");
  CHECK(give(blocks, "c") == "10.30.0.0/24");
  CHECK(blocks.put_pool(record("default", 1, {"10.10.0.0/23"}, 24)).error().message.find("10.30.0.0/24, which the new ranges leave out") != std::string::npos);
  CHECK(blocks.put_pool(record("default", 1, {"10.10.0.0/23", "10.30.0.0/24", "10.20.4.0/24"}, 24)).error().code == Errc::conflict);
  // Smaller blocks from now on; who has a larger one keeps it.
  REQUIRE(blocks.put_pool(record("default", 1, {"10.10.0.0/22", "10.30.0.0/24"}, 26)));
  CHECK(give(blocks, "d") == "10.10.2.0/26");
  CHECK(blocks.pool("default")->usage().leased == 4);
  REQUIRE(blocks.release({cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime{}, 1));
}

TEST_CASE("what is reserved nobody gets", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/22"}, 24)});
  CHECK(give(blocks, "a") == "10.10.0.0/24");
  REQUIRE(blocks.hold(keep("10.10.1.0/24"), std::nullopt));
  REQUIRE(blocks.hold(keep("10.10.2.64/26"), std::nullopt));  // smaller than what nodes get
  CHECK(give(blocks, "b") == "10.10.3.0/24");
  has(give(blocks, "c"), "2 kept");
  has(blocks.hold(keep("10.10.0.0/25"), std::nullopt).error().message, "overlaps 10.10.0.0/24, which a node has");
  has(blocks.hold(keep("10.10.0.0/24"), std::nullopt).error().message, "which a node has");
  has(blocks.hold(keep("10.10.1.0/24"), std::nullopt).error().message, "is reserved already");
  has(blocks.hold(keep("10.10.1.0/25"), std::nullopt).error().message, "overlaps 10.10.1.0/24, which is reserved");
  CHECK(blocks.hold(keep("10.99.0.0/24"), std::nullopt).error().code == Errc::invalid);
  CHECK(blocks.drop_hold(cidr("10.10.9.0/24")).error().code == Errc::not_found);
  REQUIRE(blocks.drop_hold(cidr("10.10.1.0/24")));
  CHECK(give(blocks, "c") == "10.10.1.0/24");
}

TEST_CASE("an assigned block is its node's, whenever that comes", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("six", 2, {"fd00:10::/48"}, 64)});
  REQUIRE(blocks.hold(keep("10.10.0.0/22", "big"), std::nullopt));
  CHECK(give(blocks, "a") == "10.10.4.0/24 fd00:10::/64");
  has(blocks.hold(keep("10.10.9.0/24", "big"), std::nullopt).error().message, "node big has 10.10.0.0/22 assigned");
  CHECK(give(blocks, "big") == "10.10.0.0/22 fd00:10:0:1::/64");
  const auto rests = blocks.release({cidr("10.10.0.0/22"), cidr("fd00:10:0:1::/64")}, {"uid of big", 1}, WallTime(Seconds(0)), 5);
  REQUIRE(rests);
  CHECK(rests->size() == 2);
  has(give(blocks, {"big", NodeRole::node, ""}, "again", at(60, 5)), "10.10.0.0/22, assigned to node big, rests in quarantine for another 9m");
  has(give(blocks, {"big", NodeRole::node, ""}, "again", at(900, 4)), "until all nodes have dropped its route");
  CHECK(give(blocks, {"big", NodeRole::node, ""}, "again", at(900, 5)) == "10.10.0.0/22 fd00:10:0:2::/64");
  CHECK(blocks.quarantined() == 1);
  // Without the assignment it stays the node's until it goes.
  REQUIRE(blocks.drop_hold(cidr("10.10.0.0/22")));
  CHECK(blocks.pool_of(cidr("10.10.0.0/22"))->find(cidr("10.10.0.0/22"))->use == BlockUse::leased);
}

TEST_CASE("the block that a node has can be assigned to it, to nobody else", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24)});
  CHECK(give(blocks, "a") == "10.10.0.0/24");
  CHECK_FALSE(blocks.hold(keep("10.10.0.0/24", "b"), CidrOwner{"uid of b", 1}));
  CHECK_FALSE(blocks.hold(keep("10.10.0.0/24", "a"), CidrOwner{"uid of a", 2}));
  REQUIRE(blocks.hold(keep("10.10.0.0/24", "a"), CidrOwner{"uid of a", 1}));
  REQUIRE(blocks.release({cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime{}, 1));
  CHECK(blocks.mature(at(600, 1)) == std::vector{cidr("10.10.0.0/24")});
  CHECK(give(blocks, "b") == "10.10.1.0/24");  // kept for a
  CHECK(give(blocks, "a") == "10.10.0.0/24");
}

TEST_CASE("only the very holder can release, and only once", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24), record("six", 2, {"fd00:10::/48"}, 64)});
  give(blocks, "a");
  const CidrLedger before = blocks;
  const std::vector<Cidr> both = {cidr("10.10.0.0/24"), cidr("fd00:10::/64")};
  for (const CidrOwner& other : {CidrOwner{"b", 1}, CidrOwner{"uid of a", 2}}) {
    CHECK(blocks.release(both, other, WallTime{}, 1).error().code == Errc::conflict);
  }
  CHECK_FALSE(blocks.release({cidr("10.10.0.0/24"), cidr("10.10.1.0/24")}, {"uid of a", 1}, WallTime{}, 1));
  CHECK_FALSE(blocks.release({cidr("10.10.0.0/24"), cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime{}, 1));
  CHECK_FALSE(blocks.release({cidr("10.10.0.0/23")}, {"uid of a", 1}, WallTime{}, 1));
  CHECK(blocks == before);
  CHECK(blocks.release(both, {"uid of a", 1}, WallTime{}, 1));
  CHECK(blocks.release(both, {"uid of a", 1}, WallTime{}, 1).error().code == Errc::conflict);
}

TEST_CASE("quarantine ends with age and acknowledgement", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/23"}, 24)});
  CHECK(give(blocks, "a") == "10.10.0.0/24");
  REQUIRE(blocks.release({cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime(Seconds(1000)), 7));
  CHECK(give(blocks, "b") == "10.10.1.0/24");
  CHECK(blocks.mature(at(1599, 7)).empty());
  CHECK(blocks.mature(at(9999, 6)).empty());
  CHECK(blocks.mature(at(500, 7)).empty());  // the clock went back
  const CidrLedger before = blocks;
  const NodeWish wish{"c", NodeRole::node, ""};
  has(give(blocks, wish, "c", at(1600, 6)), "holds 2, 1 blocks are in use, 0 kept and 1 in quarantine, 1 wait for nodes that have not yet dropped their routes");
  CHECK(blocks.can_allocate(wish, at(1600, 7)));
  CHECK(blocks == before);
  CHECK(blocks.mature(at(1600, 7)) == std::vector{cidr("10.10.0.0/24")});
  CHECK(give(blocks, wish, "c") == "10.10.0.0/24");
}

TEST_CASE("under exhaustion the oldest matured block is taken, never one that is not acknowledged", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/22"}, 24)});
  for (const char* name : {"a", "b", "c", "d"}) give(blocks, name);
  REQUIRE(blocks.release({cidr("10.10.2.0/24")}, {"uid of c", 1}, WallTime(Seconds(0)), 99));  // oldest, but unheard of
  REQUIRE(blocks.release({cidr("10.10.3.0/24")}, {"uid of d", 1}, WallTime(Seconds(1)), 3));
  REQUIRE(blocks.release({cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime(Seconds(2)), 4));
  const auto first = blocks.allocate({"x", NodeRole::node, ""}, {"x", 1}, at(5000, 10));
  REQUIRE(first);
  CHECK(first->primary == cidr("10.10.3.0/24"));
  CHECK(first->reclaimed == std::vector{cidr("10.10.3.0/24")});
  CHECK(give(blocks, {"y", NodeRole::node, ""}, "y", at(5000, 10)) == "10.10.0.0/24");
  const CidrLedger before = blocks;
  CHECK(blocks.allocate({"z", NodeRole::node, ""}, {"z", 1}, at(5000, 10)).error().code == Errc::exhausted);
  CHECK(blocks == before);
}

TEST_CASE("when nothing else is left the oldest acknowledged block goes before its age", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/22"}, 24), record("more", 2, {"10.11.0.0/24"}, 24)});
  for (const char* name : {"a", "b", "c", "d"}) give(blocks, name);
  REQUIRE(blocks.release({cidr("10.10.2.0/24")}, {"uid of c", 1}, WallTime(Seconds(1000)), 99));  // oldest, but unheard of
  REQUIRE(blocks.release({cidr("10.10.3.0/24")}, {"uid of d", 1}, WallTime(Seconds(1010)), 3));
  REQUIRE(blocks.release({cidr("10.10.0.0/24")}, {"uid of a", 1}, WallTime(Seconds(1020)), 4));
  // Another pool has a free one: nothing is exhausted yet.
  CHECK(give(blocks, {"e", NodeRole::node, ""}, "e", at(1050, 10)) == "10.11.0.0/24");
  CHECK(blocks.can_allocate({"x", NodeRole::node, ""}, at(1050, 10)));
  const auto got = blocks.allocate({"x", NodeRole::node, ""}, {"x", 1}, at(1050, 10));
  REQUIRE(got);
  CHECK(got->primary == cidr("10.10.3.0/24"));
  REQUIRE(got->early.size() == 1);
  has(early_text(got->early[0], at(1050, 10)), "10.10.3.0/24 was given out 40s after it was given back, before its 10m of rest were over");
  // One whose time is over is no matter of haste.
  const auto aged = blocks.allocate({"y", NodeRole::node, ""}, {"y", 1}, at(1620, 10));
  REQUIRE(aged);
  CHECK(aged->early.empty());
  CHECK(blocks.allocate({"z", NodeRole::node, ""}, {"z", 1}, at(9000, 10)).error().code == Errc::exhausted);
}

TEST_CASE("of blocks that rest only those that a node needs are hurried", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/24"}, 26)});
  for (const char* name : {"a", "b", "c", "d"}) give(blocks, name);
  REQUIRE(blocks.put_pool(record("default", 1, {"10.10.0.0/24"}, 25)));  // larger ones from now on
  for (const char* name : {"a", "c", "d"}) {
    const int third = name[0] == 'a' ? 0 : name[0] == 'c' ? 128 : 192;
    REQUIRE(blocks.release({cidr("10.10.0." + std::to_string(third) + "/26")}, {"uid of " + std::string(name), 1}, WallTime(Seconds(1000)), 3));
  }
  const auto got = blocks.allocate({"x", NodeRole::node, ""}, {"x", 1}, at(1050, 10));
  REQUIRE(got);
  CHECK(got->primary == cidr("10.10.0.128/25"));
  CHECK(got->early.size() == 2);
  CHECK(blocks.quarantined() == 1);
}

TEST_CASE("free blocks are counted by their size", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/22", "10.20.0.0/24"}, 24)});
  give(blocks, "a");  // the smaller range goes first
  give(blocks, "b");
  const auto free = blocks.pool("default")->free_blocks();
  CHECK(free == std::map<int, std::uint64_t>{{22, 0}, {23, 1}, {24, 1}});
}

TEST_CASE("restored records find their blocks and contradictions are named", "[ledger]") {
  CidrLedger blocks = ledger({record("default", 1, {"10.10.0.0/16"}, 24)});
  REQUIRE(blocks.hold(keep("10.10.7.0/24", "kept"), std::nullopt));
  CHECK(blocks.restore(cidr("10.10.3.0/24"), {"a", 1}, "a"));
  CHECK(blocks.restore(cidr("10.10.7.0/24"), {"k", 1}, "kept"));
  has(blocks.restore(cidr("10.10.7.0/24"), {"k", 2}, "kept").error().message, "10.10.7.0/24, which is kept for node kept");
  has(blocks.restore(cidr("10.10.3.0/28"), {"b", 1}, "b").error().message, "overlaps 10.10.3.0/24, which a node has");
  has(blocks.restore(cidr("10.10.0.0/22"), {"b", 1}, "b").error().message, "overlaps 10.10.3.0/24");
  CHECK(blocks.restore(cidr("10.11.0.0/24"), {"c", 1}, "c").error().code == Errc::invalid);
  CHECK(blocks.restore_quarantined({cidr("10.10.4.0/24"), {"old", 1}, WallTime{}, 5, 9}));
  CHECK_FALSE(blocks.restore_quarantined({cidr("10.10.5.0/24"), {"old", 1}, WallTime{}, 5, 9}));
  has(blocks.restore(cidr("10.10.4.0/25"), {"d", 1}, "d").error().message, "10.10.4.0/24, which rests in quarantine");
  const auto next = blocks.release({cidr("10.10.3.0/24")}, {"a", 1}, WallTime{}, 6);
  REQUIRE(next);
  CHECK(next->front().order == 10);
}

// Random joins, removals, assignments, growth and time over three pools of two families, against the plainest model: a list of
// who has what. After each step: no two blocks overlap, nobody has what the model does not know, and the ledger made anew from
// the records is the same.
class Play {
 public:
  explicit Play(unsigned seed) : random_(seed) {
    pools_ = {record("default", 1, {"10.10.0.0/25"}, 28), record("named", 2, {"10.20.0.0/26"}, 27, {std::nullopt, "?5*", false}),
              record("six", 3, {"fd00:10::/58"}, 64)};
    for (const PoolRecord& pool : pools_) REQUIRE(real_.put_pool(pool));
  }
  void step() {
    now_ += 30;
    switch (random_() % 8) {
      case 0: case 1: case 2: case 3: join_one(); break;
      case 4: case 5: remove_one(); break;
      case 6: hold_one(); break;
      default: age(); break;
    }
    if (random_() % 200 == 0) grow();
    check();
  }
  std::size_t joins() const { return joins_; }
  std::size_t refusals() const { return refusals_; }

 private:
  struct Member {
    CidrOwner owner;
    std::vector<Cidr> blocks;
  };
  std::uint32_t pick(std::size_t count) { return static_cast<std::uint32_t>(random_() % count); }
  std::string name() { return "n" + std::to_string(pick(90)); }

  void join_one() {
    const std::string who = name();
    if (members_.contains(who)) return;
    const CidrOwner owner{"uid" + std::to_string(++serial_), static_cast<std::uint64_t>(serial_)};
    const Maturity maturity = at(now_, acknowledged_);
    const bool possible = real_.can_allocate({who, NodeRole::node, ""}, maturity).has_value();
    const auto got = real_.allocate({who, NodeRole::node, ""}, owner, maturity);
    REQUIRE(got.has_value() == possible);
    if (!got) {
      ++refusals_;
      return;
    }
    ++joins_;
    for (const Cidr& block : got->reclaimed) {
      const auto old = std::find_if(resting_.begin(), resting_.end(), [&](const QuarantinedBlock& b) { return b.prefix == block; });
      REQUIRE(old != resting_.end());
      REQUIRE(old->revision <= acknowledged_);
      const bool hurried = std::any_of(got->early.begin(), got->early.end(), [&](const QuarantinedBlock& b) { return b.prefix == block; });
      REQUIRE(hurried == (now_ - old->since.time_since_epoch().count() < 600));
      resting_.erase(old);
    }
    REQUIRE(got->second);
    for (const auto& [block, kept] : holds_) {
      if (kept.node == who) REQUIRE((got->primary == block || *got->second == block));
    }
    members_[who] = {owner, {got->primary, *got->second}};
  }
  void remove_one() {
    if (members_.empty()) return;
    const auto victim = std::next(members_.begin(), pick(members_.size()));
    CidrOwner wrong = victim->second.owner;
    ++wrong.generation;
    const auto when = WallTime(Seconds(now_));
    REQUIRE_FALSE(real_.release(victim->second.blocks, wrong, when, 1));
    const auto rests = real_.release(victim->second.blocks, victim->second.owner, when, static_cast<std::uint64_t>(now_));
    REQUIRE(rests);
    resting_.insert(resting_.end(), rests->begin(), rests->end());
    members_.erase(victim);
  }
  void hold_one() {
    if (holds_.size() > 6) {
      const auto old = std::next(holds_.begin(), pick(holds_.size()));
      REQUIRE(real_.drop_hold(old->first));
      holds_.erase(old);
      return;
    }
    const int length = 27 + static_cast<int>(pick(3));
    const Cidr block = *Cidr::make(IpAddress::v4(0x0a0a0000U + (pick(128) >> (32 - length) << (32 - length))), length);
    const BlockHold wish{block, pick(2) == 0 ? "" : name(), false, "", WallTime{}};
    std::optional<CidrOwner> living;
    if (const auto member = members_.find(wish.node); member != members_.end()) living = member->second.owner;
    const bool lives_elsewhere = living && members_[wish.node].blocks.front() != block;
    if (lives_elsewhere) return;  // the operation refuses that before
    if (real_.hold(wish, living)) holds_.emplace(block, wish);
  }
  void age() {
    now_ += static_cast<int>(pick(400));
    acknowledged_ = std::max(acknowledged_, static_cast<std::uint64_t>(std::max(0, now_ - static_cast<int>(pick(1500)))));
    for (const Cidr& freed : real_.mature(at(now_, acknowledged_))) {
      REQUIRE(std::erase_if(resting_, [&](const QuarantinedBlock& b) { return b.prefix == freed; }) == 1);
    }
  }
  void grow() {
    PoolRecord& pool = pools_[pick(pools_.size())];
    Cidr& range = pool.ranges.front();
    if (range.prefix_length() <= (range.is_v4() ? 24 : 57)) return;
    range = *Cidr::make(range.base(), range.prefix_length() - 1);
    REQUIRE(real_.put_pool(pool));
  }
  void check() {
    std::vector<Cidr> all;
    for (const auto& [who, member] : members_) all.insert(all.end(), member.blocks.begin(), member.blocks.end());
    for (const QuarantinedBlock& block : resting_) all.push_back(block.prefix);
    for (const auto& [block, kept] : holds_) {
      if (std::find(all.begin(), all.end(), block) == all.end()) all.push_back(block);
    }
    std::sort(all.begin(), all.end());
    for (std::size_t i = 1; i < all.size(); ++i) REQUIRE_FALSE(all[i - 1].overlaps(all[i]));
    std::size_t counted = 0;
    for (const auto& [pool_name, pool] : real_.pools()) counted += pool.taken().size();
    REQUIRE(counted == all.size());
    REQUIRE(real_.quarantined() == resting_.size());
    REQUIRE(again() == real_);
  }
  CidrLedger again() {
    CidrLedger fresh;
    for (const PoolRecord& pool : pools_) REQUIRE(fresh.put_pool(pool));
    for (const auto& [block, kept] : holds_) REQUIRE(fresh.hold(kept, std::nullopt));
    for (const QuarantinedBlock& block : resting_) REQUIRE(fresh.restore_quarantined(block));
    for (const auto& [who, member] : members_) {
      for (const Cidr& block : member.blocks) REQUIRE(fresh.restore(block, member.owner, who));
    }
    return fresh;
  }

  std::mt19937 random_;
  std::vector<PoolRecord> pools_;
  CidrLedger real_;
  std::map<std::string, Member> members_;
  std::map<Cidr, BlockHold> holds_;
  std::vector<QuarantinedBlock> resting_;
  int now_ = 0;
  int serial_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::size_t joins_ = 0;
  std::size_t refusals_ = 0;
};

TEST_CASE("random lives of a ledger keep its invariants and survive a restart", "[ledger]") {
  for (const unsigned seed : {1U, 2U, 3U, 77U}) {
    INFO("seed " << seed);
    Play play(seed);
    for (int i = 0; i < 1500; ++i) play.step();
    CHECK(play.joins() > 100);
    CHECK(play.refusals() > 5);
  }
}

}  // namespace
}  // namespace slipway
