// Who gets into the cluster and who does not: a whole coordinator and many simulated agents over real TLS.
#include <set>

#include "common/crypto/certificate.hpp"
#include "tests/support/cluster_fixture.hpp"

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

}  // namespace
}  // namespace slipway::test
