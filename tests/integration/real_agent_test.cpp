// The agent's own code against a whole coordinator over real TLS: waiting for approval, and coming back after a long absence.
#include <functional>
#include <set>
#include <stdexcept>
#include <thread>

#include "agent/client/http_coordinator.hpp"
#include "agent/service/desired_sync.hpp"
#include "agent/service/enroll.hpp"
#include "agent/service/renew.hpp"
#include "agent/store/file_node_store.hpp"
#include "common/async/runtime.hpp"
#include "common/core/text.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/app.hpp"
#include "proto/drain.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/config.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "tests/integration/kept_host.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::test {
namespace {

constexpr const char* k_manual_yaml = R"(
metadata: {name: demo}
admission: manual
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10], port: 7443}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16, nodeCIDRs: [10.77.0.0/16]}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

// "slipway1...": whole, as an operator hands it over.
std::string pinned_token(ClusterFixture& cluster) {
  Caller admin = cluster.admin();
  return as<proto::TokenReply>(admin.post("/v1/tokens", "{}")).token;
}

// A host: what is on its disk outlives the agent's processes.
struct Host {
  TempDir dir;
  ManualClock clock{ClusterFixture::now()};
  IoTest io;
  Workers workers{1};
  Result<std::string> token = make_error(Errc::not_found, "no token file");
  int token_reads = 0;

  EnrollSettings settings() {
    EnrollSettings made;
    made.role = "node";
    made.node_name = "web-1";
    made.token_file = "/etc/slipway/join.token";
    made.read_token = [this]() -> Result<Secret> {
      ++token_reads;
      if (!token) return token.error();
      return Secret(*token);
    };
    made.node_address = [] { return IpAddress::parse("10.77.0.21"); };
    return made;
  }
};

// One life of the agent's process.
struct Life {
  Life(Host& on, std::uint16_t port)
      : host(on),
        store(FileNodeStore::open(on.dir / "agent").value()),
        coordinator(on.io.executor(), {http::Endpoint{"127.0.0.1", port}}),
        enroller(on.settings(), deps(), 7) {}
  Enroller::Deps deps() { return {*store, *store, coordinator, host.clock, host.workers, state}; }
  Status attempt() { return host.io.run(enroller.attempt()); }

  Host& host;
  std::unique_ptr<FileNodeStore> store;
  HttpCoordinator coordinator;
  AgentState state;
  Enroller enroller;
};

// Lets the agent run, its clock going fast, until `done`.
void run_until(Host& host, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the agent did not get there in time");
    if (const auto next = host.clock.next_wake()) host.clock.advance(*next);
    host.io.poll();
    std::this_thread::yield();
  }
}

TEST_CASE("the agent waits for approval, says so, and goes on by itself", "[admission][agent]") {
  ClusterFixture cluster(k_manual_yaml);
  cluster.start();
  Host host;
  host.token = pinned_token(cluster);
  Life life(host, cluster.app->port());
  const auto running = host.io.start(life.enroller.run());
  run_until(host, [&life] { return life.state.join_state == "pending"; });
  CHECK(life.state.join_message.find("waiting for approval: slipwayctl node approve web-1 (the key") == 0);
  run_until(host, [&host] { return host.clock.sleeper_count() > 0; });
  CHECK(*host.clock.next_wake() >= std::chrono::seconds(10));  // as the coordinator's Retry-After says
  CHECK(*host.clock.next_wake() <= std::chrono::seconds(60));
  const auto key = life.store->pending_key("agent");
  REQUIRE(key);
  const std::string fingerprint = PrivateKey::from_pem(**key)->spki_sha256_hex();
  CHECK(life.state.join_message.find(fingerprint) != std::string::npos);
  Caller admin = cluster.admin();
  CHECK(as<proto::PendingNodeList>(admin.get("/v1/pending")).items.at(0).fingerprint == fingerprint);
  SECTION("approved") { cluster.approve("web-1"); }
  SECTION("denied, which it says, and approved after all") {
    REQUIRE(admin.post("/v1/nodes/web-1/deny", R"({"reason": "wrong rack"})").status == 200);
    run_until(host, [&life] { return life.state.join_state == "refused"; });
    CHECK(life.state.join_message.find("wrong rack") != std::string::npos);
    CHECK(life.state.join_message.find("token create") == std::string::npos);
    CHECK_FALSE(running->done);
    cluster.approve("web-1");
  }
  run_until(host, [&running] { return running->done; });
  CHECK(*running->value);
  CHECK(life.state.join_state.empty());
  CHECK(life.state.identity->node_name == "web-1");
  const auto answer = host.io.run(life.coordinator.sync({}));
  REQUIRE(answer);
  CHECK(answer->has_value());
}

