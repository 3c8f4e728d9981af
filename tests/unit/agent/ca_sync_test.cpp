#include "agent/service/ca_sync.hpp"

#include <catch2/catch.hpp>

#include "agent/service/renew.hpp"
#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

const Authority& other_authority() {
  static const Authority authority = Authority::create(service_cluster(), WallTime(Seconds(1'790'000'100))).value();
  return authority;
}

// The fake coordinator's CAs as the real one announces them.
std::vector<proto::CaRef> announced(ServiceFixture& world, const Authority& signing) {
  std::vector<proto::CaRef> cas;
  for (const CaKind kind : k_ca_kinds) {
    cas.push_back({std::string(to_string(kind)), sha256_hex(world.coordinator.signer().ca_pem(kind)),
                   to_hex(signing.ca(kind).certificate.subject_key_id())});
  }
  return cas;
}

void tell(ServiceFixture& world, AgentLife& life, const Authority& signing) {
  proto::DesiredState desired = world.coordinator.desired(7);
  desired.cas = announced(world, signing);
  life.state.desired = desired;
}

// A second CA comes for every kind: trusted, not yet signing, or signing.
void rotate(ServiceFixture& world, bool signing) {
  for (const CaKind kind : k_ca_kinds) {
    const CaPtr first = service_authority().set(kind).signing;
    const CaPtr second = other_authority().set(kind).signing;
    world.coordinator.signer().use(kind, {signing ? second : first, signing ? first : second, CaPhase::distributing});
  }
}

}  // namespace

TEST_CASE("bundles are fetched when the announced digest is another, and not again", "[agent][ca]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  CaSync sync("node", life.deps());
  REQUIRE(world.io.run(sync.tick()));  // nothing is known yet
  tell(world, life, service_authority());
  REQUIRE(world.io.run(sync.tick()));
  CHECK(world.coordinator.bundle_requests == 0);  // what the join brought is right
  rotate(world, false);
  tell(world, life, service_authority());
  life.state.reconcile.take();
  REQUIRE(world.io.run(sync.tick()));
  CHECK(world.coordinator.bundle_requests == 1);
  CHECK(life.state.reconcile.is_set());
  const std::string fabric = life.store.ca_bundle("fabric").value().value();
  CHECK(fabric == world.coordinator.signer().ca_pem(CaKind::fabric));
  CHECK(Certificate::chain_from_pem(fabric)->size() == 2);
  CHECK(world.coordinator.used_ca == fabric);  // connections trust both from now on
  CHECK(life.state.ca_stored.at("fabric") == sha256_hex(fabric));
  CHECK(life.state.ca_stored.count("etcd") == 0);  // a node has nothing to do with it
  REQUIRE(world.io.run(sync.tick()));
  CHECK(world.coordinator.bundle_requests == 1);
}

TEST_CASE("a bundle that is not the announced one is not kept", "[agent][ca]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  CaSync sync("node", life.deps());
  rotate(world, false);
  tell(world, life, service_authority());
  const std::string before = life.store.ca_bundle("fabric").value().value();
  SECTION("another text") { world.coordinator.false_bundle = before + before; }
  SECTION("the right digest, but no authorities") {
    world.coordinator.false_bundle = life.store.pair("agent").value()->chain_pem;
    for (auto& ca : life.state.desired->cas) {
      if (ca.kind == "fabric") ca.bundle_sha256 = sha256_hex(*world.coordinator.false_bundle);
    }
  }
  CHECK_FALSE(world.io.run(sync.tick()));
  CHECK(life.store.ca_bundle("fabric").value().value() == before);
  CHECK(world.coordinator.used_ca == before);
}

TEST_CASE("killed while bundles are kept, the next life fetches the rest", "[agent][ca]") {
  for (int writes = 0; writes < 4; ++writes) {
    ServiceFixture world;
    AgentLife first(world);
    REQUIRE(first.attempt());
    rotate(world, false);
    tell(world, first, service_authority());
    first.store.writes_left = writes;
    CaSync doomed("node", first.deps());
    static_cast<void>(world.io.run(doomed.tick()).has_value());
    AgentLife next(world);
    REQUIRE(next.attempt());
    tell(world, next, service_authority());
    CaSync sync("node", next.deps());
    INFO("killed at write " << writes);
    REQUIRE(world.io.run(sync.tick()));
    for (const char* kind : {"fabric", "kubeClient", "kubeletServing", "apiserver"}) {
      CHECK(Certificate::chain_from_pem(next.store.ca_bundle(kind).value().value())->size() == 2);
    }
  }
}

TEST_CASE("certificates of a CA that is replaced are renewed at once, long before their time", "[agent][ca][renew]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  tell(world, life, service_authority());
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.empty());
  rotate(world, true);
  tell(world, life, other_authority());
  REQUIRE(world.io.run(renewer.tick()));
  REQUIRE(world.coordinator.renewals.size() == 1);
  CHECK(world.coordinator.renewals[0].csrs.size() == 4);
  const auto leaf = Certificate::chain_from_pem(life.store.pair("kubeletClient").value()->chain_pem)->front();
  CHECK(leaf.verify_issued_by(other_authority().ca(CaKind::kube_client).certificate));
  REQUIRE(world.io.run(renewer.tick()));
  CHECK(world.coordinator.renewals.size() == 1);
}

TEST_CASE("an announcement that runs ahead of the signer is followed half a minute later", "[agent][ca][renew]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  rotate(world, false);
  tell(world, life, other_authority());
  const auto next = world.io.run(renewer.tick());
  REQUIRE(next);
  CHECK(*next == Seconds(30));
}

TEST_CASE("a bundle counts as used when it has been in place long enough to be noticed", "[agent][ca]") {
  using Time = std::chrono::steady_clock::time_point;
  std::map<std::string, BundleUse> uses;
  const Time start = Time() + std::chrono::hours(1);
  note_use(uses, "kubeClient", "a", start);
  CHECK(confirmed_bundles(uses, {}, start + std::chrono::seconds(89)).empty());
  CHECK(confirmed_bundles(uses, {}, start + std::chrono::seconds(90)) == BundleDigests{{"kubeClient", "a"}});
  note_use(uses, "kubeClient", "a", start + std::chrono::seconds(60));  // each pass says so again
  CHECK(confirmed_bundles(uses, {}, start + std::chrono::seconds(90)).size() == 1);
  note_use(uses, "kubeClient", "b", start + std::chrono::seconds(100));
  CHECK(confirmed_bundles(uses, {}, start + std::chrono::seconds(120)).empty());
  CHECK(confirmed_bundles({}, {{"fabric", "f"}, {"kubeClient", "a"}}, start) == BundleDigests{{"fabric", "f"}});
}
