#include "coordinator/domain/operations.hpp"

#include "coordinator/domain/audit.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "coordinator/domain/desired.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;

// A state with everything that operations do to it, checked after each: a failure changes nothing, and what was stored reads
// back as the very same state.
class Cluster {
 public:
  Cluster() {
    must(demo_init());
    must(CreateToken{demo_token()});
  }
  Outcome must(const Operation& op) {
    std::vector<Change> changes;
    const std::uint64_t before = state_.revision();
    const auto outcome = apply(state_, op, changes);
    INFO((outcome ? std::string() : outcome.error().message));
    REQUIRE(outcome);
    CHECK(outcome->changed == !changes.empty());
    CHECK(state_.revision() == before + (outcome->changed ? 1 : 0));
    CHECK(outcome->revision == state_.revision());
    if (!changes.empty()) REQUIRE(records_.commit(changes));
    const auto loaded = records_.load();
    INFO((loaded ? std::string() : loaded.error().message));
    REQUIRE(loaded);
    CHECK(*loaded == state_);
    return *outcome;
  }
  Error refused(const Operation& op) {
    std::vector<Change> changes;
    const State before = state_;
    const auto outcome = apply(state_, op, changes);
    REQUIRE_FALSE(outcome);
    CHECK(changes.empty());
    CHECK(state_ == before);
    return outcome.error();
  }
  Outcome join(const AdmissionRequest& request, const std::string& uid, const std::string& tag) {
    return must(demo_admit(state_, request, uid, tag));
  }
  const State& state() const { return state_; }
  RecordStore& records() { return records_; }
  bool stored(const std::string& key) { return store_.read(key).value().has_value(); }

 private:
  State state_;
  MemoryStore store_;
  RecordStore records_{store_};
};

TEST_CASE("a cluster is made once") {
  Cluster cluster;
  CHECK(cluster.state().has_cluster());
  CHECK(cluster.refused(demo_init()).code == Errc::conflict);
  State empty;
  std::vector<Change> changes;
  proto::ClusterSpec bad = demo_spec();
  bad.runtime = "rkt";
  CHECK(apply(empty, demo_init(bad), changes).error().code == Errc::invalid);
  for (const Operation& op : std::vector<Operation>{ApplyCluster{demo_spec()}, CreateToken{demo_token()}, PutArtifact{},
                                                     demo_admit(empty, demo_request("n1", 1, "k"), "u", "s"), RecordCertificate{}}) {
    CHECK(apply(empty, op, changes).error().code == Errc::unavailable);
  }
  CHECK(empty == State());
  CHECK(changes.empty());
}

TEST_CASE("one operation takes a token use, makes the node, its block and its certificates") {
  Cluster cluster;
  const auto request = demo_request("n1", 21, "k1");
  const Outcome outcome = cluster.join(request, "uid-1", "s1");
  REQUIRE(outcome.node);
  CHECK(outcome.node->pod_cidr.to_string() == "10.10.0.0/24");
  const State& state = cluster.state();
  CHECK(state.token("abc123")->uses == 1);
  CHECK(state.node_by_uid("uid-1") == state.node("n1"));
  CHECK(state.node_by_address(request.address) == state.node("n1"));
  CHECK(state.node_by_machine_id("machine of n1") == state.node("n1"));
  CHECK(state.certificates().size() == request.spkis.size());
  CHECK(state.current_certificate(*state.node("n1"), CertUsage::agent)->serial_hex() == fake_serial("s1-agent"));
  CHECK(*cluster.records().certificate_pem(fake_serial("s1-agent")) == "PEM of s1-agent");
  CHECK(state.desired_revision() == state.revision());
  CHECK(state.capacity().nodes == 1);
}

TEST_CASE("a retry with the same keys gets the same answer and costs nothing") {
  Cluster cluster;
  const auto request = demo_request("n1", 21, "k1");
  const Node first = *cluster.join(request, "uid-1", "s1").node;
  auto retry = request;
  retry.maturity.now += Seconds(30);
  const Outcome again = cluster.join(retry, "uid-2", "s2");
  CHECK_FALSE(again.changed);
  CHECK(*again.node == first);
  retry.token.reset();  // the token is not needed any more
  CHECK(*cluster.join(retry, "uid-2", "s2").node == first);
  CHECK(cluster.state().token("abc123")->uses == 1);
}

