// Who gets in, who waits, who takes whose place: a whole coordinator over real TLS.
#include <algorithm>
#include <optional>
#include <set>

#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using http::Method;

constexpr const char* k_manual_yaml = R"(
metadata: {name: demo}
admission: manual
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10], port: 7443}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16, nodeCIDRs: [10.77.0.0/16]}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

std::uint64_t uses_of(ClusterFixture& cluster, const std::string& token) {
  Caller admin = cluster.admin();
  for (const auto& view : as<proto::TokenList>(admin.get("/v1/tokens")).items) {
    if (token.starts_with(view.id)) return view.uses;
  }
  FAIL("no such token");
  return 0;
}

std::string wait_of(const http::Response& response) {
  const std::string* wait = response.headers.find("Retry-After");
  return wait == nullptr ? "none" : *wait;
}

// All test clients come from one address: as behind a NAT.
TEST_CASE("a fleet joins from the very address where somebody guesses tokens", "[admission]") {
  ClusterFixture cluster;
  cluster.start({3, 0.001, 5, 0.001, 100, 0, 0});
  const std::string token = cluster.new_token(200);
  const std::string guess = token.substr(0, 7) + std::string(32, 'a');
  SimulatedAgent attacker("attacker", 9);
  Caller guessing = cluster.anonymous();
  std::set<int> statuses;
  for (int i = 0; i < 20; ++i) statuses.insert(guessing.send(attacker.join_message(guess)).status);
  CHECK(statuses == std::set<int>{403, 429});
  const auto limited = guessing.send(attacker.join_message(guess));
  CHECK(limited.status == 429);
  CHECK(wait_of(limited) != "none");
  // The keys of one host will do for all: what is asked here is who is let through.
  const SimulatedAgent keys("keys", 1);
  int in = 0;
  int guessed = 0;
  constexpr int k_fleet = 200;
  constexpr int k_at_once = 20;
  for (int first = 0; first < k_fleet; first += k_at_once) {
    std::vector<std::unique_ptr<Caller>> callers;
    int done = 0;
    for (int i = first; i < first + k_at_once; ++i) {
      SimulatedAgent honest = keys.named("honest-" + std::to_string(i), 1000 + i);
      callers.push_back(std::make_unique<Caller>(cluster.anonymous()));
      cluster.clients.start(callers.back()->client.send(honest.join_message(token), std::chrono::seconds(60)),
                            [&in, &done](Result<http::Response> reply) {
                              ++done;
                              in += reply && reply->status == 200;
                            });
      callers.push_back(std::make_unique<Caller>(cluster.anonymous()));
      cluster.clients.start(
          callers.back()->client.send(attacker.join_message(guess), std::chrono::seconds(60)),
          [&guessed, &done](Result<http::Response> reply) {
            ++done;
            guessed += reply && reply->status == 429;
          });
    }
    cluster.clients.run_until([&done] { return done == 2 * k_at_once; });
  }
  CHECK(in == k_fleet);
  CHECK(guessed == k_fleet);
  Caller admin = cluster.admin();
  const auto joins = as<proto::JoinAttemptList>(admin.get("/v1/joins")).items;
  const auto flood = std::find_if(joins.begin(), joins.end(), [](const auto& join) { return join.stage == "limits"; });
  REQUIRE(flood != joins.end());
  CHECK(flood->count > 200);  // one entry for all of them
  CHECK(flood->node_name.empty());
  // Who is known returns also without a token, while there are looks to spare.
  CHECK(cluster.anonymous().send(attacker.join_message("")).status == 429);
}

TEST_CASE("refused tokens are answered alike, headers and all", "[admission]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string used_up = cluster.new_token();
  SimulatedAgent first("first", 9);
  Caller caller = cluster.anonymous();
  first.accept(caller.send(first.join_message(used_up)));
  Caller admin = cluster.admin();
  const auto bound = [&admin](proto::TokenRequest wish) {
    const auto reply = as<proto::TokenReply>(admin.post("/v1/tokens", proto::encode(wish)));
    return reply.token.substr(reply.token.find("::") + 2);
  };
  proto::TokenRequest pattern;
  pattern.node = "db-*";
  proto::TokenRequest sources;
  sources.sources = {"10.77.9.0/24", "10.77.8.1"};
  const std::vector<std::string> tokens = {used_up, "zzzzzz." + std::string(32, 'a'), used_up.substr(0, 7) + std::string(32, 'a'),
                                           bound(pattern), bound(sources)};
  std::set<std::string> answers;
  for (const std::string& token : tokens) {
    const auto response = caller.send(SimulatedAgent("web-1", 11).join_message(token));
    std::string answer = std::to_string(response.status) + response.body;
    for (const auto& [name, value] : response.headers.all()) {
      if (name != "Date") answer += "\n" + name + ": " + value;
    }
    answers.insert(answer);
  }
  CHECK(answers.size() == 1);
  std::set<std::string> cures;
  for (const auto& join : as<proto::JoinAttemptList>(admin.get("/v1/joins")).items) {
    if (!join.accepted) cures.insert(join.stage + ": " + join.cure);
  }
  CHECK(cures.size() == tokens.size());
  SimulatedAgent right("web-1", 9 * 256 + 7);
  right.accept(caller.send(right.join_message(tokens.back())));
  CHECK(admin.post("/v1/tokens", R"({"sources": ["10.77.0.0/24", "nowhere"]})").body.find("/sources/1") != std::string::npos);
  CHECK(admin.post("/v1/tokens", R"({"pool": "Not A Pool"})").status == 400);
  CHECK(admin.post("/v1/tokens", R"({"node": "*"})").status == 400);
}

