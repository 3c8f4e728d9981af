#include "coordinator/domain/route_plan.hpp"

#include <catch2/catch.hpp>

namespace slipway {
namespace {

Cidr net(const char* text) { return *Cidr::parse(text); }
IpAddress ip(const char* text) { return *IpAddress::parse(text); }

const Cidr k_block = net("10.10.3.0/24");
const IpAddress k_node = ip("192.168.10.13");
const IpAddress k_other = ip("192.168.10.99");
const OutsideRoute k_wanted{k_block, k_node, "n3"};

}  // namespace

TEST_CASE("a route outside is set once and then left alone") {
  const RoutePlan plan = plan_outside({k_wanted}, {}, {});
  CHECK(plan.set == std::vector{k_wanted});
  CHECK(plan.remove.empty());
  const RoutePlan second = plan_outside({k_wanted}, {{k_block, {k_node}}}, {{k_block, k_node}});
  CHECK(second.set.empty());
  CHECK(second.remove.empty());
  CHECK(second.conflicts.empty());
}

TEST_CASE("somebody else's route that leads the right way will do, and is not made ours") {
  const RoutePlan plan = plan_outside({k_wanted}, {}, {{k_block, k_node}});
  CHECK(plan.set.empty());
  CHECK(noted_before({}, plan).empty());
  // So it stays when the node goes.
  CHECK(plan_outside({}, {}, {{k_block, k_node}}).remove.empty());
}

TEST_CASE("somebody else's route in the way is named and not touched") {
  const RoutePlan plan = plan_outside({k_wanted}, {}, {{k_block, k_other}});
  CHECK(plan.set.empty());
  REQUIRE(plan.conflicts.size() == 1);
  CHECK(plan.conflicts[0].wanted == k_wanted);
  CHECK(plan.conflicts[0].there.next_hop == k_other);
  // Not even where ours stood before.
  const RoutePlan replaced = plan_outside({k_wanted}, {{k_block, {k_node}}}, {{k_block, k_other}});
  CHECK(replaced.set.empty());
  CHECK(replaced.conflicts.size() == 1);
}

TEST_CASE("a node that moves has its route replaced, never removed first") {
  const OutsideRoute moved{k_block, ip("192.168.10.14"), "n3"};
  const std::vector<OwnRoute> own = {{k_block, {k_node}}};
  const RoutePlan plan = plan_outside({moved}, own, {{k_block, k_node}});
  REQUIRE(plan.set.size() == 1);
  CHECK(plan.set[0].next_hop == moved.next_hop);
  // And no other one than ours, should there be one by then.
  CHECK(plan.set[0].replaces == std::vector{k_node});
  CHECK(plan.remove.empty());
  // Whatever a kill leaves of the change is ours.
  std::vector<OwnRoute> notes = noted_before(own, plan);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].next_hops == std::vector{k_node, moved.next_hop});
  CHECK(plan_outside({}, notes, {{k_block, k_node}}).remove.size() == 1);
  CHECK(plan_outside({}, notes, {{k_block, moved.next_hop}}).remove.size() == 1);
  note_set(notes, moved);
  CHECK(notes[0].next_hops == std::vector{moved.next_hop});
}

TEST_CASE("routes of nodes that are gone are removed, others in the pods' range never") {
  const std::vector<OwnRoute> own = {{k_block, {k_node}}};
  const RoutePlan plan = plan_outside({}, own, {{k_block, k_node}, {net("10.10.200.0/24"), k_other}});
  REQUIRE(plan.remove.size() == 1);
  CHECK(plan.remove[0].destination == k_block);
  CHECK(plan.remove[0].next_hop == k_node);
  // Until it is gone it is noted.
  CHECK(noted_before(own, plan) == own);
  std::vector<OwnRoute> notes = own;
  note_removed(notes, k_block);
  CHECK(notes.empty());
}

TEST_CASE("what was ours and is gone, or another's now, is forgotten") {
  const std::vector<OwnRoute> own = {{k_block, {k_node}}};
  for (const std::vector<FoundRoute>& found : {std::vector<FoundRoute>{}, std::vector<FoundRoute>{{k_block, k_other}}}) {
    const RoutePlan plan = plan_outside({}, own, found);
    CHECK(plan.remove.empty());
    CHECK(plan.forget == std::vector{k_block});
    CHECK(noted_before(own, plan).empty());
  }
}

TEST_CASE("of several routes of one destination ours is told from the others") {
  const std::vector<OwnRoute> own = {{k_block, {k_node}}};
  const std::vector<FoundRoute> found = {{k_block, k_other}, {k_block, k_node}};
  CHECK(plan_outside({k_wanted}, own, found).conflicts.empty());
  const RoutePlan plan = plan_outside({}, own, found);
  REQUIRE(plan.remove.size() == 1);
  CHECK(plan.remove[0].next_hop == k_node);
}

TEST_CASE("names of routes suit tables that have names") {
  CHECK(outside_name("demo", net("10.10.3.0/24")) == "slipway-demo-10-10-3-0-24");
  const std::string longest = outside_name(std::string(40, 'x'), net("2001:db8:1234:5678:9abc:def0::/96"));
  CHECK(longest.size() <= 63);
  CHECK(longest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
  CHECK(longest != outside_name(std::string(40, 'x'), net("2001:db8:1234:5678:9abc:def1::/96")));
}

}  // namespace slipway
