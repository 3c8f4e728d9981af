// What a coordinator does for the agents that have joined, over real TLS.
#include <filesystem>
#include <optional>

#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/pki.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

using http::Method;

TEST_CASE("a waiting agent is woken by a change and by nothing else", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const std::string have = sync_behind(published_with(caller, 1));
  CHECK(caller.get(have + "&wait=0").status == 204);
  CHECK(caller.get("/v1/agent/sync?epoch=other&revision=999&wait=60").status == 200);
  CHECK(caller.get(have + "&wait=61").status == 400);
  CHECK(caller.get(have + "&wait=soon").status == 400);

  std::vector<std::unique_ptr<Caller>> waiting;
  std::vector<http::Response> woken;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(std::make_unique<Caller>(agent.caller(cluster)));
    cluster.clients.start(
        waiting.back()->client.send(request_of(Method::get, have + "&wait=60"), std::chrono::seconds(70)),
        [&woken](Result<http::Response> reply) {
          REQUIRE(reply);
          woken.push_back(std::move(*reply));
        });
  }
  // Others are served meanwhile, and a token is nothing that agents see.
  cluster.new_token();
  CHECK(woken.empty());
  joined(cluster, "node-2", 12);
  cluster.clients.run_until([&woken] { return woken.size() == 20; });
  for (const auto& response : woken) {
    CHECK(response.status == 200);
    CHECK(response.body == woken.front().body);
  }
  CHECK(as<proto::DesiredState>(woken.front()).nodes.size() == 2);
}

TEST_CASE("a removed node is refused at its next request and its open ones are cut", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller waiting = agent.caller(cluster);
  const std::string have = sync_behind(published_with(waiting, 1));
  std::optional<Result<http::Response>> ended;
  cluster.clients.start(
      waiting.client.send(request_of(Method::get, have + "&wait=60"),
                          std::chrono::seconds(70)),
      [&ended](Result<http::Response> reply) { ended = std::move(reply); });
  Caller admin = cluster.admin();
  CHECK(admin.remove("/v1/nodes/node-1").status == 204);
  CHECK(admin.remove("/v1/nodes/node-1").status == 404);
  cluster.clients.run_until([&ended] { return ended.has_value(); });
  // Cut, or told 410 in the moment before.
  CHECK((!*ended || (**ended).status == 410));
  Caller again = agent.caller(cluster);
  for (const char* target : {"/v1/agent/sync", "/v1/agent/secrets"}) CHECK(again.get(target).status == 410);
  CHECK(again.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{agent.csrs})).status == 410);
  CHECK(again.get("/v1/artifacts/" + std::string(64, 'a') + "/content").status == 410);
  Caller anonymous = cluster.anonymous();
  const auto rejoin = anonymous.send(agent.join_message(""));
  CHECK((rejoin.status == 403 || rejoin.status == 410));
  // The name comes back with a new registration, the old certificate does not.
  SimulatedAgent fresh = joined(cluster, "node-1", 12);
  CHECK(fresh.reply.generation == 2);
  CHECK(fresh.reply.pod_cidr != agent.reply.pod_cidr);  // the old block rests
  Caller old = agent.caller(cluster);
  CHECK(old.get("/v1/agent/sync").status == 410);
}

TEST_CASE("certificates are renewed for new keys", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller before = agent.caller(cluster);
  const std::string old_serial = Certificate::from_pem(agent.certificates.at("agent"))->serial_hex();
  agent.new_keys();
  const auto renewed = as<proto::RenewReply>(
      before.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{agent.csrs})));
  agent.certificates = renewed.certificates;
  CHECK(renewed.certificates.size() == 4);
  CHECK(Certificate::from_pem(agent.certificates.at("agent"))->serial_hex() != old_serial);
  Caller after = agent.caller(cluster);
  CHECK(after.get("/v1/agent/sync").status == 200);
  proto::RenewRequest bad{
      {{"agent", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}}};
  const auto refused = after.post("/v1/agent/certificates", proto::encode(bad));
  CHECK(refused.status == 400);
  CHECK(refused.body.find("agent") != std::string::npos);
}

TEST_CASE("secrets of masters are for masters", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent node = joined(cluster, "node-1", 11);
  SimulatedAgent master = joined(cluster, "master-1", 10, NodeRole::master);
  CHECK(node.caller(cluster).get("/v1/agent/secrets").status == 403);
  const auto response = master.caller(cluster).get("/v1/agent/secrets");
  CHECK(response.status == 200);
  REQUIRE(response.headers.find("Cache-Control") != nullptr);
  const auto key = PrivateKey::from_pem(Secret(as<proto::MasterSecrets>(response).service_account_key));
  REQUIRE(key);
  CHECK(key->type() == KeyType::rsa);
}

