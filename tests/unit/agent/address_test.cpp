// A host whose address changes: noticing it, asking for it, and what is left behind by a kill.
#include <catch2/catch.hpp>

#include "agent/domain/address_watch.hpp"
#include "agent/domain/network_plan.hpp"
#include "agent/service/address_follow.hpp"
#include "agent/service/renew.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

IpAddress at(const std::string& text) {
  return IpAddress::parse(text).value();
}

const IpAddress k_old = at("10.77.0.13"), k_new = at("10.77.0.77");

std::vector<IpAddress> serving_addresses(AgentLife& life) {
  return Certificate::chain_from_pem(life.store.pair("kubeletServing").value()->chain_pem)
      .value()
      .front()
      .ip_addresses();
}

std::string agent_chain(AgentLife& life) {
  return life.store.pair("agent").value()->chain_pem;
}

}  // namespace

TEST_CASE("a new address counts when it has stood for the grace time and the old one is gone",
          "[agent][address]") {
  AddressWatch watch(Millis(30'000));
  const SteadyTime start{};
  const AddressSight home{k_old, true, false}, moved{k_new, false, false},
      nowhere{std::nullopt, false, false}, both{k_new, true, false};
  CHECK_FALSE(watch.observe(k_old, home, start));
  CHECK_FALSE(watch.waits());
  CHECK_FALSE(watch.observe(k_old, moved, start));
  CHECK(watch.waits());
  CHECK_FALSE(watch.observe(k_old, moved, start + Millis(29'000)));
  CHECK(watch.observe(k_old, moved, start + Millis(30'000)) == k_new);
  CHECK(watch.observe(k_old, moved, start + Millis(90'000)) == k_new);

  SECTION("a flap begins the time anew") {
    CHECK_FALSE(watch.observe(k_old, home, start + Millis(91'000)));
    CHECK_FALSE(watch.observe(k_old, moved, start + Millis(92'000)));
  }
  SECTION("no way to the coordinator is no move") {
    CHECK_FALSE(watch.observe(k_old, nowhere, start + Millis(91'000)));
    CHECK_FALSE(watch.waits());
  }
  SECTION("another interface on the way is none while the old address is there") {
    CHECK_FALSE(watch.observe(k_old, both, start + Millis(91'000)));
  }
  SECTION("another one again begins the time anew") {
    CHECK_FALSE(watch.observe(k_old, {at("10.77.0.78"), false, false}, start + Millis(91'000)));
    CHECK(watch.observe(k_old, {at("10.77.0.78"), false, false}, start + Millis(121'000)) ==
          at("10.77.0.78"));
  }
  SECTION("what agent.yaml names counts beside the old one") {
    AddressWatch named(Millis(0));
    CHECK(named.observe(k_old, {k_new, true, true}, start) == k_new);
    CHECK_FALSE(named.observe(k_old, {k_old, true, true}, start));
  }
  SECTION("loopback is nobody's address") {
    CHECK_FALSE(AddressWatch(Millis(0)).observe(k_old, {at("127.0.0.1"), false, false}, start));
  }
}

TEST_CASE("the agent asks once the grace time is over, and takes it back when the address returns",
          "[agent][address]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  AddressSight sight{k_new, false, false};
  AddressFollower follower({world.clock, world.workers, life.state, [&sight](IpAddress) { return sight; }});
  life.state.renew.take();
  REQUIRE(world.io.run(follower.look_once()));
  CHECK_FALSE(life.state.moves_to);
  world.clock.advance(k_address_grace);
  REQUIRE(world.io.run(follower.look_once()));
  CHECK(life.state.moves_to == k_new);
  CHECK(life.state.renew.take());
  REQUIRE(world.io.run(follower.look_once()));
  CHECK_FALSE(life.state.renew.is_set());  // asked once
  sight = {k_old, true, false};
  REQUIRE(world.io.run(follower.look_once()));
  CHECK_FALSE(life.state.moves_to);
}

TEST_CASE("a master says that it stays, and does not ask", "[agent][address]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  life.state.identity->role = "master";
  AddressFollower follower({world.clock, world.workers, life.state,
                            [](IpAddress) {
                              return AddressSight{k_new, false, false};
                            }},
                           Millis(0));
  REQUIRE(world.io.run(follower.look_once()));
  CHECK_FALSE(life.state.moves_to);
  CHECK(life.state.address_message.find("10.77.0.13") != std::string::npos);
  CHECK(life.state.address_message.find("static") != std::string::npos);
}

TEST_CASE("a move is one request for the serving certificate, and identity and certificate follow",
          "[agent][address]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  const std::string agent = agent_chain(life);
  Renewer renewer("node", life.deps(), life.enroller);
  life.state.moves_to = k_new;
  life.state.reconcile.take();
  REQUIRE(world.io.run(renewer.tick()));
  REQUIRE(world.coordinator.renewals.size() == 1);
  CHECK(world.coordinator.renewals[0].address == k_new.to_string());
  CHECK(world.coordinator.renewals[0].csrs.size() == 1);
  CHECK(serving_addresses(life) == std::vector<IpAddress>{k_new});
  CHECK(agent_chain(life) == agent);  // what need not change does not
  CHECK(life.state.identity->address == k_new.to_string());
  CHECK(life.store.identity().value()->address == k_new.to_string());
  CHECK(life.store.identity().value()->pod_cidr == life.state.identity->pod_cidr);
  CHECK_FALSE(life.state.moves_to);
  CHECK(life.state.reconcile.is_set());
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.size() == 1);
}

TEST_CASE("a refused move is told, and does not keep certificates from being renewed", "[agent][address]") {
  ServiceFixture world;
  world.coordinator.life = Seconds(900);
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  world.coordinator.move_refusal = make_error(Errc::denied, "network.addressChange is refuse");
  life.state.moves_to = k_new;
  world.clock.advance(std::chrono::seconds(600));
  const std::string agent = agent_chain(life);
  const Result<Seconds> refused = world.io.run(renewer.tick());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  CHECK(life.state.address_message.find("addressChange") != std::string::npos);
  CHECK(agent_chain(life) != agent);
  CHECK(life.state.identity->address == k_old.to_string());
  // The operator allows it.
  world.coordinator.move_refusal.reset();
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(life.state.address_message.empty());
  CHECK(life.state.identity->address == k_new.to_string());
}

TEST_CASE("a coordinator that knows no moves leaves all as it is", "[agent][address]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  life.state.moves_to = k_new;
  world.coordinator.knows_moves = false;
  CHECK_FALSE(world.io.run(renewer.tick()));
  CHECK(serving_addresses(life) == std::vector<IpAddress>{k_old});
  CHECK(life.store.identity().value()->address == k_old.to_string());
}

TEST_CASE("killed anywhere in a move, or its answer lost, the next life ends it with the same key",
          "[agent][address]") {
  for (int writes = 0; writes < 12; ++writes) {
    INFO(writes);
    ServiceFixture world;
    AgentLife first(world);
    REQUIRE(first.attempt());
    if (writes % 3 == 1) world.coordinator.lose_answers = 1;
    first.store.writes_left = writes;
    first.state.moves_to = k_new;
    Renewer doomed("node", first.deps(), first.enroller);
    (void)world.io.run(doomed.tick()).has_value();
    AgentLife next(world);
    REQUIRE(next.attempt());
    AddressFollower follower({world.clock, world.workers, next.state,
                              [](IpAddress registered) {
                                return AddressSight{k_new, registered == k_new, false};
                              }},
                             Millis(0));
    REQUIRE(world.io.run(follower.look_once()));
    Renewer renewer("node", next.deps(), next.enroller);
    REQUIRE(world.io.run(renewer.tick()));
    CHECK(next.store.identity().value()->address == k_new.to_string());
    CHECK(serving_addresses(next) == std::vector<IpAddress>{k_new});
    CHECK(world.coordinator.joins == 1);
  }
}

TEST_CASE("a peer's new address is one replaced route, without a gap", "[agent][address]") {
  NetworkDesired desired;
  desired.node_address = at("10.77.0.13");
  desired.own_cidr = Cidr::parse("10.10.3.0/24").value();
  desired.peers = {{"n4", Cidr::parse("10.10.4.0/24").value(), at("10.77.0.14")}};
  desired.pools = {Cidr::parse("10.10.0.0/16").value()};
  NetworkObserved observed;
  observed.links = {{2, "eth0", 0, true, true, 1500, {{at("10.77.0.13"), 24}}}};
  const auto routes = [&] {
    std::vector<NetworkStep> steps;
    for (const NetworkStep& step : plan_network(desired, observed)) {
      if (std::holds_alternative<PutRoute>(step) || std::holds_alternative<RemoveRoute>(step))
        steps.push_back(step);
    }
    return steps;
  };
  for (const NetworkStep& step : routes()) observed.routes.push_back(std::get<PutRoute>(step).route);
  CHECK(routes().empty());
  desired.peers[0].gateway = at("10.77.0.44");
  const auto steps = routes();
  REQUIRE(steps.size() == 1);
  REQUIRE(std::holds_alternative<PutRoute>(steps[0]));
  const MarkedRoute& route = std::get<PutRoute>(steps[0]).route;
  CHECK(route.gateway == at("10.77.0.44"));
  // The same destination and metric: the kernel takes it in place of the old one (NLM_F_REPLACE).
  CHECK(route.destination == Cidr::parse("10.10.4.0/24").value());
  CHECK(route.metric == route_metric(route.destination));
}
