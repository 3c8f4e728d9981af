// The feed over real TLS: between a coordinator and the agent's own code, and to agents of before there were changes.
#include <optional>

#include "agent/client/http_coordinator.hpp"
#include "agent/service/desired_sync.hpp"
#include "coordinator/app.hpp"
#include "proto/nodes_mark.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/fake_kube_api.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {
namespace {

using http::Method;

http::Request delta_request(const std::string& target) {
  http::Request request = request_of(Method::get, target);
  request.headers.set("Accept", std::string(proto::k_delta_type) + ", application/json");
  return request;
}

bool is_delta(const http::Response& response) {
  const std::string* const type = response.headers.find("Content-Type");
  return response.status == 200 && type != nullptr && *type == proto::k_delta_type;
}

std::string behind(const std::string& epoch, std::uint64_t revision) {
  return "/v1/agent/sync?epoch=" + epoch + "&revision=" + std::to_string(revision);
}

TEST_CASE("one endpoint gives changes to who takes them and the whole to who does not", "[cluster][feed]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent first = joined(cluster, "node-1", 11);
  Caller caller = first.caller(cluster);
  const auto state = published_with(caller, 1);
  CHECK(state.node_count == 1);
  CHECK(state.nodes_hash == proto::mark_of(state.nodes).hash());

  // Twenty that wait share one text; an older agent among them gets its whole document.
  std::vector<std::unique_ptr<Caller>> waiting;
  std::vector<http::Response> told;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(std::make_unique<Caller>(first.caller(cluster)));
    const std::string target = sync_behind(state) + "&wait=60";
    cluster.clients.start(waiting.back()->client.send(i == 7 ? request_of(Method::get, target) : delta_request(target), std::chrono::seconds(70)),
                          [&told](Result<http::Response> reply) {
                            REQUIRE(reply);
                            told.push_back(std::move(*reply));
                          });
  }
  CHECK(cluster.anonymous().get("/livez").status == 200);
  SimulatedAgent second = joined(cluster, "node-2", 12);
  cluster.clients.run_until([&told] { return told.size() == 20; });
  std::size_t whole = 0;
  std::optional<proto::DesiredDelta> delta;
  for (const auto& response : told) {
    if (is_delta(response)) {
      delta = as<proto::DesiredDelta>(response);
    } else {
      ++whole;
      CHECK(as<proto::DesiredState>(response).nodes.size() == 2);
    }
  }
  CHECK(whole == 1);
  REQUIRE(delta);
  CHECK(delta->from == state.revision);
  REQUIRE(delta->up.size() == 1);
  CHECK(delta->up[0].name == "node-2");
  CHECK(delta->del.empty());
  CHECK_FALSE(delta->cluster);
  CHECK(delta->pace_ms == 20);

  // A removal names uid, generation and block; both changes since the first revision are one answer.
  CHECK(cluster.admin().remove("/v1/nodes/node-2").status == 204);
  const http::Response removal = caller.send(delta_request(behind(state.epoch, delta->to) + "&wait=60"));
  REQUIRE(is_delta(removal));
  const auto gone = as<proto::DesiredDelta>(removal);
  REQUIRE(gone.del.size() == 1);
  CHECK(gone.del[0].uid == second.reply.node_uid);
  CHECK(gone.del[0].generation == 1);
  CHECK(gone.del[0].pod_cidrs == std::vector<std::string>{second.reply.pod_cidr});
  CHECK(gone.node_count == 1);
  CHECK(gone.nodes_hash == state.nodes_hash);
  const auto both = as<proto::DesiredDelta>(caller.send(delta_request(behind(state.epoch, state.revision))));
  CHECK(both.up.empty());
  CHECK(both.del.size() == 1);

  // Nothing newer; nothing known; another history.
  CHECK(caller.send(delta_request(behind(state.epoch, gone.to) + "&wait=0")).status == 204);
  CHECK_FALSE(is_delta(caller.send(delta_request("/v1/agent/sync"))));
  CHECK_FALSE(is_delta(caller.send(delta_request(behind(state.epoch, 0)))));
  CHECK_FALSE(is_delta(caller.send(delta_request(behind("another", gone.to)))));
  CHECK(caller.send(delta_request(behind(state.epoch, gone.to) + "&applied=x")).status == 400);
}

TEST_CASE("what an agent says it has applied is told, and not what it has only heard", "[cluster][feed]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent = joined(cluster, "node-1", 11);
  Caller caller = agent.caller(cluster);
  const auto state = published_with(caller, 1);
  const auto applied = [&] { return as<proto::NodeView>(cluster.admin().get("/v1/nodes/node-1")).applied_revision; };
  CHECK(caller.get(sync_behind(state) + "&applied=0&wait=0").status == 204);
  CHECK(applied() == 0);
  CHECK(caller.get(sync_behind(state) + "&applied=" + std::to_string(state.revision) + "&wait=0").status == 204);
  CHECK(applied() == state.revision);
  // A report that leaves it out changes nothing of it, nor does one of another epoch.
  proto::NodeStatusReport report;
  report.phase = "Running";
  for (int i = 0; i < 2; ++i) CHECK(caller.post("/v1/agent/status", proto::encode(report)).status == 204);
  CHECK(applied() == state.revision);
  CHECK(caller.get("/v1/agent/sync?epoch=another&revision=999&applied=999").status == 200);
  CHECK(applied() == 0);
}