TEST_CASE("a node's report is what operators see", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  proto::NodeStatusReport report;
  report.phase = "Running";
  report.applied_revision = 3;
  report.components = {{"kubelet", "1.20.2", "running", 1, 42, ""}};
  CHECK(agent.caller(cluster).post("/v1/agent/status", proto::encode(report)).status == 204);
  const auto view = as<proto::NodeView>(cluster.admin().get("/v1/nodes/node-1"));
  CHECK(view.phase == "Running");
  CHECK(view.components.at(0).pid == 42);
  CHECK_FALSE(view.last_contact.empty());
  const auto health = as<proto::HealthReport>(cluster.admin().get("/v1/health"));
  CHECK_FALSE(health.ok);  // nothing was imported
  CHECK(cluster.admin().get("/metrics").body.find("slipway_nodes{phase=\"Running\"} 1") != std::string::npos);
  // The same again, something new, and what is no report: each is taken for what it is.
  CHECK(agent.caller(cluster).post("/v1/agent/status", proto::encode(report)).status == 204);
  report.components[0].pid = 43;
  CHECK(agent.caller(cluster).post("/v1/agent/status", proto::encode(report)).status == 204);
  CHECK(as<proto::NodeView>(cluster.admin().get("/v1/nodes/node-1")).components.at(0).pid == 43);
  CHECK(agent.caller(cluster).post("/v1/agent/status", "{\"phase\":7}").status == 400);
}

TEST_CASE("content is taken by digest and given in parts", "[cluster][artifacts]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string content = std::string(300'000, 'x') + "the end";
  const std::string sha = sha256_hex(content);
  put_file(cluster.dir / "program", content);
  Caller admin = cluster.admin();
  const auto artifact = proto::encode(proto::Artifact{"kubelet", "1.20.2", "file", sha, content.size(), ""});
  CHECK(admin.post("/v1/artifacts", artifact).status == 404);  // nothing uploaded yet

  const auto upload = [&cluster, &admin](const std::string& digest) {
    auto reply = cluster.clients.run(admin.client.upload(request_of(Method::put, "/v1/blobs/" + digest),
                                                         cluster.dir / "program", std::chrono::seconds(10)));
    REQUIRE(reply);
    check_declared("PUT", "/v1/blobs/" + digest, reply->status);
    return reply->status;
  };
  const std::string blobs = cluster.dir / "data/artifacts/sha256";
  CHECK(upload(sha256_hex("something else")) == 422);
  CHECK(std::filesystem::is_empty(blobs));
  CHECK(std::filesystem::is_empty(cluster.dir / "data/spool"));
  CHECK(upload("nonsense") == 400);
  CHECK(upload(sha) == 201);
  CHECK(upload(sha) == 201);

  CHECK(admin.post("/v1/artifacts", proto::encode(proto::Artifact{"kubelet", "1.20.2", "file", sha, 5, ""}))
            .status == 409);
  CHECK(admin
            .post("/v1/artifacts",
                  proto::encode(proto::Artifact{"../x", "1.20.2", "file", sha, content.size(), ""}))
            .status == 400);
  CHECK(admin
            .post("/v1/artifacts",
                  proto::encode(proto::Artifact{"kubelet", "../1", "file", sha, content.size(), ""}))
            .status == 400);
  CHECK(admin.post("/v1/artifacts", artifact).status == 201);
  CHECK(as<proto::ArtifactList>(admin.get("/v1/artifacts")).items.size() == 1);

  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const auto desired = as<proto::DesiredState>(caller.get("/v1/agent/sync"));
  bool offered = false;
  for (const auto& component : desired.components)
    offered =
        offered || (component.name == "kubelet" && component.artifact && component.artifact->sha256 == sha);
  CHECK(offered);
  const std::string target = "/v1/artifacts/" + sha + "/content";
  const auto whole = caller.get(target);
  CHECK(whole.status == 200);
  CHECK(whole.body == content);
  CHECK(*whole.headers.find("ETag") == "\"" + sha + "\"");
  const auto part = [&caller, &target](const std::string& range) {
    http::Request request = request_of(Method::get, target);
    request.headers.set("Range", range);
    return caller.send(request);
  };
  const auto tail = part("bytes=300000-");
  CHECK(tail.status == 206);
  CHECK(tail.body == "the end");
  CHECK(*tail.headers.find("Content-Range") == "bytes 300000-300006/300007");
  CHECK(part("bytes=-3").body == "end");
  CHECK(part("bytes=300007-").status == 416);
  CHECK(as<proto::Problem>(part("bytes=300007-")).code == "rangeNotSatisfiable");
  CHECK(part("bytes=1-2,5-6").status == 200);
  CHECK(caller.get("/v1/artifacts/" + std::string(64, 'a') + "/content").status == 404);
  CHECK(caller.get("/v1/artifacts/abc/content").status == 400);
  CHECK(cluster.anonymous().get(target).status == 401);
}

TEST_CASE("an upload that breaks off leaves nothing", "[cluster][artifacts]") {
  ClusterFixture cluster;
  cluster.start();
  const TestCert identity{cluster.admin_cluster.client_certificate, cluster.admin_cluster.client_key};
  {
    RawTlsClient raw(cluster.app->port(), &identity);
    REQUIRE(raw.handshake());
    REQUIRE(raw.write("PUT /v1/blobs/" + std::string(64, 'a') +
                      " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n" +
                      std::string(5000, 'x')));
  }
  // The coordinator answers others; when it has noticed the end of that connection the spool is empty.
  Caller admin = cluster.admin();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!std::filesystem::is_empty(cluster.dir / "data/spool") &&
         std::chrono::steady_clock::now() < deadline)
    CHECK(admin.get("/livez").status == 200);
  CHECK(std::filesystem::is_empty(cluster.dir / "data/spool"));
  CHECK(std::filesystem::is_empty(cluster.dir / "data/artifacts/sha256"));
}

}  // namespace
}  // namespace slipway::test