// Puts certificates of one day, from `begin` on, in the place of those that the agent has, on both sides.
void age_certificates(ClusterFixture& cluster, Host& host, WallTime begin) {
  const auto authority = Authority::load(ca_dir(cluster.dir / "data"));
  REQUIRE(authority);
  FileSigner signer(*authority);
  auto store = FileNodeStore::open(host.dir / "agent").value();
  const auto identity = store->identity();
  REQUIRE(identity);
  auto sqlite = SqliteStore::open(state_file(cluster.dir / "data"), false);
  REQUIRE(sqlite);
  const auto state = RecordStore(**sqlite).load();
  REQUIRE(state);
  ProfileInput input;
  input.cluster = profile_cluster(state->cluster(), state->identity().id);
  input.node = {(*identity)->node_name, (*identity)->node_uid, 1, false, {*IpAddress::parse("10.77.0.21")}};
  RecordRenewal renewal{(*identity)->node_uid, 1, state->node("web-1")->certificates.find(CertUsage::agent)->hex(), {}};
  for (const CertUsage usage : usages_of_node()) {
    const std::string word(to_string(usage));
    const auto pair = store->pair(word);
    REQUIRE(pair);
    const auto key = PrivateKey::from_pem((*pair)->key_pem);
    const auto issued = signer.issue(*profile(usage, input), key->spki_der(), *Serial::from_random(random_bytes(16)), begin,
                                     begin + Seconds(86400));
    REQUIRE(issued);
    REQUIRE(store->save_pending_key(word, (*pair)->key_pem));
    REQUIRE(store->activate(word, issued->pem));
    renewal.certificates.push_back({{issued->serial_hex, usage, "web-1", (*identity)->node_uid, 1, issued->not_before,
                                     issued->not_after, issued->sha256_hex, key->spki_sha256_hex()},
                                    issued->pem});
  }
  sqlite->reset();
  cluster.change(renewal);
  Sweep sweep;  // what housekeeping did meanwhile
  sweep.maturity.now = ClusterFixture::now() + Seconds(86400);
  sweep.keep = Seconds(60);
  cluster.change(sweep);
}

TEST_CASE("a host that was off past the end of all its certificates comes back by its key, without a token",
          "[admission][agent]") {
  const std::string yaml = GENERATE(std::string(k_cluster_yaml), std::string(k_manual_yaml));
  ClusterFixture cluster(yaml, ClusterFixture::now() - Seconds(12 * 86400));
  cluster.start();
  Host host;
  host.token = pinned_token(cluster);
  NodeIdentity before;
  {
    Life life(host, cluster.app->port());
    Status joined = life.attempt();
    if (!joined && joined.error().code == Errc::pending) {
      cluster.approve("web-1");
      joined = life.attempt();
    }
    INFO((joined ? std::string() : joined.error().message));
    REQUIRE(joined);
    before = *life.state.identity;
  }
  cluster.stop();
  age_certificates(cluster, host, ClusterFixture::now() - Seconds(10 * 86400));
  cluster.start();
  host.token = make_error(Errc::not_found, "no token file");
  host.token_reads = 0;
  Life life(host, cluster.app->port());
  const auto facts = read_enrollment_facts(*life.store, *life.store);
  REQUIRE(facts);
  CHECK(*facts->agent_not_after < host.clock.wall());
  const Status back = life.attempt();
  INFO((back ? std::string() : back.error().message));
  REQUIRE(back);
  CHECK(host.token_reads == 0);
  CHECK(*life.state.identity == before);
  CHECK(host.io.run(life.coordinator.sync({}))->has_value());
  const auto lives = certificate_lives(*life.store, usages_of_role("node"));
  REQUIRE(lives);
  CHECK(lives->size() == usages_of_node().size());
  for (const auto& certificate : *lives) CHECK(certificate.not_after > host.clock.wall());
  Caller admin = cluster.admin();
  CHECK(as<proto::NodeList>(admin.get("/v1/nodes")).items.size() == 1);
}

