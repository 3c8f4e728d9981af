// A whole coordinator and many simulated agents over real TLS.
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "common/crypto/digest.hpp"
#include "coordinator/ca/authority.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

using http::Method;

// Sends all at once, each on a connection of its own.
std::vector<http::Response> join_together(ClusterFixture& cluster, const std::vector<SimulatedAgent>& agents,
                                          const std::string& token) {
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<http::Response> responses(agents.size());
  std::size_t done = 0;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    callers.push_back(std::make_unique<Caller>(cluster.anonymous()));
    cluster.clients.start(callers[i]->client.send(agents[i].join_message(token), std::chrono::seconds(60)),
                          [&responses, &done, i](Result<http::Response> reply) {
                            ++done;
                            if (reply)
                              responses[i] = std::move(*reply);
                            else
                              responses[i].status = 0;
                          });
  }
  cluster.clients.run_until([&done, &agents] { return done == agents.size(); });
  return responses;
}

SimulatedAgent joined(ClusterFixture& cluster, const std::string& name, int host,
                      NodeRole role = NodeRole::node) {
  SimulatedAgent agent(name, host, role);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(cluster.new_token(1, std::string(to_string(role))))));
  return agent;
}

TEST_CASE("fifty nodes join at once and the state survives a restart", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(50);
  std::vector<SimulatedAgent> agents;
  for (int i = 0; i < 50; ++i) agents.emplace_back("node-" + std::to_string(i), 100 + i);
  const auto responses = join_together(cluster, agents, token);
  std::set<std::string> blocks;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    agents[i].accept(responses[i]);
    CHECK(blocks.insert(agents[i].reply.pod_cidr).second);
    for (const auto& [usage, pem] : agents[i].certificates) {
      const auto certificate = Certificate::from_pem(pem);
      REQUIRE(certificate);
      CHECK(certificate->matches(agents[i].keys.find(usage)->second));
    }
  }
  SimulatedAgent late("late", 99);
  Caller anonymous = cluster.anonymous();
  CHECK(anonymous.send(late.join_message(token)).status == 403);

  const auto before = as<proto::NodeList>(cluster.admin().get("/v1/nodes?limit=1000"));
  CHECK(before.items.size() == 50);
  cluster.stop();
  cluster.start();
  const auto after = as<proto::NodeList>(cluster.admin().get("/v1/nodes?limit=1000"));
  REQUIRE(after.items.size() == 50);
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(after.items[i].uid == before.items[i].uid);
    CHECK(after.items[i].pod_cidr == before.items[i].pod_cidr);
  }
  Caller agent = agents[7].caller(cluster);
  const auto desired = as<proto::DesiredState>(agent.get("/v1/agent/sync"));
  CHECK(desired.nodes.size() == 50);
}

TEST_CASE("lists come in pages", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(5);
  for (int i = 0; i < 5; ++i) {
    SimulatedAgent agent("node-" + std::to_string(i), 20 + i);
    Caller caller = cluster.anonymous();
    agent.accept(caller.send(agent.join_message(token)));
  }
  Caller admin = cluster.admin();
  std::vector<std::string> names;
  std::string next;
  int pages = 0;
  do {
    const auto page =
        as<proto::NodeList>(admin.get("/v1/nodes?limit=2" + (next.empty() ? "" : "&continue=" + next)));
    for (const auto& node : page.items) names.push_back(node.name);
    next = page.next;
    ++pages;
  } while (!next.empty());
  CHECK(pages == 3);
  CHECK(names == std::vector<std::string>{"node-0", "node-1", "node-2", "node-3", "node-4"});
  std::size_t certificates = 0;
  do {
    const auto page = as<proto::CertificateList>(
        admin.get("/v1/certificates?limit=7" + (next.empty() ? "" : "&continue=" + next)));
    certificates += page.items.size();
    next = page.next;
  } while (!next.empty());
  CHECK(certificates == 5 * 4 + 6 + 2);  // of nodes, CAs, admin and coordinator
  CHECK(admin.get("/v1/nodes?limit=0").status == 400);
  CHECK(admin.get("/v1/nodes?limit=x").status == 400);
}

