// A live node with another address: the operation, and what refuses it.
#include <catch2/catch.hpp>

#include "coordinator/domain/audit.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;

IpAddress at(const std::string& text) {
  return IpAddress::parse(text).value();
}

struct Cluster {
  explicit Cluster(const std::string& address_change = "follow") {
    proto::ClusterSpec spec = demo_spec();
    spec.network.address_change = address_change;
    must(demo_init(spec));
    must(CreateToken{demo_token("abc123", 9)});
    for (int i = 1; i <= 2; ++i) {
      const std::string name = "n" + std::to_string(i);
      must(demo_admit(state, demo_request(name, 10 + i, "key" + name), "uid-" + name, "s" + name));
    }
  }
  Outcome must(const Operation& op) {
    changes.clear();
    const auto outcome = apply(state, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    return *outcome;
  }
  // n1 asks to be at `address`, with a serving certificate that says `named`.
  RecordRenewal move(const std::string& address, const std::string& named,
                     const std::string& tag = "moved") const {
    RecordRenewal op{"uid-n1",
                     1,
                     state.node("n1")->certificates.find(CertUsage::agent)->hex(),
                     {},
                     k_start + Seconds(200)};
    for (IssuedCertificate& issued : demo_certificates(demo_request("n1", 11, tag), "uid-n1", 1, tag)) {
      if (issued.record.usage != CertUsage::kubelet_serving) continue;
      issued.names = {"n1", named};
      op.certificates.push_back(issued);
    }
    if (!address.empty()) op.address = at(address);
    return op;
  }
  Error refusal(const Operation& op) {
    changes.clear();
    const State before = state;
    const auto outcome = apply(state, op, changes);
    REQUIRE_FALSE(outcome);
    CHECK(state == before);
    CHECK(changes.empty());
    return outcome.error();
  }
  Result<Admission> plan(const std::string& address, bool with_serving = true) const {
    const Node& node = *state.node("n1");
    std::map<CertUsage, std::string> spkis = {{CertUsage::agent, fake_hash("new")}};
    if (with_serving) spkis[CertUsage::kubelet_serving] = fake_hash("new serving");
    return plan_renewal(state, node.uid, node.generation, node.certificates.find(CertUsage::agent)->hex(),
                        spkis, k_start + Seconds(200), at(address));
  }

  State state;
  std::vector<Change> changes;
};

TEST_CASE("a move changes address and serving certificate in one, and nothing else", "[nodes][move]") {
  Cluster c;
  const Node before = *c.state.node("n1");
  const std::uint64_t desired = c.state.desired_revision();
  const RecordRenewal op = c.move("10.77.0.31", "10.77.0.31");
  const Outcome moved = c.must(op);
  const Node& after = *c.state.node("n1");
  CHECK(after.address == at("10.77.0.31"));
  CHECK(after.pod_cidr == before.pod_cidr);
  CHECK(after.generation == before.generation);
  CHECK(after.uid == before.uid);
  CHECK(after.identity == before.identity);
  // The old serving certificate is not the node's any more; the others are.
  CHECK(after.certificates.find(CertUsage::kubelet_serving)->hex() == op.certificates.front().record.serial);
  for (const CertUsage usage : {CertUsage::agent, CertUsage::kubelet_client, CertUsage::kube_proxy}) {
    CHECK(*after.certificates.find(usage) == *before.certificates.find(usage));
  }
  CHECK(c.state.desired_revision() > desired);  // peers route elsewhere
  for (const proto::PeerNode& peer : desired_state(c.state).nodes) {
    if (peer.name == "n1") CHECK(peer.address == "10.77.0.31");
  }
  CHECK(c.state.node_by_address(at("10.77.0.31")) == &after);
  CHECK(c.state.node_by_address(at("10.77.0.11")) == nullptr);
  CHECK(std::get<Node>(*decode_record(encode_record(after))) == after);
  const auto record = audit_record(op, moved, {"agent", "n1", "", "10.77.0.31"});
  REQUIRE(record);
  CHECK(record->action == "node.move");
  CHECK(record->detail.find("address 10.77.0.31") != std::string::npos);
  CHECK(record->detail.find("was at 10.77.0.11") != std::string::npos);
  CHECK(record->certificates.size() == 1);
}

TEST_CASE("where a node may not be it does not move", "[nodes][move]") {
  Cluster c;
  struct Case {
    std::string address;
    Errc code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {"10.77.0.12", Errc::conflict, "n2"},       {"10.88.0.1", Errc::denied, "nodeCIDRs"},
      {"10.10.3.3", Errc::denied, "pod range"},   {"10.0.0.9", Errc::denied, "service range"},
      {"10.77.0.10", Errc::denied, "API server"}, {"127.0.0.1", Errc::denied, "loopback"}};
  for (const Case& one : cases) {
    INFO(one.address);
    const auto plan = c.plan(one.address);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == one.code);
    CHECK(plan.error().message.find(one.says) != std::string::npos);
    CHECK(plan.error().pointer == "/address");
    CHECK(c.refusal(c.move(one.address, one.address)).code == one.code);
  }
}