// The agent's own code, without a host.
struct RealAgent {
  RealAgent(ClusterFixture& cluster, const SimulatedAgent& host)
      : coordinator(io.executor(), {{"127.0.0.1", cluster.app->port()}}) {
    const KeyPair pair{host.certificates.at("agent"), host.keys.at("agent").to_pem().value()};
    REQUIRE(coordinator.use_identity(host.reply.ca_bundles.at("fabric"), pair));
    state.identity = NodeIdentity{"demo", host.reply.cluster_id, host.name, host.reply.node_uid, host.reply.generation, host.reply.role, host.reply.address, host.reply.pod_cidr};
    sync.emplace(Enroller::Deps{store, store, coordinator, clock, workers, state}, 1);
  }
  void poll_until(std::size_t nodes) {
    for (int i = 0; i < 20 && (!state.desired || state.desired->nodes.size() != nodes); ++i) {
      const Status done = io.run(sync->poll_once());
      INFO((done ? std::string() : done.error().message));
      REQUIRE(done);
    }
    REQUIRE(state.desired->nodes.size() == nodes);
  }
  std::size_t kept_deltas() { return store.desired().value()->deltas.size(); }

  TempDir dir;
  ManualClock clock;
  IoTest io;
  Workers workers{1};
  MortalStore store{dir / "agent"};
  AgentState state;
  HttpCoordinator coordinator;
  std::optional<DesiredSync> sync;
};

TEST_CASE("an agent follows joins and removals by changes alone", "[cluster][feed]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent host = joined(cluster, "node-1", 11);
  RealAgent agent(cluster, host);
  agent.poll_until(1);
  CHECK(agent.kept_deltas() == 0);
  const std::string whole = agent.store.desired().value()->json;
  for (int i = 2; i <= 4; ++i) joined(cluster, "node-" + std::to_string(i), 10 + i);
  agent.poll_until(4);
  CHECK(cluster.admin().remove("/v1/nodes/node-3").status == 204);
  agent.poll_until(3);
  CHECK(agent.kept_deltas() >= 2);
  CHECK(agent.store.desired().value()->json == whole);
  Caller caller = host.caller(cluster);
  CHECK(agent.state.desired->nodes == published_with(caller, 3).nodes);
}

TEST_CASE("a coordinator that was restarted goes on with changes, and with the whole for who missed some", "[cluster][feed]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent host = joined(cluster, "node-1", 11);
  SimulatedAgent late_host = joined(cluster, "node-2", 12);
  std::uint64_t early = 0;
  {
    RealAgent agent(cluster, host);
    agent.poll_until(2);
    early = agent.state.desired->revision;
    joined(cluster, "node-3", 13);
    agent.poll_until(3);
    const std::uint64_t newest = agent.state.desired->revision;
    cluster.stop();
    cluster.start();
    // By the same epoch: nothing new, and then only what changes.
    Caller caller = host.caller(cluster);
    const std::string epoch = agent.state.desired->epoch;
    CHECK(caller.send(delta_request(behind(epoch, newest) + "&wait=0")).status == 204);
    joined(cluster, "node-4", 14);
    const http::Response next = caller.send(delta_request(behind(epoch, newest) + "&wait=60"));
    REQUIRE(is_delta(next));
    CHECK(as<proto::DesiredDelta>(next).up.size() == 1);
    // What was before the start is not remembered.
    const http::Response missed = caller.send(delta_request(behind(epoch, early)));
    CHECK_FALSE(is_delta(missed));
    CHECK(as<proto::DesiredState>(missed).nodes.size() == 4);
  }
}

TEST_CASE("a restored coordinator with another epoch is followed, one that lost most nodes not at once", "[cluster][feed]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent host = joined(cluster, "node-1", 11);
  for (int i = 2; i <= 5; ++i) joined(cluster, "node-" + std::to_string(i), 10 + i);
  RealAgent agent(cluster, host);
  agent.poll_until(5);
  // As if it came from a backup: another epoch, in which the others never joined.
  agent.state.desired->epoch = "of-before";
  for (int i = 2; i <= 4; ++i) CHECK(cluster.admin().remove("/v1/nodes/node-" + std::to_string(i)).status == 204);
  for (int i = 0; i < 2; ++i) {
    const Status refused = agent.io.run(agent.sync->poll_once());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("lacks most of the nodes") != std::string::npos);
    CHECK(agent.state.desired->nodes.size() == 5);
  }
  REQUIRE(agent.io.run(agent.sync->poll_once()));
  CHECK(agent.state.desired->epoch != "of-before");
  CHECK(agent.state.desired->nodes.size() == 2);
}

}  // namespace
}  // namespace slipway::test