TEST_CASE("with manual admission a host waits, also over a restart, and joins when approved", "[admission]") {
  ClusterFixture cluster(k_manual_yaml);
  cluster.start();
  const std::string token = cluster.new_token();
  SimulatedAgent agent("web-1", 11);
  const auto waits = cluster.anonymous().send(agent.join_message(token));
  CHECK(waits.status == 202);
  CHECK(wait_of(waits) == "10");
  const auto told = as<proto::Problem>(waits);
  CHECK(told.code == "pending");
  CHECK(told.detail.find("slipwayctl node approve web-1") != std::string::npos);
  CHECK(told.detail.find(agent.keys.find("agent")->second.spki_sha256_hex()) != std::string::npos);
  cluster.stop();
  cluster.start();
  Caller caller = cluster.anonymous();
  for (int i = 0; i < 3; ++i) CHECK(caller.send(agent.join_message(token)).body == waits.body);
  CHECK(uses_of(cluster, token) == 1);
  Caller admin = cluster.admin();
  const auto pending = as<proto::PendingNodeList>(admin.get("/v1/pending")).items;
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].fingerprint == agent.keys.find("agent")->second.spki_sha256_hex());
  CHECK(pending[0].address == agent.address);
  CHECK(pending[0].facts.machine_id == "machine-web-1");
  CHECK(pending[0].state == "waiting");
  CHECK(as<proto::NodeList>(admin.get("/v1/nodes")).items.empty());
  CHECK(admin.get("/metrics").body.find("{result=\"waiting\",reason=\"pending\"} 3\n") != std::string::npos);
  CHECK(admin.post("/v1/nodes/web-2/approve", "{}").status == 404);
  CHECK(admin.post("/v1/nodes/web-1/approve", R"({"fingerprint": "00000000"})").status == 409);
  CHECK(cluster.approve("web-1").decided_by == "admin");
  agent.accept(caller.send(agent.join_message(token)));
  CHECK(agent.caller(cluster).get("/v1/agent/sync").status == 200);
  CHECK(uses_of(cluster, token) == 1);
  const auto joins = as<proto::JoinAttemptList>(admin.get("/v1/joins")).items;
  REQUIRE(joins.size() == 2);
  CHECK(joins[0].stage == "joined");
  CHECK(joins[1].stage == "approval");
  // One before the restart: the list outlives it.
  CHECK(joins[1].count == 4);
}

TEST_CASE("a denied host is told why", "[admission]") {
  ClusterFixture cluster(k_manual_yaml);
  cluster.start();
  SimulatedAgent agent("web-1", 11);
  Caller caller = cluster.anonymous();
  const std::string token = cluster.new_token();
  REQUIRE(caller.send(agent.join_message(token)).status == 202);
  Caller admin = cluster.admin();
  CHECK(admin.post("/v1/nodes/web-1/deny", "{\"reason\": \"" + std::string(300, 'x') + "\"}").status == 400);
  CHECK(as<proto::PendingNodeView>(admin.post("/v1/nodes/web-1/deny", R"({"reason": "wrong rack"})")).state == "denied");
  const auto refused = caller.send(agent.join_message(token));
  CHECK(refused.status == 403);
  CHECK(as<proto::Problem>(refused).code == "hostDenied");
  CHECK(as<proto::Problem>(refused).detail.find("wrong rack") != std::string::npos);
  // Also by its key alone, which the coordinator knows since it was queued.
  CHECK(as<proto::Problem>(caller.send(agent.join_message(""))).code == "hostDenied");
  cluster.approve("web-1");
  agent.accept(caller.send(agent.join_message(token)));
}

TEST_CASE("sixty-four hosts race for a token of one use and one waits", "[admission]") {
  ClusterFixture cluster(k_manual_yaml);
  cluster.start();
  const std::string token = cluster.new_token();
  std::vector<std::unique_ptr<Caller>> callers;
  std::multiset<int> statuses;
  for (int i = 0; i < 64; ++i) {
    const SimulatedAgent agent("racer-" + std::to_string(i), 100 + i);
    callers.push_back(std::make_unique<Caller>(cluster.anonymous()));
    cluster.clients.start(callers.back()->client.send(agent.join_message(token), std::chrono::seconds(60)),
                          [&statuses](Result<http::Response> reply) { statuses.insert(reply ? reply->status : 0); });
  }
  cluster.clients.run_until([&statuses] { return statuses.size() == 64; });
  CHECK(statuses.count(202) == 1);
  CHECK(statuses.count(403) == 63);
  CHECK(uses_of(cluster, token) == 1);
  std::uint64_t used_up = 0;
  Caller admin = cluster.admin();
  for (const auto& join : as<proto::JoinAttemptList>(admin.get("/v1/joins")).items) used_up += join.reason == "token used up" ? join.count : 0;
  CHECK(used_up == 63);
}

