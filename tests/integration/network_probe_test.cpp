// A probe of the network before a whole coordinator, with agents that are requests.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>

#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "proto/network_probe.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

using http::Method;

constexpr const char* k_path = "/v1/network/probe";
constexpr const char* k_offer = "/v1/agent/network-probe";
constexpr const char* k_report = "/v1/agent/network-probe/report";

// The n-th address of the node's block.
std::string in_block(const SimulatedAgent& agent, std::uint64_t n) {
  return Cidr::parse(agent.reply.pod_cidr)->at(n).to_string();
}

struct Rig {
  ClusterFixture cluster;
  std::vector<SimulatedAgent> agents;
  std::vector<std::unique_ptr<Caller>> callers;

  explicit Rig(int nodes) {
    cluster.start();
    for (int i = 1; i <= nodes; ++i) agents.push_back(joined(cluster, "n" + std::to_string(i), 10 + i));
    for (const SimulatedAgent& agent : agents)
      callers.push_back(std::make_unique<Caller>(agent.caller(cluster)));
  }
  proto::NetworkProbe start() { return as<proto::NetworkProbe>(cluster.admin().post(k_path, "")); }
  proto::NetworkProbe view(const std::string& query = "") {
    return as<proto::NetworkProbe>(cluster.admin().get(k_path + query));
  }
  // What the agent is told of with the question for news.
  std::string told(std::size_t agent, const std::string& query) {
    const auto response = callers[agent]->get("/v1/agent/sync" + query);
    const std::string* id = response.headers.find(proto::k_probe_header);
    return id == nullptr ? "" : *id;
  }
  proto::ProbeOffer offer_of(std::size_t agent, const std::string& id) const {
    return {id, {in_block(agents[agent], 1)}, {in_block(agents[agent], 5)}, ""};
  }
  http::Response offer(std::size_t agent, const std::string& id) {
    return callers[agent]->post(k_offer, proto::encode(offer_of(agent, id)));
  }
  // All at once, each on a connection of its own: they are answered when the last has come.
  std::vector<proto::ProbeTargets> offer_all(const std::string& id) {
    std::vector<std::optional<http::Response>> answers(agents.size());
    for (std::size_t i = 0; i < agents.size(); ++i) {
      cluster.clients.start(
          callers[i]->client.send(request_of(Method::post, k_offer, proto::encode(offer_of(i, id))),
                                  std::chrono::seconds(20)),
          [&answers, i](Clients::Reply reply) { answers[i] = reply.value(); });
    }
    cluster.clients.run_until([&answers] {
      return std::all_of(answers.begin(), answers.end(),
                         [](const auto& answer) { return answer.has_value(); });
    });
    std::vector<proto::ProbeTargets> targets;
    for (const auto& answer : answers) targets.push_back(as<proto::ProbeTargets>(*answer));
    return targets;
  }
  int report(std::size_t agent, proto::ProbeReport report) {
    return callers[agent]->post(k_report, proto::encode(report)).status;
  }
};

}  // namespace

TEST_CASE("a probe of the network, from the operator's wish to the likely cause", "[network-probe]") {
  Rig rig(3);
  CHECK(rig.cluster.admin().get(k_path).status == 404);
  const auto begun = rig.start();
  CHECK(begun.state == "gathering");
  CHECK(begun.nodes == 3);
  CHECK(rig.start().id == begun.id);  // who comes while it is under way gets that one
  CHECK(rig.told(0, "?wait=0&probe=none") == begun.id);
  CHECK(rig.told(0, "?wait=0&probe=" + begun.id).empty());
  CHECK(rig.told(1, "?wait=0").empty());  // an agent that knows nothing of probes
  const auto targets = rig.offer_all(begun.id);
  REQUIRE(targets.at(0).targets.size() == 2);
  CHECK(targets[0].targets[0] ==
        proto::ProbeTarget{
            "n2", {rig.agents[1].address}, {in_block(rig.agents[1], 1)}, {in_block(rig.agents[1], 5)}});
  CHECK(rig.view().state == "probing");
  CHECK(rig.report(0, {begun.id, 12, {{"n3", "bridge", in_block(rig.agents[2], 1), 0, "silent", 0}}, ""}) ==
        204);
  CHECK(rig.report(1, {begun.id, 12, {{"n3", "pod", in_block(rig.agents[2], 5), 0, "refused", 0}}, ""}) ==
        204);
  CHECK(rig.view("?wait=0").reported == 2);
  CHECK(rig.report(2, {begun.id, 12, {}, ""}) == 204);
  const auto done = rig.view("?wait=20");
  CHECK(done.state == "done");
  CHECK_FALSE(done.ok);
  CHECK(done.pairs == 6);
  CHECK(done.failing == 2);
  REQUIRE(done.failed.size() == 2);
  CHECK(done.failed[0].from == "n1");
  CHECK(done.failed[0].to == "n3");
  CHECK_FALSE(done.failed[0].cause.empty());
  CHECK(done.failed[1].result == "refused");
  CHECK(rig.told(0, "?wait=0&probe=none").empty());
  CHECK(rig.report(0, {begun.id, 12, {}, ""}) == 409);
  CHECK(rig.start().id != begun.id);
  CHECK(rig.view().failed.empty());
}

