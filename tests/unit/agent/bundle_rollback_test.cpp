// What an agent has taken over never goes back: desired states and CA bundles (T13).
#include <catch2/catch.hpp>

#include "agent/domain/desired_order.hpp"
#include "agent/service/ca_sync.hpp"
#include "agent/service/desired_sync.hpp"
#include "agent/service/renew.hpp"
#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "proto/codec.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

proto::DesiredState state_of(ServiceFixture& world, const std::string& epoch, std::uint64_t revision) {
  proto::DesiredState desired = world.coordinator.desired(revision);
  desired.epoch = epoch;
  return desired;
}

// The coordinator's next answer.
Status told(ServiceFixture& world, DesiredSync& sync, const std::string& epoch, std::uint64_t revision) {
  world.coordinator.states.push_back(std::optional<std::string>(proto::encode(state_of(world, epoch, revision))));
  return world.io.run(sync.poll_once());
}

const Authority& other_authority() {
  static const Authority authority = Authority::create(service_cluster(), WallTime(Seconds(1'790'000'100))).value();
  return authority;
}

void trust(ServiceFixture& world, bool both) {
  for (const CaKind kind : k_ca_kinds) {
    const CaPtr second = both ? other_authority().set(kind).signing : CaPtr();
    world.coordinator.signer().use(kind, {service_authority().set(kind).signing, second, both ? CaPhase::distributing : CaPhase::stable});
  }
}

void announce(ServiceFixture& world, AgentLife& life, std::uint64_t revision) {
  proto::DesiredState desired = world.coordinator.desired(revision);
  for (const CaKind kind : k_ca_kinds) {
    desired.cas.push_back({std::string(to_string(kind)), sha256_hex(world.coordinator.signer().ca_pem(kind)),
                           to_hex(service_authority().ca(kind).certificate.subject_key_id())});
  }
  life.state.desired = desired;
}

}  // namespace

TEST_CASE("a desired state follows one that is not newer, in an epoch that was not left", "[agent][bundle_rollback]") {
  const DesiredPlace held{"e3", 7};
  const std::vector<std::string> left = {"e1", "e2"};
  CHECK(may_follow(held, left, {"e3", 8}));
  CHECK(may_follow(held, left, {"e3", 7}));
  CHECK(may_follow(held, left, {"e4", 1}));  // a new history starts where it likes
  for (const DesiredPlace& back : {DesiredPlace{"e3", 6}, DesiredPlace{"e2", 99}, DesiredPlace{"e1", 99}}) {
    const Status follows = may_follow(held, left, back);
    REQUIRE_FALSE(follows);
    CHECK(follows.error().code == Errc::conflict);
    CHECK(follows.error().message.find("what is known is kept") != std::string::npos);
  }
  CHECK(epochs_left(held, left, {"e3", 8}) == left);
  CHECK(epochs_left(held, left, {"e4", 1}) == std::vector<std::string>{"e1", "e2", "e3"});
  std::vector<std::string> many;
  for (std::size_t i = 0; i < 2 * k_left_epochs; ++i) many = epochs_left({std::to_string(i), 1}, many, {std::to_string(i + 1), 1});
  CHECK(many.size() == k_left_epochs);
  CHECK(many.back() == std::to_string(2 * k_left_epochs - 1));
}

TEST_CASE("an older desired state is refused, over restarts of the agent, too", "[agent][bundle_rollback]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  DesiredSync sync(life.deps(), 1);
  REQUIRE(told(world, sync, "e1", 42));
  CHECK_FALSE(told(world, sync, "e1", 41));
  CHECK(life.state.desired->revision == 42);
  REQUIRE(told(world, sync, "e2", 3));
  CHECK_FALSE(told(world, sync, "e1", 43));
  CHECK(life.state.desired->epoch == "e2");

  AgentLife next(world);
  DesiredSync after(next.deps(), 1);
  REQUIRE(world.io.run(after.load()));
  CHECK_FALSE(told(world, after, "e2", 2));
  CHECK_FALSE(told(world, after, "e1", 99));
  CHECK(next.state.desired->epoch == "e2");
  CHECK(next.state.desired->revision == 3);
  REQUIRE(told(world, after, "e2", 4));
  CHECK(next.state.desired->revision == 4);
}

TEST_CASE("a renewal that was long under way brings no older bundle back", "[agent][bundle_rollback]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  trust(world, true);
  announce(world, life, 7);
  CaSync cas("node", life.deps());
  REQUIRE(world.io.run(cas.tick()));
  const std::string both = life.store.ca_bundle("fabric").value().value();
  CHECK(both == world.coordinator.signer().ca_pem(CaKind::fabric));
  trust(world, false);  // the answer is from before
  Renewer renewer("node", life.deps(), life.enroller);
  world.clock.advance(std::chrono::minutes(45));
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.size() == 1);
  CHECK(life.store.ca_bundle("fabric").value().value() == both);
  CHECK(world.coordinator.used_ca == both);
}

TEST_CASE("bundles of an announcement that is no longer the newest are not kept", "[agent][bundle_rollback]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  const std::string before = life.store.ca_bundle("fabric").value().value();
  trust(world, true);
  announce(world, life, 7);
  world.coordinator.before_bundles = [&] {
    trust(world, false);
    announce(world, life, 8);
    trust(world, true);
  };
  CaSync cas("node", life.deps());
  CHECK_FALSE(world.io.run(cas.tick()));
  CHECK(life.store.ca_bundle("fabric").value().value() == before);
}