TEST_CASE("a known identity gets new certificates without a token: new keys, or too little life left, or another address") {
  Cluster cluster;
  const auto request = demo_request("n1", 21, "k1");
  const Node first = *cluster.join(request, "uid-1", "s1").node;
  auto later = demo_request("n1", 21, "k1", "");
  later.maturity.now += Seconds(60'000);
  const Node second = *cluster.join(later, "x", "s2").node;
  CHECK(second.uid == first.uid);
  CHECK(second.pod_cidr == first.pod_cidr);
  CHECK(*second.certificates.find(CertUsage::agent) == fake_serial("s2-agent"));
  CHECK(second.previous_agent_serial == fake_serial("s1-agent"));
  auto fresh_key = demo_request("n1", 21, "k1", "");
  fresh_key.maturity.now += Seconds(60'010);
  fresh_key.spkis[CertUsage::kubelet_client] = fake_hash("another key");
  CHECK(cluster.join(fresh_key, "x", "s3").changed);
  auto moved = demo_request("n1", 22, "k1", "");
  moved.maturity.now += Seconds(60'020);
  const std::uint64_t before = cluster.state().desired_revision();
  CHECK(cluster.join(moved, "x", "s4").node->address == moved.address);
  CHECK(cluster.state().desired_revision() > before);
  CHECK(cluster.state().node_by_address(request.address) == nullptr);
  CHECK(cluster.state().nodes().size() == 1);
}

TEST_CASE("token refusals are one text for the caller and the true reason for the log") {
  Cluster cluster;
  cluster.must(CreateToken{demo_token("master", 1, NodeRole::master)});
  auto bound = demo_token("bound1");
  bound.node = "n7";
  cluster.must(CreateToken{bound});
  cluster.join(demo_request("n1", 21, "k1"), "uid-1", "s1");
  struct Case {
    AdmissionRequest request;
    const char* reason;
  };
  auto expired = demo_request("n2", 22, "k2", "bound1");
  expired.maturity.now = k_start + Seconds(86400);
  auto wrong_secret = demo_request("n2", 22, "k2");
  wrong_secret.token->secret_sha256 = fake_hash("guess");
  for (const Case& c : std::vector<Case>{{demo_request("n2", 22, "k2"), "token used up"},
                                         {demo_request("n2", 22, "k2", "nosuch"), "token unknown"},
                                         {demo_request("n2", 22, "k2", ""), "token missing"},
                                         {demo_request("n2", 22, "k2", "bound1"), "token for another node"},
                                         {demo_request("n2", 22, "k2", "master"), "token for another role"},
                                         {expired, "token expired"},
                                         {wrong_secret, "token wrong secret"},
                                         // and who has none does not learn which names are taken
                                         {demo_request("n1", 22, "k2", "nosuch"), "token unknown"}}) {
    const AdmissionVerdict verdict = admit(cluster.state(), c.request);
    REQUIRE_FALSE(verdict.result);
    CHECK(verdict.result.error().code == Errc::denied);
    CHECK(verdict.result.error().message == k_token_refused);
    CHECK(verdict.reason == c.reason);
    const Error error = cluster.refused(demo_admit(cluster.state(), c.request, "uid-2", "s2"));
    CHECK(error.message == k_token_refused);
  }
}

TEST_CASE("a name, an address or a machine that is taken is a conflict") {
  Cluster cluster;
  cluster.must(CreateToken{demo_token("many00", 10)});
  cluster.join(demo_request("n1", 21, "k1"), "uid-1", "s1");
  const auto text = [&](const AdmissionRequest& request, Errc code) {
    const Error error = cluster.refused(demo_admit(cluster.state(), request, "uid-2", "s2"));
    CHECK(error.code == code);
    return error.message;
  };
  CHECK(text(demo_request("n1", 22, "k2", "many00"), Errc::conflict).find("n1 lives at 10.77.0.21 with another key than this host at 10.77.0.22") !=
        std::string::npos);
  CHECK(text(demo_request("n2", 21, "k2", "many00"), Errc::conflict).find("is that of the live node n1") != std::string::npos);
  auto clone = demo_request("n2", 22, "k2", "many00");
  clone.machine_id = "machine of n1";
  CHECK(text(clone, Errc::conflict).find("nodes n2 and n1 have the same machine id") != std::string::npos);
  clone.machine_id = "";
  CHECK(admit(cluster.state(), clone).result);
  for (const char* address : {"127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "10.10.0.5", "10.0.0.5", "192.168.1.1", "10.77.0.10"}) {
    auto request = demo_request("n2", 22, "k2", "many00");
    request.address = *IpAddress::parse(address);
    INFO(address);
    CHECK_FALSE(text(request, Errc::denied).empty());
  }
  for (const char* name : {"kubernetes", "localhost", "Upper", "a..b", "10.77.0.20"}) {
    INFO(name);
    CHECK_FALSE(admit(cluster.state(), demo_request(name, 22, "k2", "many00")).result);
  }
  auto incomplete = demo_request("n2", 22, "k2", "many00");
  incomplete.spkis.erase(CertUsage::kubelet_serving);
  CHECK(text(incomplete, Errc::invalid).find("kubeletServing") != std::string::npos);
  auto greedy = demo_request("n2", 22, "k2", "many00");
  greedy.spkis[CertUsage::apiserver_serving] = fake_hash("k");
  text(greedy, Errc::denied);
  auto promoted = demo_request("n1", 21, "k1", "");
  promoted.role = NodeRole::master;
  for (const CertUsage usage : usages_of_master()) promoted.spkis[usage] = fake_hash("k1" + std::string(to_string(usage)));
  CHECK(text(promoted, Errc::conflict).find("registered as a node") != std::string::npos);
}

TEST_CASE("certificates that are not for this very admission are not recorded") {
  Cluster cluster;
  const auto request = demo_request("n1", 21, "k1");
  const AdmitNode good = demo_admit(cluster.state(), request, "uid-1", "s1");
  const auto broken = [&](const std::function<void(AdmitNode&)>& change) {
    AdmitNode op = good;
    change(op);
    return cluster.refused(op).code;
  };
  CHECK(broken([](AdmitNode& op) { op.generation = 2; }) == Errc::conflict);
  CHECK(broken([](AdmitNode& op) { op.kind = AdmissionKind::new_certificates; }) == Errc::conflict);
  CHECK(broken([](AdmitNode& op) { op.uid = ""; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates.pop_back(); }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0] = op.certificates[1]; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].record.node_uid = "uid-2"; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].record.spki_sha256 = fake_hash("other"); }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].record.serial = ""; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].record.serial = "AB"; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].record.sha256 = "ab"; }) == Errc::internal);
  CHECK(broken([](AdmitNode& op) { op.certificates[0].pem = ""; }) == Errc::internal);
  cluster.must(good);
  cluster.must(CreateToken{demo_token("second")});
  CHECK(cluster.refused(demo_admit(cluster.state(), demo_request("n2", 22, "k2", "second"), "uid-2", "s1")).code == Errc::internal);
  CHECK(cluster.refused(demo_admit(cluster.state(), demo_request("n2", 22, "k2", "second"), "uid-1", "s2")).code == Errc::internal);
}

