// Every route of the real API over a store that takes nothing any more, and over a port that throws: whatever fails below it, an operation
// answers 503 or 500 with a problem document, and nothing is acknowledged.
#include <map>
#include <set>
#include <stdexcept>

#include "common/core/text.hpp"
#include "common/crypto/ed25519.hpp"
#include "proto/artifact_manifest.hpp"
#include "common/async/runtime.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/api/api.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/file_ca_keys.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/config.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "proto/problem.hpp"
#include "proto/routes.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_audit_log.hpp"
#include "tests/support/pki.hpp"

namespace slipway::test {
namespace {

namespace asio = boost::asio;

constexpr const char* k_manual_yaml = R"(
metadata: {name: demo}
admission: manual
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10], port: 7443}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16, nodeCIDRs: [10.77.0.0/16]}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

// Reads what there is; what is written does not arrive.
class FullStore final : public Store {
 public:
  explicit FullStore(Store& inner) : inner_(inner) {}
  Result<std::vector<KeyValue>> load(std::string_view prefix) override { return inner_.load(prefix); }
  Result<std::optional<std::string>> read(std::string_view key) override { return inner_.read(key); }
  Status commit(const Batch&) override { return make_error(Errc::internal, "committing to the store: planted failure"); }

 private:
  Store& inner_;
};

// Stands for any fault in our own code that no Result tells of.
class ThrowingClock final : public Clock {
 public:
  bool throws = false;
  WallTime wall() const override { return give(clock_.wall()); }
  SteadyTime steady() const override { return give(clock_.steady()); }
  asio::awaitable<Status> sleep_until(SteadyTime when) override { return clock_.sleep_until(when); }

 private:
  template <class T>
  T give(T time) const {
    if (throws) throw std::runtime_error("a planted fault");
    return time;
  }
  ManualClock clock_{ClusterFixture::now()};
};

// Who asks, as the TLS layer tells it.
http::Peer peer_of(const std::string& certificate_pem) {
  http::Peer peer;
  peer.address = IpAddress::parse("127.0.0.1").value();
  if (!certificate_pem.empty()) peer.certificate = std::make_shared<const std::string>(der_of(certificate_pem));
  return peer;
}

struct Ask {
  std::string certificate;  // PEM; empty: anonymous
  http::Method method = http::Method::get;
  std::string target;
  std::string body = {};
};

// A cluster with one of everything that can be changed, and a request for every operation.
struct RichCluster {
  RichCluster();

  ClusterFixture cluster{k_manual_yaml};
  std::map<std::string, Ask> asks;  // by operation
};

