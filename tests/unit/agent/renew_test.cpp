#include <catch2/catch.hpp>

#include "agent/service/renew.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

CertificateLife life_of(const std::string& usage, std::int64_t from, std::int64_t to,
                        const std::string& serial = "1f") {
  return {usage, serial, WallTime(Seconds(from)), WallTime(Seconds(to))};
}

std::string leaf_serial(AgentLife& life, const std::string& usage) {
  const auto pair = life.store.pair(usage).value();
  return Certificate::chain_from_pem(pair->chain_pem).value().front().serial_hex();
}

}  // namespace

TEST_CASE("a certificate is renewed between 0.567 and 0.667 of its life, the same for the same serial",
          "[agent][renew]") {
  std::set<WallTime> times;
  for (int i = 0; i < 200; ++i) {
    const auto certificate = life_of("agent", 1'000'000, 1'000'000 + 100'000, std::to_string(i * 7919));
    const WallTime when = renewal_time(certificate, 0.667);
    CHECK(when >= WallTime(Seconds(1'056'600)));
    CHECK(when <= WallTime(Seconds(1'066'700)));
    CHECK(when == renewal_time(certificate, 0.667));
    times.insert(when);
  }
  CHECK(times.size() > 150);
}

TEST_CASE("what is nearly due goes with what is due", "[agent][renew]") {
  const std::vector<CertificateLife> certificates = {life_of("agent", 0, 1200, "a"),
                                                     life_of("kubeletClient", 0, 1200, "b"),
                                                     life_of("kubeletServing", 0, 604800, "c")};
  CHECK(plan_renewals(certificates, 0.667, WallTime(Seconds(600))).due.empty());
  const RenewalPlan plan = plan_renewals(certificates, 0.667, WallTime(Seconds(801)));
  CHECK(plan.due == std::vector<std::string>{"agent", "kubeletClient"});
  REQUIRE(plan.next);
  CHECK(*plan.next > WallTime(Seconds(300'000)));
}

TEST_CASE("the sleep until the next renewal is bounded on both sides", "[agent][renew]") {
  const WallTime now{Seconds(1000)};
  CHECK(renewal_sleep(std::nullopt, now) == Seconds(3600));
  CHECK(renewal_sleep(now + Seconds(90), now) == Seconds(90));
  CHECK(renewal_sleep(now + Seconds(90'000), now) == Seconds(3600));
  CHECK(renewal_sleep(now - Seconds(90), now) == Seconds(1));
}

TEST_CASE("three renewals with lifetimes of minutes, new keys each time", "[agent][renew]") {
  ServiceFixture world;
  world.coordinator.life = Seconds(900);
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  std::set<std::string> serials = {leaf_serial(life, "agent")};
  std::set<std::string> keys = {std::string(life.store.pair("agent").value()->key_pem.reveal())};
  std::string chain = world.coordinator.used_chain;
  for (std::size_t round = 1; round <= 3; ++round) {
    while (world.coordinator.renewals.size() < round) {
      const Result<Seconds> next = world.io.run(renewer.tick());
      REQUIRE(next);
      REQUIRE(*next <= Seconds(900));
      REQUIRE(life.state.certificates_valid);
      if (world.coordinator.renewals.size() < round) world.clock.advance(*next);
    }
    CHECK(world.coordinator.renewals.back().csrs.size() == 4);
    CHECK(serials.insert(leaf_serial(life, "agent")).second);
    CHECK(keys.insert(std::string(life.store.pair("agent").value()->key_pem.reveal())).second);
    CHECK(world.coordinator.used_chain != chain);  // mutual TLS goes on with the new one
    chain = world.coordinator.used_chain;
  }
  CHECK(world.coordinator.joins == 1);
  CHECK(life.state.reconcile.is_set());
}

TEST_CASE("a renewal whose answer was lost is asked for again with the same key", "[agent][renew]") {
  ServiceFixture world;
  world.coordinator.life = Seconds(900);
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  world.clock.advance(std::chrono::seconds(600));
  world.coordinator.lose_answers = 1;
  CHECK_FALSE(world.io.run(renewer.tick()));
  REQUIRE(world.io.run(renewer.tick()));
  REQUIRE(world.coordinator.renewals.size() == 2);
  CHECK(parse_csr(world.coordinator.renewals[0].csrs.at("agent"))->spki_der ==
        parse_csr(world.coordinator.renewals[1].csrs.at("agent"))->spki_der);
}

TEST_CASE("killed in a renewal, the next life renews with the pending keys", "[agent][renew]") {
  for (int writes = 0; writes < 20; ++writes) {
    ServiceFixture world;
    world.coordinator.life = Seconds(900);
    AgentLife first(world);
    REQUIRE(first.attempt());
    world.clock.advance(std::chrono::seconds(600));
    first.store.writes_left = writes;
    Renewer doomed("node", first.deps(), first.enroller);
    const bool survived = world.io.run(doomed.tick()).has_value();
    AgentLife next(world);
    REQUIRE(next.attempt());
    Renewer renewer("node", next.deps(), next.enroller);
    const auto ticked = world.io.run(renewer.tick());
    INFO("killed at write " << writes << (ticked ? "" : ticked.error().message));
    REQUIRE(ticked);
    CHECK(next.state.certificates.size() == 4);
    CHECK(*ticked > Seconds(60));
    if (survived) break;
  }
}

TEST_CASE("an agent certificate that ended meanwhile is replaced by proof of the key", "[agent][renew]") {
  ServiceFixture world;
  world.coordinator.life = Seconds(900);
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  world.clock.advance(std::chrono::hours(3));
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.joins == 2);
  CHECK(world.coordinator.renewals.empty());
  CHECK(life.state.certificates_valid);
}

TEST_CASE("a clock that jumps back renews nothing early and forgets nothing", "[agent][renew]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  world.clock.set_wall(world.clock.wall() - std::chrono::hours(24));
  Result<Seconds> next = world.io.run(renewer.tick());
  REQUIRE(next);
  CHECK(*next == Seconds(3600));
  CHECK(world.coordinator.renewals.empty());
  world.clock.set_wall(world.clock.wall() + std::chrono::hours(24) + std::chrono::minutes(55));
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.size() == 1);
}

namespace {

// The coordinator's word that certificates from before `mark` are to be renewed.
void ask_for_rotation(ServiceFixture& world, AgentLife& life, std::optional<WallTime> mark) {
  life.state.desired = world.coordinator.desired(5);
  REQUIRE(life.state.identity);
  life.state.desired->nodes.at(0).uid = life.state.identity->node_uid;
  if (mark) life.state.desired->nodes[0].renew_before = to_rfc3339(*mark);
}

}  // namespace

TEST_CASE("certificates from before the coordinator's mark are renewed, long before their time, once", "[agent][renew]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  const WallTime begun = certificate_lives(life.store, usages_of_role("node")).value().at(0).not_before;
  ask_for_rotation(world, life, begun);  // these begin there: they are new enough
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.empty());
  world.clock.advance(std::chrono::minutes(10));
  ask_for_rotation(world, life, begun + Seconds(1));
  REQUIRE(world.io.run(renewer.tick()));
  REQUIRE(world.coordinator.renewals.size() == 1);
  CHECK(world.coordinator.renewals[0].csrs.size() == 4);
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.size() == 1);
}

TEST_CASE("a mark for another node, or one that is no time, is not ours", "[agent][renew]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  ask_for_rotation(world, life, world.clock.wall() + Seconds(5));
  CHECK(rotation_mark(life.state.desired, life.state.identity) == world.clock.wall() + Seconds(5));
  CHECK(rotation_mark(life.state.desired, std::nullopt) == WallTime{});
  CHECK(rotation_mark(std::nullopt, life.state.identity) == WallTime{});
  life.state.desired->nodes[0].renew_before = "soon";
  CHECK(rotation_mark(life.state.desired, life.state.identity) == WallTime{});
  ask_for_rotation(world, life, world.clock.wall() + Seconds(5));
  life.state.desired->nodes[0].uid = "somebody else";
  CHECK(rotation_mark(life.state.desired, life.state.identity) == WallTime{});
}