TEST_CASE("a deleted node's identity is dead and its block waits") {
  Cluster cluster;
  cluster.must(CreateToken{demo_token("many00", 10)});
  const auto request = demo_request("n1", 21, "k1");
  cluster.join(request, "uid-1", "s1");
  CHECK(cluster.state().authenticate_agent("uid-1", 1, fake_serial("s1-agent"), k_start));
  CHECK(cluster.state().authenticate_agent("uid-1", 1, fake_serial("s1-kubeletClient"), k_start).error().code == Errc::denied);
  CHECK(cluster.state().authenticate_agent("uid-1", 1, "", k_start).error().code == Errc::denied);
  CHECK(cluster.state().authenticate_agent("uid-1", 2, fake_serial("s1-agent"), k_start).error().code == Errc::gone);
  CHECK(cluster.must(DeleteNode{"n1", k_start + Seconds(200)}).node->uid == "uid-1");
  CHECK(cluster.refused(DeleteNode{"n1", k_start}).code == Errc::not_found);
  const State& state = cluster.state();
  CHECK(state.authenticate_agent("uid-1", 1, fake_serial("s1-agent"), k_start).error().code == Errc::gone);
  CHECK(state.node_by_address(request.address) == nullptr);
  CHECK(state.ledger().quarantined() == 1);
  CHECK(state.ledger().quarantine()[0].revision == state.desired_revision());
  auto back = demo_request("n1", 21, "k1", "");
  CHECK(cluster.refused(demo_admit(state, back, "uid-2", "s2")).code == Errc::gone);
  back.spkis[CertUsage::agent] = fake_hash("somebody else");
  CHECK(cluster.refused(demo_admit(state, back, "uid-2", "s2")).code == Errc::denied);
  const Node second = *cluster.join(demo_request("n1", 21, "k1", "many00"), "uid-2", "s2").node;
  CHECK(second.generation == 2);
  CHECK(second.uid == "uid-2");
  CHECK(second.pod_cidr.to_string() == "10.10.1.0/24");  // not the one in quarantine
  CHECK(state.authenticate_agent("uid-1", 1, fake_serial("s1-agent"), k_start).error().code == Errc::gone);
}