TEST_CASE("an address that a waiting host has is taken", "[nodes][move]") {
  Cluster c;
  proto::ClusterSpec manual = c.state.cluster().spec;
  manual.admission = "manual";
  c.must(ApplyCluster{manual});
  c.must(QueueNode{demo_request("n9", 39, "keyn9")});
  CHECK(c.plan("10.77.0.39").error().code == Errc::conflict);
  CHECK(c.plan("10.77.0.40"));
}

TEST_CASE("the address stands in the serving certificate, so that is asked for with it", "[nodes][move]") {
  Cluster c;
  CHECK(c.plan("10.77.0.31", false).error().pointer == "/csrs/kubeletServing");
  CHECK(c.plan("10.77.0.31")->kind == AdmissionKind::new_certificates);
  CHECK(c.plan("10.77.0.11", false));  // where it is already
  RecordRenewal without = c.move("10.77.0.31", "10.77.0.31");
  without.certificates.clear();
  CHECK(c.refusal(without).code == Errc::internal);
}

TEST_CASE("a certificate for an address that is not the node's any more is not recorded", "[nodes][move]") {
  Cluster c;
  c.must(c.move("10.77.0.31", "10.77.0.31"));
  // A renewal that was signed before the move.
  const Error late = c.refusal(c.move("", "10.77.0.11", "late"));
  CHECK(late.code == Errc::conflict);
  CHECK(late.cause == Cause::raced);
  c.must(c.move("", "10.77.0.31", "now"));
}

TEST_CASE("masters stay, and where the operator says so all nodes do", "[nodes][move]") {
  Cluster strict("refuse");
  const auto refused = strict.plan("10.77.0.31");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  CHECK(refused.error().message.find("slipwayctl node replace n1") != std::string::npos);
  CHECK(strict.plan("10.77.0.11"));
  // The same for a host that comes back by its identity key.
  AdmissionRequest back = demo_request("n1", 31, "keyn1");
  const AdmissionVerdict verdict = admit(strict.state, back);
  REQUIRE_FALSE(verdict.result);
  CHECK(verdict.result.error().code == Errc::denied);
  CHECK_FALSE(verdict.cure.empty());

  Cluster c;
  Node master = *c.state.node("n1");
  master.role = NodeRole::master;
  const Status stays = check_move(c.state, master, at("10.77.0.31"));
  REQUIRE_FALSE(stays);
  CHECK(stays.error().message.find("static") != std::string::npos);
  CHECK(check_move(c.state, master, master.address));
}

TEST_CASE("what to do about moves is one of two words", "[nodes][move]") {
  proto::ClusterSpec spec = demo_spec();
  spec.network.address_change = "maybe";
  const auto bad = validate(spec);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find("addressChange") != std::string::npos);
}

}  // namespace
}  // namespace slipway