// Every component of a node has an artifact; what is in it does not matter here.
void import_artifacts(ClusterFixture& cluster) {
  Caller admin = cluster.admin();
  const std::string content = "ELF";
  const std::string digest = sha256_hex(content);
  put_file(cluster.dir / "program", content);
  const auto uploaded =
      cluster.clients.run(admin.client.upload(request_of(http::Method::put, "/v1/blobs/" + digest), cluster.dir / "program", Millis(10'000)));
  REQUIRE(uploaded);
  REQUIRE(uploaded->status == 201);
  const std::vector<std::pair<std::string, std::string>> versions = {
      {"docker", "20.10.24"}, {"cni-plugins", "1.1.1"}, {"kubelet", "1.20.2"}, {"kube-proxy", "1.20.2"}};
  for (const auto& [name, version] : versions)
    REQUIRE(admin.post("/v1/artifacts", proto::encode(proto::Artifact{name, version, "file", digest, content.size(), ""})).status == 201);
}

TEST_CASE("an agent whose coordinator is gone for three days keeps its node, and comes back by its key though its certificates have ended",
          "[agent][away]") {
  constexpr Seconds k_days{3 * 86400};
  ClusterFixture cluster(k_cluster_yaml, ClusterFixture::now() - Seconds(12 * 86400));
  cluster.start();
  cluster.listen = "127.0.0.1:" + std::to_string(cluster.app->port());
  import_artifacts(cluster);
  Host host;
  host.token = pinned_token(cluster);
  const std::uint16_t port = cluster.app->port();
  {
    Life first(host, port);
    REQUIRE(first.attempt());
    DesiredSync sync(first.deps(), 7);
    REQUIRE(host.io.run(sync.poll_once()));
  }
  cluster.stop();
  const WallTime begin = ClusterFixture::now() - k_days - Seconds(600);
  age_certificates(cluster, host, begin);
  host.clock.set_wall(begin + Seconds(300));
  host.token = make_error(Errc::not_found, "no token file");
  host.token_reads = 0;

  Life life(host, port);
  KeptHost components({host.dir / "root", *life.store, life.coordinator, host.clock, host.workers, life.state, host.io});
  DesiredSync sync(life.deps(), 7);
  Renewer renewer("node", life.deps(), life.enroller);
  REQUIRE(host.io.run(sync.load()));
  REQUIRE(life.attempt());  // what it has is good for a day
  PassReport report = components.pass();
  INFO(join(report.problems, "; "));
  REQUIRE(report.clean());
  const auto pids = components.pids();
  REQUIRE(pids.size() >= 3);

  bool ended = false;
  while (host.clock.wall() < begin + k_days) {
    host.clock.advance(std::chrono::minutes(20));
    const Status polled = host.io.run(sync.poll_once());
    REQUIRE_FALSE(polled);
    life.state.sync_message = polled.error().message;  // as the task does: the next answer is not waited for
    const auto renewed = host.io.run(renewer.tick());
    // Somebody interferes once a day: that is repaired without a coordinator, too.
    if ((host.clock.wall() - begin) % Seconds(86400) < Seconds(1200)) components.stop("kube-proxy.service");
    report = components.pass();
    REQUIRE(report.clean());
    CHECK(report.components.size() >= 3);
    for (const auto& [name, pid] : pids) {
      if (name != "kube-proxy.service") CHECK(components.pids().at(name) == pid);
    }
    CHECK(components.pids().at("kube-proxy.service") > 0);
    ended = host.clock.wall() > begin + Seconds(86400);
    if (ended) CHECK_FALSE(renewed);
    if (ended) CHECK_FALSE(life.state.certificates_valid);
  }
  REQUIRE(ended);

  host.clock.set_wall(ClusterFixture::now());
  const auto before = components.pids();
  cluster.start();
  REQUIRE_FALSE(host.io.run(sync.poll_once()));  // its certificate has ended
  // First with the key of the renewal that nobody answered, which the coordinator might know by now; then with the one it does know.
  CHECK(host.io.run(renewer.tick()).error().code == Errc::denied);
  const auto renewed = host.io.run(renewer.tick());
  INFO((renewed ? std::string() : renewed.error().message));
  REQUIRE(renewed);
  CHECK(life.state.certificates_valid);
  REQUIRE(host.io.run(sync.poll_once()));
  report = components.pass();
  CHECK(report.clean());
  // The kubelet reads its serving certificate at its start only; nobody else notices anything.
  for (const auto& [name, pid] : before) {
    INFO(name);
    CHECK((components.pids().at(name) != pid) == (name == "kubelet.service"));
  }
  Caller admin = cluster.admin();
  CHECK(as<proto::NodeList>(admin.get("/v1/nodes")).items.size() == 1);
}

TEST_CASE("an agent whose certificates are to be rotated renews them at once, and the mark goes", "[cluster][agent][renew]") {
  ClusterFixture cluster;
  cluster.start();
  Host host;
  host.token = pinned_token(cluster);
  Life life(host, cluster.app->port());
  REQUIRE(life.attempt());
  Renewer renewer("node", life.deps(), life.enroller);
  DesiredSync sync(life.deps(), 7);
  const auto serials = [&] {
    std::set<std::string> found;
    for (const auto& certificate : certificate_lives(*life.store, usages_of_role("node")).value()) found.insert(certificate.serial);
    return found;
  };
  const std::set<std::string> before = serials();
  REQUIRE(host.io.run(sync.poll_once()));
  REQUIRE(host.io.run(renewer.tick()));
  CHECK(serials() == before);  // nothing is due
  Caller admin = cluster.admin();
  CHECK(admin.post("/v1/nodes/nobody/rotate", "").status == 404);
  http::Request outdated = request_of(http::Method::post, "/v1/nodes/web-1/rotate");
  outdated.headers.set("If-Match", "\"x\"");
  CHECK(admin.send(outdated).status == 412);
  // Certificates begin at whole seconds: asked in the very second of the join, none is older than the mark.
  const WallTime begun = certificate_lives(*life.store, usages_of_role("node")).value().at(0).not_before;
  while (as<proto::RotateReply>(admin.post("/v1/certificates/rotate", "")).renew_before <= to_rfc3339(begun)) {
  }
  const std::string mark = as<proto::NodeView>(admin.post("/v1/nodes/web-1/rotate", "")).renew_before;
  while (to_rfc3339(rotation_mark(life.state.desired, life.state.identity)) != mark) REQUIRE(host.io.run(sync.poll_once()));
  REQUIRE(host.io.run(renewer.tick()));
  const std::set<std::string> after = serials();
  CHECK(after.size() == before.size());
  for (const std::string& serial : after) CHECK(before.count(serial) == 0);
  CHECK(as<proto::NodeView>(admin.get("/v1/nodes/web-1")).renew_before.empty());
  REQUIRE(host.io.run(renewer.tick()));
  CHECK(serials() == after);  // once
}

}  // namespace
}  // namespace slipway::test