TEST_CASE("a replaced node is refused at its next request, its place is taken with the same pod range", "[admission]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent old = joined(cluster, "web-1", 11);
  Caller waiting = old.caller(cluster);
  const std::string have = sync_behind(published_with(waiting, 1));
  std::optional<Result<http::Response>> ended;
  cluster.clients.start(
      waiting.client.send(request_of(Method::get, have + "&wait=60"),
                          std::chrono::seconds(70)),
      [&ended](Result<http::Response> reply) { ended = std::move(reply); });
  CHECK(old.caller(cluster).get("/livez").status == 200);  // the waiting one is on its way
  Caller admin = cluster.admin();
  CHECK(admin.post("/v1/nodes/web-2/replace", "{}").status == 404);
  CHECK(admin.post("/v1/nodes/web-1/replace", R"({"ttl": "soon"})").status == 400);
  const auto reply = as<proto::ReplaceReply>(admin.post("/v1/nodes/web-1/replace", "{}"));
  CHECK(reply.generation == 2);
  CHECK(reply.pod_cidr == old.reply.pod_cidr);
  cluster.clients.run_until([&ended] { return ended.has_value(); });
  CHECK((!*ended || (**ended).status == 410));
  CHECK(old.caller(cluster).get("/v1/agent/sync").status == 410);
  CHECK(cluster.anonymous().send(old.join_message("")).status == 410);
  CHECK(as<proto::NodeView>(admin.get("/v1/nodes/web-1")).phase == "Replacing");
  cluster.stop();
  cluster.start();
  const std::string token = reply.token.token.substr(reply.token.token.find("::") + 2);
  SimulatedAgent next("web-1", 12);
  Caller caller = cluster.anonymous();
  next.accept(caller.send(next.join_message(token)));
  CHECK(next.reply.generation == 2);
  CHECK(next.reply.pod_cidr == old.reply.pod_cidr);
  CHECK(next.reply.node_uid != old.reply.node_uid);
  CHECK(next.caller(cluster).get("/v1/agent/sync").status == 200);
  // The certificate of the name's former host is dead, whatever it asks.
  Caller former = old.caller(cluster);
  for (const char* target : {"/v1/agent/sync", "/v1/agent/secrets"}) CHECK(former.get(target).status == 410);
  CHECK(former.post("/v1/agent/certificates", proto::encode(proto::RenewRequest{old.csrs})).status == 410);
  CHECK(former.post("/v1/agent/status", proto::encode(proto::NodeStatusReport{})).status == 410);
}

TEST_CASE("copies of a machine are refused with both named", "[admission]") {
  ClusterFixture cluster;
  cluster.start();
  joined(cluster, "web-1", 11);
  const std::string token = cluster.new_token(5);
  Caller caller = cluster.anonymous();
  const auto refusal = [&](const proto::JoinRequest& request) {
    const auto response = caller.post("/v1/join", proto::encode(request));
    CHECK(response.status == 409);
    return as<proto::Problem>(response).detail;
  };
  auto copy = SimulatedAgent("web-2", 12).join_request(token);
  copy.facts.machine_id = "machine-web-1";
  const std::string machine = refusal(copy);
  CHECK(machine.find("web-2 (10.77.0.12)") != std::string::npos);
  CHECK(machine.find("web-1 (10.77.0.11)") != std::string::npos);
  const std::string address = refusal(SimulatedAgent("web-2", 11).join_request(token));
  CHECK(address.find("node web-2 is that of the live node web-1") != std::string::npos);
  CHECK(uses_of(cluster, token) == 0);
  Caller admin = cluster.admin();
  for (const auto& join : as<proto::JoinAttemptList>(admin.get("/v1/joins")).items) {
    if (!join.accepted) CHECK(join.stage == "place");
  }
}

TEST_CASE("joins that cannot be read are visible too", "[admission]") {
  ClusterFixture cluster;
  cluster.start();
  Caller caller = cluster.anonymous();
  for (int i = 0; i < 3; ++i) CHECK(caller.post("/v1/join", "{").status == 400);
  auto wrong = SimulatedAgent("web-1", 11).join_request(cluster.new_token());
  wrong.csrs["kubeProxy"] = "rubbish";
  CHECK(caller.post("/v1/join", proto::encode(wrong)).status == 400);
  Caller admin = cluster.admin();
  const auto joins = as<proto::JoinAttemptList>(admin.get("/v1/joins")).items;
  REQUIRE(joins.size() == 2);
  CHECK(joins[0].stage == "csr");
  CHECK(joins[0].node_name == "web-1");
  CHECK(joins[1].stage == "request");
  CHECK(joins[1].count == 3);
  CHECK(joins[1].address == "127.0.0.1");
}

}  // namespace
}  // namespace slipway::test