TEST_CASE("a retry with the same keys gets the same answer, another key a conflict", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(2);
  SimulatedAgent agent("node-1", 11);
  Caller caller = cluster.anonymous();
  const auto first = caller.send(agent.join_message(token));
  REQUIRE(first.status == 200);
  CHECK(caller.send(agent.join_message(token)).body == first.body);
  CHECK(caller.send(agent.join_message("")).body == first.body);  // the key is known: no token is needed
  const auto tokens = as<proto::TokenList>(cluster.admin().get("/v1/tokens"));
  for (const auto& view : tokens.items) {
    if (token.starts_with(view.id)) CHECK(view.uses == 1);
  }
  SimulatedAgent thief("node-1", 12);
  const auto refused = caller.send(thief.join_message(token));
  CHECK(refused.status == 409);
  CHECK(as<proto::NodeList>(cluster.admin().get("/v1/nodes")).items.size() == 1);
}

TEST_CASE("every fault of a token is answered with the same bytes, operators see the true reason",
          "[cluster]") {
  ClusterFixture cluster;
  const JoinToken expired = {
      "exp1re", "00", NodeRole::node, "", 0, 5, cluster.now() - Seconds(7200), cluster.now() - Seconds(3600)};
  cluster.change(CreateToken{expired});
  cluster.start();
  const std::string used_up = cluster.new_token(1);
  SimulatedAgent first("first", 9);
  Caller caller = cluster.anonymous();
  first.accept(caller.send(first.join_message(used_up)));
  const std::string good = cluster.new_token(1);
  const std::vector<std::string> faults = {
      "zzzzzz.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",      // unknown
      good.substr(0, 7) + std::string(32, 'a'),       // wrong secret
      "exp1re.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",      // expired
      used_up,                                        // used up
      cluster.new_token(1, "node", "somebody-else"),  // for another node
      cluster.new_token(1, "master"),                 // for another role
      "rubbish",                                      // no token at all
      "",                                             // none
  };
  std::set<std::string> bodies;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    SimulatedAgent agent("node-" + std::to_string(i), 20 + static_cast<int>(i));
    const auto response = caller.send(agent.join_message(faults[i]));
    INFO(faults[i] << " " << response.body);
    CHECK(response.status == 403);
    bodies.insert(response.body);
  }
  CHECK(bodies.size() == 1);
  const auto attempts = as<proto::JoinAttemptList>(cluster.admin().get("/v1/joins"));
  std::set<std::string> reasons;
  for (const auto& attempt : attempts.items) {
    if (!attempt.accepted) reasons.insert(attempt.reason);
  }
  CHECK(reasons.size() >= 6);
  CHECK(as<proto::NodeList>(cluster.admin().get("/v1/nodes")).items.size() == 1);
  const std::string metrics = cluster.admin().get("/metrics").body;
  CHECK(metrics.find("slipway_join_requests_total{result=\"refused\",reason=\"denied\"} 8\n") !=
        std::string::npos);
}

TEST_CASE("sixty-four race for a token of one use and one wins", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(1);
  std::vector<SimulatedAgent> agents;
  for (int i = 0; i < 64; ++i) agents.emplace_back("racer-" + std::to_string(i), 100 + i);
  int won = 0;
  int refused = 0;
  for (const auto& response : join_together(cluster, agents, token)) {
    won += response.status == 200;
    refused += response.status == 403;
  }
  CHECK(won == 1);
  CHECK(refused == 63);
  CHECK(as<proto::NodeList>(cluster.admin().get("/v1/nodes")).items.size() == 1);
}