TEST_CASE("an agent's certificate that has ended opens nothing, on an open connection either") {
  Cluster cluster;
  const auto request = demo_request("n1", 21, "k1");
  cluster.join(request, "uid-1", "s1");
  const WallTime end = request.maturity.now + Seconds(86400);
  CHECK(cluster.state().authenticate_agent("uid-1", 1, fake_serial("s1-agent"), end - Seconds(1)));
  const auto late = cluster.state().authenticate_agent("uid-1", 1, fake_serial("s1-agent"), end);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::denied);
  CHECK(late.error().message.find("has ended") != std::string::npos);
  CHECK(plan_renewal(cluster.state(), "uid-1", 1, fake_serial("s1-agent"), request.spkis, end).error().code == Errc::denied);
}

TEST_CASE("a renewal keeps what the agent showed, so that lost answers lock nobody out") {
  Cluster cluster;
  cluster.join(demo_request("n1", 21, "A"), "uid-1", "sA");
  const auto renew = [&](const std::string& key, const std::string& presented) {
    const auto request = demo_request("n1", 21, key);
    return RecordRenewal{"uid-1", 1, fake_serial(presented), demo_certificates(request, "uid-1", 1, "s" + key)};
  };
  cluster.must(renew("B", "sA-agent"));  // the answer is lost
  cluster.must(renew("C", "sA-agent"));  // lost again
  const Node* node = cluster.state().node("n1");
  CHECK(node->identity == fake_hash("C" + std::string(to_string(CertUsage::agent))));
  CHECK(node->previous_identity == fake_hash("A" + std::string(to_string(CertUsage::agent))));
  CHECK(cluster.refused(renew("D", "sB-agent")).code == Errc::denied);
  cluster.must(renew("D", "sA-agent"));
  cluster.must(renew("E", "sD-agent"));
  CHECK(cluster.refused(renew("F", "sA-agent")).code == Errc::denied);
  CHECK(cluster.must(RecordRenewal{"uid-1", 1, fake_serial("sE-agent"), {}}).changed == false);
  // Proof of the previous key is proof of the node.
  const auto by_old_key = admit(cluster.state(), demo_request("n1", 21, "D", ""));
  REQUIRE(by_old_key.result);
  CHECK(by_old_key.result->kind == AdmissionKind::new_certificates);
  CHECK_FALSE(admit(cluster.state(), demo_request("n1", 21, "B", "")).result);

  const auto keys = [](const char* key) { return demo_request("n1", 21, key).spkis; };
  const auto plan = [&](const char* key) { return plan_renewal(cluster.state(), "uid-1", 1, fake_serial("sE-agent"), keys(key), k_start + Seconds(200)); };
  CHECK(plan("E")->kind == AdmissionKind::same_certificates);
  CHECK(plan("F")->kind == AdmissionKind::new_certificates);
  CHECK(plan_renewal(cluster.state(), "uid-1", 1, fake_serial("sE-agent"), {}, k_start).error().code == Errc::invalid);
  CHECK(plan_renewal(cluster.state(), "uid-1", 1, fake_serial("sE-agent"), {{CertUsage::etcd_peer, "x"}}, k_start).error().code == Errc::denied);
}

