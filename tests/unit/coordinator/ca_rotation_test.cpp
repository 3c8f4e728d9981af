#include "coordinator/domain/ca_rotation.hpp"

#include <catch2/catch.hpp>

#include "coordinator/domain/ca_gates.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/operations.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;
using Catch::Matchers::Contains;

constexpr WallTime k_then{Seconds(1'790'000'000)};

CaFacts facts(std::uint64_t number) {
  const std::string n = std::to_string(number);
  return {number, "sha" + n, "se" + n, "key" + n, "demo CA " + n, k_then, k_then + Seconds(1000)};
}

CaLine stable() { return adopt_ca(CaKind::kube_client, facts(1), "b1", k_then); }

std::string refusal(const Result<CaLine>& line) {
  REQUIRE_FALSE(line);
  CHECK(line.error().code == Errc::conflict);
  return line.error().message;
}

TEST_CASE("an authority goes forward step by step", "[ca][rotation]") {
  CaLine line = stable();
  CHECK(server_ca(line).number == 1);
  line = prepare_ca(line, facts(2), "b12", k_then + Seconds(1)).value();
  CHECK(line.phase == CaPhase::distributing);
  CHECK(line.signing.number == 1);
  CHECK(line.bundle_sha256 == "b12");
  CHECK_FALSE(may_sign(line, 2));
  line = activate_ca(line, {}, k_then + Seconds(2)).value();
  CHECK(line.phase == CaPhase::replacing);
  CHECK(line.signing.number == 2);
  CHECK(line.bundle_sha256 == "b12");  // nobody has to fetch or restart anything
  CHECK((may_sign(line, 1) && may_sign(line, 2)));
  CHECK(server_ca(line).number == 1);  // until the retire
  line = retire_ca(line, {}, false, "b2", k_then + Seconds(3)).value();
  CHECK(line == CaLine{CaKind::kube_client, CaPhase::stable, facts(2), std::nullopt, "b2", 2, k_then + Seconds(3)});
  CHECK_FALSE(may_sign(line, 1));
  CHECK(server_ca(line).number == 2);
}

TEST_CASE("every step can be taken back until the retire", "[ca][rotation]") {
  CaLine line = prepare_ca(stable(), facts(2), "b12", k_then).value();
  SECTION("before anything was signed") {
    line = abort_ca(line, "b1", k_then).value();
    CHECK(line.phase == CaPhase::stable);
    CHECK(line.bundle_sha256 == "b1");
    CHECK(line.last_number == 2);  // never used again
    CHECK(prepare_ca(line, facts(2), "b", k_then).error().code == Errc::internal);
  }
  SECTION("after the new one has signed, and forward again") {
    line = activate_ca(line, {}, k_then).value();
    line = abort_ca(line, "ignored", k_then).value();
    CHECK(line.phase == CaPhase::reverting);
    CHECK(line.signing.number == 1);
    CHECK(line.bundle_sha256 == "b12");  // certificates of the new one are still in use
    CHECK(server_ca(line).number == 1);
    CHECK_THAT(refusal(abort_ca(line, "", k_then)), Contains("on its way back"));
    const CaLine forward = activate_ca(line, {}, k_then).value();
    CHECK(forward.phase == CaPhase::replacing);
    CHECK(forward.signing.number == 2);
    line = retire_ca(line, {}, false, "b1", k_then).value();
    CHECK((line.phase == CaPhase::stable && line.signing.number == 1 && !line.other));
  }
}

TEST_CASE("a step out of turn is refused with what to do", "[ca][rotation]") {
  const CaLine line = stable();
  CHECK_THAT(refusal(activate_ca(line, {}, k_then)), Contains("rotate-ca kubeClient --prepare"));
  CHECK_THAT(refusal(abort_ca(line, "", k_then)), Contains("nothing to take back"));
  CHECK_THAT(refusal(retire_ca(line, {}, true, "", k_then)), Contains("nothing to retire"));
  CaFacts same = facts(2);
  same.key_id = "key1";
  CHECK_THAT(refusal(prepare_ca(line, same, "", k_then)), Contains("the key of the one in use"));
  const CaLine coming = prepare_ca(line, facts(2), "b12", k_then).value();
  CHECK_THAT(refusal(prepare_ca(coming, facts(3), "", k_then)), Contains("--abort"));
  CHECK_THAT(refusal(retire_ca(coming, {}, true, "", k_then)), Contains("--activate"));
  CHECK_THAT(refusal(activate_ca(coming, {"node-7"}, k_then)), Contains("node-7") && Contains("slipwayctl node delete"));
  const CaLine now = activate_ca(coming, {}, k_then).value();
  CHECK_THAT(refusal(activate_ca(now, {}, k_then)), Contains("signs already"));
  CHECK_THAT(refusal(retire_ca(now, {"alice"}, false, "", k_then)), Contains("alice") && Contains("--force"));
  CHECK(retire_ca(now, {"alice"}, true, "b2", k_then));
}

TEST_CASE("the bundle holds what is trusted after a step, in an order that a swap does not change", "[ca][rotation]") {
  using Numbers = std::vector<std::uint64_t>;
  const CaLine one = stable();
  const CaLine coming = prepare_ca(one, facts(2), "b", k_then).value();
  const CaLine now = activate_ca(coming, {}, k_then).value();
  const CaLine back = abort_ca(now, "b", k_then).value();
  CHECK(bundle_after(one, CaStep::prepare, 2) == Numbers{1, 2});
  CHECK(bundle_after(coming, CaStep::activate) == Numbers{1, 2});
  CHECK(bundle_after(coming, CaStep::abort) == Numbers{1});
  CHECK(bundle_after(now, CaStep::abort) == Numbers{1, 2});
  CHECK(bundle_after(now, CaStep::retire) == Numbers{2});
  CHECK(bundle_after(back, CaStep::activate) == Numbers{1, 2});
  CHECK(bundle_after(back, CaStep::retire) == Numbers{1});
}

// A cluster in which the CAs are known and two nodes live, written through the records each time.
class World {
 public:
  explicit World(const proto::ClusterSpec& spec = demo_spec()) {
    must(demo_init(spec));
    must(CreateToken{demo_token("abc123", 2)});
    for (const CaKind kind : k_ca_kinds) must(change(kind, CaStep::adopt, 1));
  }
  Outcome must(const Operation& op) {
    std::vector<Change> changes;
    const auto outcome = apply(state, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    if (!changes.empty()) REQUIRE(records.commit(changes));
    REQUIRE(records.load().value() == state);
    return *outcome;
  }
  std::string refused(const Operation& op) {
    std::vector<Change> changes;
    const State before = state;
    const auto outcome = apply(state, op, changes);
    REQUIRE_FALSE(outcome);
    CHECK(changes.empty());
    CHECK(state == before);
    return outcome.error().message;
  }
  ChangeCa change(CaKind kind, CaStep step, std::uint64_t number = 2) const {
    ChangeCa op;
    op.kind = kind;
    op.step = step;
    op.facts = facts(number);
    op.bundle_sha256 = "bundle" + std::to_string(number);
    op.now = k_start;
    return op;
  }

  State state;
  MemoryStore store;
  RecordStore records{store};
};

TEST_CASE("the state keeps where an authority's replacement is", "[ca][rotation]") {
  World world;
  CHECK_THAT(world.refused(world.change(CaKind::etcd, CaStep::adopt)), Contains("known already"));
  const std::uint64_t desired = world.state.desired_revision();
  world.must(world.change(CaKind::etcd, CaStep::prepare));
  CHECK(world.state.desired_revision() > desired);  // agents are told
  const auto cas = desired_state(world.state).cas;
  REQUIRE(cas.size() == 6);
  for (const auto& ca : cas) CHECK(ca.bundle_sha256 == (ca.kind == "etcd" ? "bundle2" : "bundle1"));
  world.must(world.change(CaKind::etcd, CaStep::activate));
  CHECK(world.state.ca(CaKind::etcd)->signing.number == 2);
  world.must(world.change(CaKind::etcd, CaStep::retire));
  CHECK(world.state.ca(CaKind::etcd)->phase == CaPhase::stable);
}

TEST_CASE("a store from before authorities could be replaced reads as with the first ones", "[ca][rotation][records]") {
  const auto token = decode_record({"s/token/abc123", R"({"id":"abc123","secretSha256":"00","role":"node","node":"","uses":0,"maxUses":1,
      "createdAt":"2026-11-22T12:00:00Z","expiresAt":"2026-11-23T12:00:00Z"})"});
  REQUIRE(token);
  CHECK(std::get<JoinToken>(*token).pinned_ca == 1);
  const auto bad = decode_record({"s/ca/etcd", R"({"kind":"etcd","phase":"replacing","signing":{"number":1,"sha256":"a","serial":"1",
      "keyId":"k","subject":"s","notBefore":"2026-11-22T12:00:00Z","notAfter":"2026-11-23T12:00:00Z"},"bundleSha256":"b","lastNumber":1,
      "changedAt":"2026-11-22T12:00:00Z"})"});
  REQUIRE_FALSE(bad);  // a phase of two authorities with one
  CHECK(bad.error().code == Errc::corrupt);
}

TEST_CASE("nodes hold the activation, their certificates and tokens the retire", "[ca][rotation]") {
  World world;
  const auto request = demo_request("node-1", 21, "k1");
  world.must(demo_admit(world.state, request, "uid-1", "t1"));
  world.must(world.change(CaKind::fabric, CaStep::prepare));
  ChangeCa activate = world.change(CaKind::fabric, CaStep::activate);
  CHECK_THAT(world.refused(activate), Contains("node-1"));
  activate.confirmed = {"somebody-else"};
  CHECK_THAT(world.refused(activate), Contains("node-1"));
  activate.confirmed = {"uid-1"};
  world.must(activate);
  ChangeCa retire = world.change(CaKind::fabric, CaStep::retire);
  const std::string why = world.refused(retire);
  CHECK_THAT(why, Contains("node node-1 (agent)") && Contains("join token"));
  retire.force = true;
  world.must(retire);
  CHECK(world.state.tokens().empty());  // what pinned the old one is gone with it
}

TEST_CASE("a certificate of an authority that was retired meanwhile is not recorded", "[ca][rotation]") {
  World world;
  IssuedCertificate certificate;
  certificate.record = {"aa", CertUsage::kubeconfig_admin, "alice", "", 0, k_start, k_start + Seconds(3600), fake_hash("s"), fake_hash("k")};
  certificate.pem = "pem";
  certificate.record.ca = 7;
  CHECK_THAT(world.refused(RecordCertificate{certificate}), Contains("try again"));
  certificate.record.ca = 1;
  world.must(RecordCertificate{certificate});
  world.must(world.change(CaKind::kube_client, CaStep::prepare));
  world.must(world.change(CaKind::kube_client, CaStep::activate));
  CHECK_THAT(world.refused(world.change(CaKind::kube_client, CaStep::retire)), Contains("alice (kubeconfigAdmin, until"));
  // Renewed from the new one, or over: then nothing holds it.
  SECTION("renewed") {
    certificate.record.serial = "bb";
    certificate.record.ca = 2;
    world.must(RecordCertificate{certificate});
    world.must(world.change(CaKind::kube_client, CaStep::retire));
  }
  SECTION("over") {
    ChangeCa later = world.change(CaKind::kube_client, CaStep::retire);
    later.now += Seconds(3600);
    world.must(later);
  }
}

TEST_CASE("a node that is being replaced holds no step, its dead identity confirms nothing", "[ca][rotation]") {
  World world;
  world.must(demo_admit(world.state, demo_request("node-1", 21, "k1"), "uid-1", "t1"));
  world.must(world.change(CaKind::kube_client, CaStep::prepare));
  CHECK_THAT(world.refused(world.change(CaKind::kube_client, CaStep::activate)), Contains("node-1"));
  world.must(ReplaceNode{"node-1", demo_token("repl00")});
  world.must(world.change(CaKind::kube_client, CaStep::activate));
  world.must(world.change(CaKind::kube_client, CaStep::retire));
}

TEST_CASE("a host that waits for approval needs the authority that its token pins", "[ca][rotation]") {
  proto::ClusterSpec spec = demo_spec();
  spec.admission = "manual";
  World world(spec);
  world.must(CreateToken{demo_token("once00")});
  world.must(QueueNode{demo_request("node-1", 21, "k1", "once00")});
  world.must(DeleteToken{"abc123"});
  world.must(world.change(CaKind::fabric, CaStep::prepare));
  world.must(world.change(CaKind::fabric, CaStep::activate));
  // The token has no uses left, but the host goes on asking with it.
  CHECK_THAT(world.refused(world.change(CaKind::fabric, CaStep::retire)), Contains("host node-1 (waits"));
  DecideNode denial;
  denial.name = "node-1";
  denial.now = k_start;
  world.must(denial);
  world.must(world.change(CaKind::fabric, CaStep::retire));
}

TEST_CASE("a host that asks again gets no certificates of an authority on its way out", "[ca][rotation]") {
  World world;
  const auto request = demo_request("node-1", 21, "k1");
  world.must(demo_admit(world.state, request, "uid-1", "t1"));
  CHECK(admit(world.state, request).result->kind == AdmissionKind::same_certificates);
  world.must(world.change(CaKind::kube_client, CaStep::prepare));
  CHECK(admit(world.state, request).result->kind == AdmissionKind::same_certificates);
  ChangeCa activate = world.change(CaKind::kube_client, CaStep::activate);
  activate.confirmed = {"uid-1"};
  world.must(activate);
  CHECK(admit(world.state, request).result->kind == AdmissionKind::new_certificates);
}

TEST_CASE("bundles of etcd and the front proxy are the masters' affair", "[ca][rotation]") {
  for (const CaKind kind : k_ca_kinds) {
    CHECK(node_trusts(NodeRole::master, kind));
    CHECK(node_trusts(NodeRole::node, kind) == (kind != CaKind::etcd && kind != CaKind::front_proxy));
  }
}

}  // namespace
}  // namespace slipway