TEST_CASE("a waiting agent is woken by a change and by nothing else", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const auto first = as<proto::DesiredState>(caller.get("/v1/agent/sync?wait=60"));
  const std::string have =
      "/v1/agent/sync?epoch=" + first.epoch + "&revision=" + std::to_string(first.revision);
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
  const auto state = as<proto::DesiredState>(waiting.get("/v1/agent/sync"));
  std::optional<Result<http::Response>> ended;
  cluster.clients.start(
      waiting.client.send(request_of(Method::get, "/v1/agent/sync?epoch=" + state.epoch + "&revision=" +
                                                      std::to_string(state.revision) + "&wait=60"),
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
}

TEST_CASE("bad requests name what is wrong and change nothing", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(5);
  Caller caller = cluster.anonymous();
  const SimulatedAgent agent("node-1", 11);
  struct Row {
    std::string body;
    int status;
    std::string named;
  };
  proto::JoinRequest bad_csr = agent.join_request(token);
  bad_csr.csrs["kubeProxy"] = "rubbish";
  proto::JoinRequest bad_name = agent.join_request(token);
  bad_name.node_name = "Bad_Name";
  proto::JoinRequest missing = agent.join_request(token);
  missing.csrs.erase("kubeletClient");
  const std::vector<Row> rows = {{"{", 400, "not valid JSON"},
                                 {R"({"token": "x"})", 400, "/nodeName is missing"},
                                 {R"({"nodeName": 5})", 400, "/nodeName must be text"},
                                 {std::string(5000, '['), 400, "nested"},
                                 {proto::encode(bad_csr), 400, "kubeProxy"},
                                 {proto::encode(missing), 400, "kubeletClient"}};
  for (const Row& row : rows) {
    const auto response = caller.post("/v1/join", row.body);
    INFO(response.body);
    CHECK(response.status == row.status);
    CHECK(*response.headers.find("Content-Type") == "application/problem+json");
    CHECK(as<proto::Problem>(response).detail.find(row.named) != std::string::npos);
  }
  const auto name = caller.post("/v1/join", proto::encode(bad_name));
  CHECK((name.status == 400 || name.status == 403));
  const auto too_long =
      cluster.anonymous().try_send(request_of(Method::post, "/v1/join", std::string(70'000, ' ')));
  CHECK((!too_long || too_long->status == 413));
  CHECK(as<proto::NodeList>(cluster.admin().get("/v1/nodes")).items.empty());
  for (const auto& view : as<proto::TokenList>(cluster.admin().get("/v1/tokens")).items)
    CHECK(view.uses == 0);
  Caller admin = cluster.admin();
  CHECK(as<proto::Problem>(admin.post("/v1/tokens", R"({"ttl": "soon"})")).detail.find("/ttl") !=
        std::string::npos);
  CHECK(admin.post("/v1/tokens", R"({"role": "king"})").status == 400);
  CHECK(admin.post("/v1/tokens", R"({"maxUses": 0})").status == 400);
  const auto csr = admin.post("/v1/cluster/kubeconfig", R"({"csr": "rubbish"})");
  CHECK(csr.status == 400);
  CHECK(as<proto::Problem>(csr).detail.find("/csr") != std::string::npos);
  CHECK(admin.remove("/v1/tokens/abcdef").status == 404);
}

TEST_CASE("settings change with a precondition and with all problems told", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const auto response = admin.get("/v1/cluster");
  const std::string etag = *response.headers.find("ETag");
  auto view = as<proto::ClusterView>(response);
  CHECK(view.capacity.max_nodes == 256);
  view.spec.kubelet.max_pods = 100;
  http::Request change = request_of(Method::put, "/v1/cluster", proto::encode(view.spec));
  change.headers.set("If-Match", "\"something else\"");
  CHECK(admin.send(change).status == 412);
  change.headers.set("If-Match", etag);
  const auto changed = admin.send(change);
  REQUIRE(changed.status == 200);
  CHECK(*changed.headers.find("ETag") != etag);
  CHECK(admin.send(change).status == 412);
  view.spec.network.pod_cidr = "10.20.0.0/16";
  CHECK(admin.put("/v1/cluster", proto::encode(view.spec)).status == 409);
  view.spec.network.pod_cidr = "10.10.0.0/30";
  view.spec.runtime = "rkt";
  const auto refused = admin.put("/v1/cluster", proto::encode(view.spec));
  CHECK(refused.status == 400);
  CHECK(refused.body.find("rkt") != std::string::npos);
  CHECK(refused.body.find("podCIDR") != std::string::npos);
  const auto unknown = admin.put("/v1/cluster", R"({"pool": 1, "metadata": {"name": "demo"}})");
  CHECK(unknown.status == 400);
}

TEST_CASE("a kubeconfig's certificate is recorded before it is given", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  const auto key = PrivateKey::generate_p256();
  const auto csr = make_csr(*key);
  Caller admin = cluster.admin();
  const auto reply = as<proto::KubeconfigReply>(
      admin.post("/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{*csr, "alice"})));
  const auto certificate = Certificate::from_pem(reply.certificate);
  REQUIRE(certificate);
  CHECK(certificate->organizations() == std::vector<std::string>{"system:masters"});
  CHECK(certificate->common_name() == "alice");
  CHECK(certificate->matches(*key));
  bool listed = false;
  for (const auto& view : as<proto::CertificateList>(admin.get("/v1/certificates")).items)
    listed = listed || view.serial == certificate->serial_hex();
  CHECK(listed);
  CHECK(admin.post("/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{*csr, "system:admin"}))
            .status >= 400);
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

TEST_CASE("every route asks for its role", "[cluster][authz]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  for (const proto::Route& route : proto::routes()) {
    INFO(route.operation);
    std::string path(route.path);
    for (const char* parameter : {"{name}", "{id}", "{sha256}"}) {
      const auto at = path.find(parameter);
      if (at != std::string::npos) path.replace(at, std::string(parameter).size(), "absent");
    }
    const Method method = route.method == "GET"    ? Method::get
                          : route.method == "POST" ? Method::post
                          : route.method == "PUT"  ? Method::put
                                                   : Method::del;
    const auto status_for = [&](Caller caller) {
      return caller.send(request_of(method, path, route.body_limit > 0 ? "{" : "")).status;
    };
    const int nobody = status_for(cluster.anonymous());
    const int node = status_for(agent.caller(cluster));
    const int admin = status_for(cluster.admin());
    CHECK((nobody == 401) == (route.role != proto::Role::none));
    const bool for_agents = route.role == proto::Role::none || route.role == proto::Role::agent ||
                            route.role == proto::Role::artifact;
    if (route.operation != "getMasterSecrets") CHECK((node == 403) == !for_agents);
    CHECK((admin == 403) == (route.role == proto::Role::agent));
    CHECK(nobody != 500);
    CHECK(node != 500);
    CHECK(admin != 500);
  }
  Caller caller = cluster.admin();
  CHECK(caller.get("/v1/absent").status == 404);
  CHECK(cluster.admin().send(request_of(Method::del, "/v1/cluster")).status == 405);
}

TEST_CASE("probes, version and contract are there for everybody", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  Caller caller = cluster.anonymous();
  CHECK(caller.get("/livez").body == "ok\n");
  CHECK(caller.get("/readyz").body == "ok\n");
  CHECK(caller.get("/readyz?verbose").body.find("[+] store ok") != std::string::npos);
  CHECK(as<proto::VersionInfo>(caller.get("/version")).api_version == "v1");
  CHECK(nlohmann::json::parse(caller.get("/v1/openapi.json").body) == openapi());
  const auto ca = Certificate::from_pem(caller.get("/v1/cacerts").body);
  REQUIRE(ca);
  const std::string token = get_file(cluster.dir / "master.token");
  CHECK(token.find(ca->sha256_hex()) != std::string::npos);
}

TEST_CASE("the stop answers who waits and ends in time", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const auto state = as<proto::DesiredState>(caller.get("/v1/agent/sync"));
  std::optional<Result<http::Response>> ended;
  cluster.clients.start(
      caller.client.send(request_of(Method::get, "/v1/agent/sync?epoch=" + state.epoch + "&revision=" +
                                                     std::to_string(state.revision) + "&wait=60"),
                         std::chrono::seconds(70)),
      [&ended](Result<http::Response> reply) { ended = std::move(reply); });
  // Another request's answer says that the waiting one, sent before, is on its way.
  CHECK(agent.caller(cluster).get("/livez").status == 200);
  const auto begin = std::chrono::steady_clock::now();
  cluster.stop();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(6));
  cluster.clients.run_until([&ended] { return ended.has_value(); });
}

TEST_CASE("one data directory has one daemon, and a port that is taken is an error", "[cluster]") {
  ClusterFixture cluster;
  cluster.start();
  AppOptions options;
  options.config.listen = "127.0.0.1:0";
  options.config.data_dir = cluster.dir / "data";
  options.kube = false;
  const auto second = App::start(options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  const auto credential =
      renew_admin_conf({cluster.dir / "data", cluster.dir / "admin.conf", "admin"}, cluster.now());
  REQUIRE_FALSE(credential);
  CHECK(credential.error().code == Errc::conflict);

  ClusterFixture other;
  options.config.data_dir = other.dir / "data";
  options.config.listen = "127.0.0.1:" + std::to_string(cluster.app->port());
  const auto taken = App::start(options);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find(std::to_string(cluster.app->port())) != std::string::npos);
}

TEST_CASE("a certificate of another cluster is none", "[cluster][authz]") {
  ClusterFixture cluster;
  cluster.start();
  ClusterFixture other;
  other.start();
  SimulatedAgent stranger = joined(other, "node-1", 11);
  const auto key = stranger.keys.find("agent")->second.to_pem();
  Caller agent(cluster.clients, cluster.app->port(), cluster.tls(stranger.certificates.at("agent"), *key));
  CHECK_FALSE(agent.try_send(request_of(Method::get, "/v1/agent/sync")));
  Caller admin(cluster.clients, cluster.app->port(),
               cluster.tls(other.admin_cluster.client_certificate, Secret(other.admin_cluster.client_key)));
  CHECK_FALSE(admin.try_send(request_of(Method::get, "/v1/nodes")));
}

}  // namespace
}  // namespace slipway::test