TEST_CASE("an exhausted pool refuses with the arithmetic, and quarantine gives when its time has come") {
  State state;
  std::vector<Change> changes;
  proto::ClusterSpec spec = demo_spec();
  spec.network.pod_cidr = "10.10.0.0/23";
  REQUIRE(apply(state, demo_init(spec), changes));
  REQUIRE(apply(state, CreateToken{demo_token("many00", 10)}, changes));
  const auto join = [&](const AdmissionRequest& request, const std::string& uid) {
    return apply(state, demo_admit(state, request, uid, "s" + uid), changes);
  };
  REQUIRE(join(demo_request("n1", 21, "k1", "many00"), "u1"));
  REQUIRE(join(demo_request("n2", 22, "k2", "many00"), "u2"));
  const auto full = join(demo_request("n3", 23, "k3", "many00"), "u3");
  REQUIRE_FALSE(full);
  CHECK(full.error().code == Errc::exhausted);
  CHECK(full.error().message.find("it holds 2, 2 blocks are in use") != std::string::npos);
  CHECK(state.token("many00")->uses == 2);
  REQUIRE(apply(state, DeleteNode{"n1", k_start + Seconds(100)}, changes));
  auto later = demo_request("n3", 23, "k3", "many00");
  later.maturity = {k_start + Seconds(800), Seconds(600), state.desired_revision() - 1};
  CHECK(join(later, "u3").error().code == Errc::exhausted);
  later.maturity.acknowledged = state.desired_revision();
  changes.clear();
  REQUIRE(join(later, "u3"));
  CHECK(state.node("n3")->pod_cidr.to_string() == "10.10.0.0/24");
  CHECK(state.ledger().quarantined() == 0);
  const Batch batch = to_batch(changes);
  CHECK(batch.erases == std::vector<std::string>{"s/quarantine/10.10.0.0/24"});
}

TEST_CASE("a block that is given out before its age is told of in the audit log") {
  State state;
  std::vector<Change> changes;
  proto::ClusterSpec spec = demo_spec();
  spec.network.pod_cidr = "10.10.0.0/24";
  REQUIRE(apply(state, demo_init(spec), changes));
  REQUIRE(apply(state, CreateToken{demo_token("many00", 10)}, changes));
  REQUIRE(apply(state, demo_admit(state, demo_request("n1", 21, "k1", "many00"), "u1", "s1"), changes));
  REQUIRE(apply(state, DeleteNode{"n1", k_start + Seconds(70)}, changes));
  auto request = demo_request("n2", 22, "k2", "many00");
  request.maturity = {k_start + Seconds(100), Seconds(600), state.desired_revision()};
  const Operation admission = demo_admit(state, request, "u2", "s2");
  const auto outcome = apply(state, admission, changes);
  REQUIRE(outcome);
  REQUIRE(outcome->notes.size() == 1);
  CHECK(state.ledger().quarantined() == 0);
  const auto record = audit_record(admission, *outcome, {});
  REQUIRE(record);
  CHECK(record->detail.find("10.10.0.0/24 was given out 30s after it was given back") != std::string::npos);
}

TEST_CASE("a change of the cluster must fit its nodes") {
  Cluster cluster;
  cluster.join(demo_request("n1", 21, "k1"), "uid-1", "s1");
  CHECK_FALSE(cluster.must(ApplyCluster{cluster.state().cluster().spec}).changed);
  proto::ClusterSpec spec = cluster.state().cluster().spec;
  spec.network.node_cidrs = {"10.77.1.0/24"};
  CHECK(cluster.refused(ApplyCluster{spec}).message.find("n1") != std::string::npos);
  spec = cluster.state().cluster().spec;
  spec.network.pod_cidr = "10.12.0.0/16";
  CHECK(cluster.refused(ApplyCluster{spec}).code == Errc::conflict);
  spec = cluster.state().cluster().spec;
  spec.versions.docker = "20.10.25";
  CHECK(cluster.must(ApplyCluster{spec}).changed);
  CHECK(cluster.state().desired_revision() == cluster.state().revision());
}