TEST_CASE("who waits for news hears of a probe at once, with news or without", "[network-probe]") {
  Rig rig(2);
  const auto state = published_with(*rig.callers[0], 2);
  std::optional<http::Response> heard, old;
  rig.cluster.clients.start(
      rig.callers[0]->client.send(request_of(Method::get, sync_behind(state) + "&wait=20&probe=none"),
                                  std::chrono::seconds(30)),
      [&heard](Clients::Reply reply) { heard = reply.value(); });
  rig.cluster.clients.start(
      rig.callers[1]->client.send(request_of(Method::get, sync_behind(state) + "&wait=1"),
                                  std::chrono::seconds(30)),
      [&old](Clients::Reply reply) { old = reply.value(); });
  const auto begun = rig.start();
  rig.cluster.clients.run_until([&] { return heard && old; });
  CHECK(heard->status == 204);
  REQUIRE(heard->headers.find(proto::k_probe_header) != nullptr);
  CHECK(*heard->headers.find(proto::k_probe_header) == begun.id);
  CHECK(old->status == 204);
  CHECK(old->headers.find(proto::k_probe_header) == nullptr);
  const auto whole = rig.callers[1]->get("/v1/agent/sync?probe=none");
  CHECK(whole.status == 200);
  CHECK(whole.headers.find(proto::k_probe_header) != nullptr);
}

TEST_CASE("a probe goes on without who is silent, and without agents that know nothing of it",
          "[network-probe]") {
  Rig rig(3);
  const auto begun = rig.start();
  CHECK(rig.told(1, "?wait=0&probe=none") == begun.id);  // and then is not heard of again
  CHECK(rig.told(2, "?wait=0").empty());
  const auto response = rig.offer(0, begun.id);  // comes when the time for the others is over
  CHECK(as<proto::ProbeTargets>(response).targets.at(1).bridges.empty());
  CHECK(rig.offer(1, begun.id).status == 409);
  CHECK(rig.report(0, {begun.id, 4, {{"n2", "node", rig.agents[1].address, 0, "silent", 0}}, "no bridge"}) ==
        204);
  const auto done = rig.view("?wait=20");
  CHECK(done.state == "done");
  CHECK(done.reported == 1);
  REQUIRE(done.silent.size() == 2);
  CHECK(done.silent[0].reason == "its agent was told and did not answer in time");
  CHECK(done.silent[1].reason.find("older than this command") != std::string::npos);
  CHECK(done.failed.size() == 1);
  CHECK(done.notes == std::vector<std::string>{"n1: no bridge"});
}

TEST_CASE("an agent speaks for itself alone in a probe, and within bounds", "[network-probe]") {
  Rig rig(2);
  CHECK(rig.offer(0, "0123456789abcdef").status == 409);
  const auto begun = rig.start();
  proto::ProbeOffer foreign = rig.offer_of(0, begun.id);
  foreign.pods = {in_block(rig.agents[1], 5)};
  const auto refused = rig.callers[0]->post(k_offer, proto::encode(foreign));
  CHECK(refused.status == 400);
  CHECK(as<proto::Problem>(refused).pointer == "/pods/0");
  CHECK(rig.callers[0]
            ->post(k_offer, proto::encode(proto::ProbeOffer{begun.id, {}, {}, std::string(20'000, 'x')}))
            .status == 413);
  CHECK(rig.report(0, {begun.id, 1, {}, ""}) == 409);  // has not offered
  rig.offer_all(begun.id);
  CHECK(rig.report(0, {begun.id, 1, {{"n1", "node", rig.agents[0].address, 0, "silent", 0}}, ""}) == 400);
  CHECK(rig.report(0, {begun.id, 1, {{"n2", "node", "192.0.2.1", 0, "silent", 0}}, ""}) == 400);
  CHECK(rig.report(
            0, {begun.id, 1,
                std::vector<proto::ProbeLoss>(2000, {"n2", "node", rig.agents[1].address, 0, "silent", 0}),
                ""}) == 413);
  CHECK(
      rig.report(0, {begun.id, 1,
                     std::vector<proto::ProbeLoss>(50, {"n2", "node", rig.agents[1].address, 0, "silent", 0}),
                     ""}) == 400);
  REQUIRE(rig.cluster.admin().remove("/v1/nodes/n2").status == 204);
  CHECK(rig.report(1, {begun.id, 1, {}, ""}) == 410);
  CHECK(rig.report(0, {begun.id, 1, {}, ""}) == 204);
}

TEST_CASE("viewers read a probe and do not start one", "[network-probe]") {
  Rig rig(1);
  const auto key = PrivateKey::generate_p256();
  const proto::OperatorRequest request{make_csr(*key).value(), "vera", "viewer"};
  const auto reply =
      as<proto::OperatorReply>(rig.cluster.admin().post("/v1/operators", proto::encode(request)));
  Caller viewer(rig.cluster.clients, rig.cluster.app->port(),
                rig.cluster.tls(reply.certificate, *key->to_pem()));
  CHECK(viewer.post(k_path, "").status == 403);
  CHECK(viewer.get(k_path).status == 404);
  const auto begun = rig.start();
  CHECK(as<proto::NetworkProbe>(viewer.get(k_path)).id == begun.id);
  CHECK(viewer.get(std::string(k_path) + "?wait=31").status == 400);
  CHECK(rig.offer_all(begun.id).at(0).targets.empty());
  CHECK(rig.report(0, {begun.id, 0, {}, ""}) == 204);
  CHECK(as<proto::NetworkProbe>(viewer.get(k_path)).ok);
}

}  // namespace slipway::test