RichCluster::RichCluster() {
  cluster.start();
  Caller admin = cluster.admin();
  Caller anonymous = cluster.anonymous();
  SimulatedAgent node("node-1", 11, NodeRole::master);
  const std::string token = cluster.new_token(1, "master");
  REQUIRE(anonymous.send(node.join_message(token)).status == 202);
  cluster.approve("node-1");
  node.accept(anonymous.send(node.join_message(token)));
  const std::string open_token = cluster.new_token(9);
  const SimulatedAgent waiting = SimulatedAgent("web-1", 12);
  REQUIRE(anonymous.send(waiting.join_message(open_token)).status == 202);
  const std::string csr = make_csr(*PrivateKey::generate_p256()).value();
  REQUIRE(admin.post("/v1/operators", proto::encode(proto::OperatorRequest{csr, "vera", "viewer"})).status == 201);
  REQUIRE(admin.post("/v1/pools", R"({"name": "blue", "ranges": ["10.20.0.0/16"]})").status == 201);
  REQUIRE(admin.post("/v1/pools/default/reservations", R"({"block": "10.10.1.0/24"})").status == 201);
  const std::string blob = "tool\n";
  const std::string digest = sha256_hex(blob);
  REQUIRE(admin.put("/v1/blobs/" + digest, blob).status == 201);
  REQUIRE(admin.post("/v1/artifacts", proto::encode(proto::Artifact{"kubelet", "1.20.2", "file", digest, blob.size(), ""})).status == 201);
  REQUIRE(admin.post("/v1/artifacts", proto::encode(proto::Artifact{"kubelet", "1.19.1", "file", digest, blob.size(), ""})).status == 201);
  const auto signer = make_ed25519_pair();
  auto view = as<proto::ClusterView>(admin.get("/v1/cluster"));
  view.spec.artifacts.signers = {to_base64(signer->public_key)};
  REQUIRE(admin.put("/v1/cluster", proto::encode(view.spec)).status == 200);
  const auto signed_text = [&signer](std::uint64_t number) {
    const std::string text = proto::manifest_text({number, WallTime(Seconds(4'000'000'000)), {}, 1, {}});
    return proto::encode(proto::ManifestUpload{*proto::add_signature(text, {to_base64(signer->public_key), *ed25519_sign(signer->seed, text)})});
  };
  REQUIRE(admin.put("/v1/artifact-manifest", signed_text(1)).status == 200);
  view.spec.certificates.renew_at = 0.5;
  node.new_keys();
  cluster.stop();

  using enum http::Method;
  const std::string person = cluster.admin_cluster.client_certificate;
  const std::string agent = node.certificates.at("agent");
  for (const proto::Route& route : proto::routes()) {
    if (route.method != "GET") continue;
    const bool of_agent = route.role == proto::Role::agent || route.role == proto::Role::artifact;
    const std::string who = route.role == proto::Role::none ? "" : of_agent ? agent : person;
    asks[std::string(route.operation)] = {who, get, std::string(route.path)};
  }
  asks["getNode"].target = "/v1/nodes/node-1";
  asks["getNodeConfig"].target = "/v1/nodes/node-1/config";
  asks["setNodeConfig"] = {person, put, "/v1/nodes/node-1/config", R"({"labels": {"a": "b"}})"};
  asks["requestRestart"] = {agent, post, "/v1/agent/restart-permit", "{}"};
  asks["startNetworkProbe"] = {person, post, "/v1/network/probe"};
  asks["offerProbe"] = {agent, post, "/v1/agent/network-probe", R"({"probe": "0123456789abcdef"})"};
  asks["reportProbe"] = {agent, post, "/v1/agent/network-probe/report",
                         R"({"probe": "0123456789abcdef", "pings": 0})"};
  asks["getCa"].target = "/v1/cas/etcd";
  asks["listPoolNodes"].target = "/v1/pools/blue/nodes";
  asks["getPool"].target = "/v1/pools/blue";
  asks["getArtifactContent"].target = "/v1/artifacts/" + digest + "/content";
  asks["joinNode"] = {"", post, "/v1/join", proto::encode(SimulatedAgent("web-2", 13).join_request(open_token))};
  asks["reportStatus"] = {agent, post, "/v1/agent/status", proto::encode(proto::NodeStatusReport{})};
  asks["renewCertificates"] = {agent, post, "/v1/agent/certificates", proto::encode(proto::RenewRequest{node.csrs})};
  asks["applyCluster"] = {person, put, "/v1/cluster", proto::encode(view.spec)};
  asks["planCluster"] = {person, post, "/v1/cluster/plan", proto::encode(view.spec)};
  asks["cordonNode"] = {person, post, "/v1/nodes/node-1/cordon"};
  asks["uncordonNode"] = {person, post, "/v1/nodes/node-1/uncordon"};
  asks["drainNode"] = {person, post, "/v1/nodes/node-1/drain", R"({"force": true})"};
  asks["rotateNode"] = {person, post, "/v1/nodes/node-1/rotate"};
  asks["rotateCertificates"] = {person, post, "/v1/certificates/rotate"};
  asks["createKubeconfig"] = {person, post, "/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{csr, "alice"})};
  asks["deleteNode"] = {person, del, "/v1/nodes/node-1"};
  asks["approveNode"] = {person, post, "/v1/nodes/web-1/approve", "{}"};
  asks["denyNode"] = {person, post, "/v1/nodes/web-1/deny", "{}"};
  asks["replaceNode"] = {person, post, "/v1/nodes/node-1/replace", "{}"};
  asks["createToken"] = {person, post, "/v1/tokens", "{}"};
  asks["deleteToken"] = {person, del, "/v1/tokens/" + open_token.substr(0, open_token.find('.'))};
  asks["createPool"] = {person, post, "/v1/pools", R"({"name": "green", "ranges": ["10.30.0.0/16"]})"};
  asks["deletePool"] = {person, del, "/v1/pools/blue"};
  asks["growPool"] = {person, post, "/v1/pools/blue/grow", R"({"ranges": ["10.40.0.0/16"]})"};
  asks["drainPool"] = {person, post, "/v1/pools/blue/drain", "{}"};
  asks["createReservation"] = {person, post, "/v1/pools/blue/reservations", R"({"block": "10.20.3.0/24"})"};
  asks["deleteReservation"] = {person, del, "/v1/pools/default/reservations/10.10.1.0-24"};
  asks["uploadBlob"] = {person, put, "/v1/blobs/" + digest};
  asks["registerArtifact"] = {person, post, "/v1/artifacts", proto::encode(proto::Artifact{"kubelet", "1.20.3", "file", digest, blob.size(), ""})};
  asks["deleteArtifact"] = {person, del, "/v1/artifacts/kubelet/1.19.1"};
  asks["collectBlobs"] = {person, post, "/v1/artifacts/collect", "{}"};
  asks["putArtifactManifest"] = {person, put, "/v1/artifact-manifest", signed_text(2)};
  asks["createOperator"] = {person, post, "/v1/operators", proto::encode(proto::OperatorRequest{csr, "rolf", "viewer"})};
  asks["revokeOperator"] = {person, del, "/v1/operators/vera"};
  asks["changeCa"] = {person, post, "/v1/cas/etcd", R"({"action": "prepare"})"};
}

// The services and the API as App puts them together, over the store that a cluster left, with failures below.
struct LameCoordinator {
  explicit LameCoordinator(const ClusterFixture& cluster);
  int answer(const Ask& ask);

  const std::string dir;
  ThrowingClock clock;  // outlives the feed's rest, which ends with the reactor
  IoTest io;
  std::unique_ptr<SqliteStore> sqlite;
  FullStore full{*sqlite};
  RecordStore records{full};
  State state;
  Authority authority;
  FileSigner signer{authority};
  FileCaKeys ca_keys{ca_dir(dir), import_dir(dir), std::nullopt, authority, signer};
  Workers workers{1};
  MemoryAuditLog audit;
  Registrar registrar{state, {io.executor(), workers, records, {}, &audit, &clock}};
  AuditTrail trail{io.executor(), registrar, {1'000'000, 1'000'000, 100}};
  NodeStatusBoard board{clock};
  Enrollment enrollment{{io.executor(), registrar, board, signer, records, workers, clock, random_bytes, random_uuid,
                         ClusterFixture::wide_limits(), Seconds(600), &trail}};
  CaRotation cas{{io.executor(), registrar, board, ca_keys, workers, clock, [](CaKind) { return done(); }}};
  std::unique_ptr<api::Api> api;

 private:
  static asio::awaitable<Status> done() { co_return Status{}; }
  template <class T>
  static T take(Result<T> result) {
    if (!result) FAIL(result.error().message);
    return std::move(*result);
  }
};

LameCoordinator::LameCoordinator(const ClusterFixture& cluster)
    : dir(cluster.dir / "data"),
      sqlite(take(SqliteStore::open(state_file(dir), false))),
      state(take(records.load())),
      authority(take(Authority::load(ca_dir(dir), {nullptr, state.cas()}))) {
  api::ApiDeps deps{io.executor(), registrar,        board, enrollment,
                    signer,        records,          workers, clock,
                    take(api::BlobStore::open(dir)), state.identity().id, cas,   take(authority.service_account_key().to_pem()),
                    random_bytes,  [](const Node&) {}, [] { return api::KubeState{true, "not looked at", {}}; }, [] { return std::size_t{1}; }};
  deps.audit = &audit;
  deps.trail = &trail;
  api = take(api::Api::make(std::move(deps)));
}

int LameCoordinator::answer(const Ask& ask) {
  http::Request request = request_of(ask.method, ask.target, ask.body);
  request.path = ask.target;
  request.peer = peer_of(ask.certificate);
  const http::Handler handler = api->handler();
  http::Admission admission = handler.admit(request);
  http::Response response;
  try {
    response = admission.refuse ? *admission.refuse : io.run(handler.handle(request));
  } catch (const std::exception&) {
    response.status = 500;  // the server's own answer then: http_server_test shows it
    response.body = proto::encode(proto::to_problem(make_error(Errc::internal, "unexpected fault")));
  }
  INFO(ask.target << ": " << response.body);
  check_declared(http::to_string(ask.method), ask.target, response.status);
  if (response.status >= 500) CHECK(as<proto::Problem>(response).status == static_cast<std::uint64_t>(response.status));
  return response.status;
}

TEST_CASE("every operation that writes answers 503 when the store takes nothing", "[api][failure]") {
  RichCluster rich;
  for (const proto::Route& route : proto::routes()) {
    // A blob is content beside the store, a status report, leave to restart and probes of the network are not
    // kept in it, a plan changes nothing.
    const std::set<std::string_view> beside_it = {"uploadBlob",   "reportStatus",   "planCluster",
                                                  "collectBlobs", "requestRestart", "startNetworkProbe",
                                                  "offerProbe",   "reportProbe"};
    const bool beside = beside_it.count(route.operation) != 0;
    if (route.method == "GET" || beside) continue;
    INFO(route.operation);
    LameCoordinator coordinator(rich.cluster);
    CHECK(coordinator.answer(rich.asks.at(std::string(route.operation))) == 503);
  }
}

TEST_CASE("nothing that rests on a lost change is told", "[api][failure]") {
  RichCluster rich;
  LameCoordinator coordinator(rich.cluster);
  REQUIRE(coordinator.answer(rich.asks.at("createToken")) == 503);
  std::set<std::string> still_answered;
  for (const auto& [operation, ask] : rich.asks) {
    if (coordinator.answer(ask) != 503) still_answered.insert(operation);
  }
  // Files, the program itself, the audit log.
  CHECK(still_answered == std::set<std::string>{"getArtifactContent", "getCaCertificates", "getHealth", "getLivez", "getOpenApi", "getVersion", "listAudit",
                                                "verifyAudit"});
}

TEST_CASE("a fault of our own below any operation is a 500", "[api][failure]") {
  RichCluster rich;
  LameCoordinator coordinator(rich.cluster);
  coordinator.clock.throws = true;
  std::set<std::string> untouched;
  for (const auto& [operation, ask] : rich.asks) {
    if (coordinator.answer(ask) != 500) untouched.insert(operation);
  }
  // They ask no clock.
  CHECK(untouched == std::set<std::string>{"getCaCertificates", "getLivez", "getOpenApi", "getReadyz", "getVersion"});
}

}  // namespace
}  // namespace slipway::test