TEST_CASE("artifacts are facts that do not change") {
  Cluster cluster;
  const proto::Artifact kubelet{"kubelet", "1.20.2", "file", fake_hash("kubelet"), 100, "2026-01-01T00:00:00Z"};
  CHECK(cluster.must(PutArtifact{kubelet}).changed);
  CHECK_FALSE(cluster.must(PutArtifact{kubelet}).changed);
  auto other = kubelet;
  other.sha256 = fake_hash("other");
  CHECK(cluster.refused(PutArtifact{other}).code == Errc::conflict);
  for (const auto& change : std::vector<std::function<void(proto::Artifact&)>>{
           [](auto& a) { a.component = "kubectl"; }, [](auto& a) { a.version = "../../etc"; }, [](auto& a) { a.version = ""; },
           [](auto& a) { a.sha256 = "abc"; }, [](auto& a) { a.format = "zip"; }, [](auto& a) { a.version = ".."; }}) {
    auto bad = kubelet;
    change(bad);
    CHECK(cluster.refused(PutArtifact{bad}).code == Errc::invalid);
  }
  const auto components = desired_components(cluster.state());
  CHECK(components.size() == 8);
  for (const auto& component : components) {
    CHECK(component.artifact.has_value() == (component.name == "kubelet"));
    CHECK((component.role == "master") == (component.name == "etcd" || component.name.starts_with("kube-a") ||
                                           component.name.starts_with("kube-c") || component.name.starts_with("kube-s")));
  }
}

TEST_CASE("tokens are made and deleted, operators' certificates recorded") {
  Cluster cluster;
  CHECK(cluster.refused(CreateToken{demo_token()}).code == Errc::conflict);
  CHECK(cluster.refused(DeleteToken{"nosuch"}).code == Errc::not_found);
  const std::uint64_t desired = cluster.state().desired_revision();
  cluster.must(DeleteToken{"abc123"});
  CHECK(cluster.state().desired_revision() == desired);  // no agent is woken for that
  RecordCertificate admin{{{"77", CertUsage::operator_admin, "admin", "", 0, k_start, k_start + Seconds(60), fake_hash("ab"), fake_hash("cd")}, "PEM"}};
  cluster.must(admin);
  CHECK(cluster.state().certificate("77")->subject == "admin");
  CHECK(cluster.refused(admin).code == Errc::internal);
}

TEST_CASE("a person's certificates are revoked, kept until they end, and given anew") {
  Cluster cluster;
  const auto record = [&cluster](const std::string& serial, CertUsage usage, const std::string& user, std::int64_t end) {
    cluster.must(RecordCertificate{{{serial, usage, user, "", 0, k_start, k_start + Seconds(end), fake_hash("c" + serial), fake_hash("k" + serial)}, "PEM"}});
  };
  record("a1", CertUsage::operator_viewer, "vera", 3600);
  record("a2", CertUsage::kubeconfig_admin, "vera", 7200);
  record("a3", CertUsage::operator_viewer, "vera", 10);
  record("b1", CertUsage::operator_admin, "other", 3600);
  const WallTime now = k_start + Seconds(60);
  CHECK(cluster.state().authenticate_operator("vera", "a1", now));
  cluster.must(RevokeOperator{"vera", now});
  const State& state = cluster.state();
  CHECK(state.authenticate_operator("vera", "a1", now).error().code == Errc::denied);
  CHECK(state.authenticate_operator("other", "b1", now));
  for (const char* serial : {"a1", "a2"}) CHECK(state.revoked_at(*state.certificate(serial)) == now);
  CHECK_FALSE(state.revoked_at(*state.certificate("a3")));  // had ended by itself
  CHECK_FALSE(state.revoked_at(*state.certificate("b1")));
  CHECK(cluster.refused(RevokeOperator{"vera", now + Seconds(1)}).code == Errc::not_found);
  record("a4", CertUsage::operator_viewer, "vera", 3600);
  CHECK(state.authenticate_operator("vera", "a4", now));
  CHECK(cluster.must(Sweep{{k_start + Seconds(7300), Seconds(600), 0}, Seconds(0)}).changed);
  CHECK_FALSE(state.certificate("a2"));
  for (const char* key : {"s/revocation/a1", "s/revocation/a2"}) CHECK_FALSE(cluster.stored(key));
}

TEST_CASE("the clock's floor outlives the certificate that it was learned from") {
  Cluster cluster;
  const WallTime ahead = k_start + Seconds(3600);
  cluster.must(RecordCertificate{{{"a1", CertUsage::operator_admin, "admin", "", 0, ahead, ahead + Seconds(60), fake_hash("c"), fake_hash("k")}, "PEM"}});
  CHECK(cluster.state().clock_floor() == ahead);
  CHECK(cluster.must(Sweep{{ahead + Seconds(61), Seconds(600), 0}, Seconds(0)}).changed);
  CHECK(cluster.state().certificates().empty());
  CHECK(cluster.state().clock_floor() == ahead);
  CHECK(cluster.records().load()->clock_floor() == ahead);
}

TEST_CASE("sweeping forgets what is long over and nothing else") {
  Cluster cluster;
  cluster.must(CreateToken{demo_token("many00", 10)});
  cluster.join(demo_request("n1", 21, "k1", "many00"), "uid-1", "s1");
  cluster.join(demo_request("n2", 22, "k2", "many00"), "uid-2", "s2");
  cluster.must(RecordRenewal{"uid-1", 1, fake_serial("s1-agent"), demo_certificates(demo_request("n1", 21, "new"), "uid-1", 1, "s3")});
  cluster.must(DeleteNode{"n2", k_start + Seconds(200)});
  const auto sweep = [](std::int64_t after, std::uint64_t acknowledged) {
    return Sweep{{k_start + Seconds(after), Seconds(600), acknowledged}, Seconds(86400)};
  };
  CHECK_FALSE(cluster.must(sweep(1000, 0)).changed);
  CHECK(cluster.must(sweep(1000, cluster.state().revision())).changed);
  CHECK(cluster.state().ledger().quarantined() == 0);
  CHECK(cluster.state().tokens().size() == 2);
  CHECK(cluster.must(sweep(3 * 86400, 0)).changed);
  CHECK(cluster.state().tokens().empty());
  // The live node's current ones stay although they are expired: it may come back by proof of its key.
  CHECK(cluster.state().certificates().size() == usages_of_node().size());
  CHECK(cluster.state().certificate(fake_serial("s3-agent")));
  CHECK_FALSE(cluster.records().certificate_pem(fake_serial("s1-agent")));
  CHECK(cluster.records().certificate_pem(fake_serial("s3-agent")));
}

TEST_CASE("contradicting records are found at load") {
  Cluster cluster;
  cluster.must(CreateToken{demo_token("many00", 10)});
  cluster.join(demo_request("n1", 21, "k1", "many00"), "uid-1", "s1");
  const Node node = *cluster.state().node("n1");
  const auto load = [&](std::vector<Record> more) {
    more.insert(more.begin(), {Record(cluster.state().cluster().spec), Record(node)});
    const auto state = State::from_records(more);
    REQUIRE_FALSE(state);
    CHECK(state.error().code == Errc::corrupt);
    return state.error().message;
  };
  Node other = node;
  other.name = "n2";
  CHECK(load({other}).find("n1 and n2") != std::string::npos);
  other.uid = "uid-2";
  other.address = IpAddress::v4(0x0a4d0063);
  CHECK(load({other}).find("10.10.0.0/24") != std::string::npos);
  CHECK(load({QuarantinedBlock{node.pod_cidr, {"old", 1}, k_start, 1, 1}}).find("10.10.0.0/24") != std::string::npos);
  CHECK(State::from_records({Record(node)}).error().code == Errc::corrupt);
}

}  // namespace
}  // namespace slipway
