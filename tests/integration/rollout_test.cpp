// New settings come to a fleet: a real coordinator over real TLS, and the part of ten agents that asks,
// waits, restarts and tells. Their components are restarted in memory, and time is the test's.
#include <algorithm>

#include "agent/client/http_coordinator.hpp"
#include "agent/service/settings_gate.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::test {
namespace {

constexpr int k_nodes = 10;

boost::asio::awaitable<Status> answer(const bool* well) {
  if (*well) co_return Status{};
  co_return make_error(Errc::unavailable, "connection refused");
}

// What of an agent has to do with settings.
struct Member {
  Member(SimulatedAgent joined_host, ClusterFixture& fixture, IoTest& test, ManualClock& time,
         Workers& workers)
      : host(std::move(joined_host)),
        cluster(fixture),
        io(test),
        clock(time),
        adapter(io.executor(), {{"127.0.0.1", fixture.app->port()}}),
        gate({}, adapter, time, workers, state, [this](HealthProbe) { return answer(&well); }) {
    const KeyPair pair{host.certificates.at("agent"), host.keys.at("agent").to_pem().value()};
    REQUIRE(adapter.use_identity(host.reply.ca_bundles.at("fabric"), pair));
  }
  NodeContext context(const proto::DesiredState& desired) const {
    NodeContext base;
    base.node_name = host.name;
    base.node_address = IpAddress::parse(host.address).value();
    base.role = std::string(to_string(host.role));
    base.pod_cidr = Cidr::parse(host.reply.pod_cidr).value();
    base.pod_ranges = {Cidr::parse(desired.cluster.network.pod_cidr).value()};
    base.cluster = desired.cluster;
    return base;
  }
  // One pass: what is rendered now and was not before is started anew.
  void pass(const proto::DesiredState& desired) {
    auto choice = io.run(gate.choose(context(desired), desired, host.reply.node_uid));
    REQUIRE(choice);
    for (const ComponentFiles& component : choice->components) {
      if (!component.unit) continue;
      const auto before = runs.find(component.name);
      const bool started = before == runs.end() || !(before->second == component);
      if (started && before != runs.end()) ++restarts[component.name];
      UnitStatus& unit = state.units[component.unit->name];
      unit.active = UnitActivity::active;
      if (started) unit.main_pid = ++last_pid;
      runs[component.name] = component;
    }
    const auto kubelet = std::find_if(choice->components.begin(), choice->components.end(),
                                      [](const auto& c) { return c.name == "kubelet"; });
    const bool new_settings = std::any_of(kubelet->files.begin(), kubelet->files.end(), [](const auto& f) {
      return f.content.find("podsPerCore: 3") != std::string::npos;
    });
    well = !(sick && new_settings);
    REQUIRE(io.run(
        gate.conclude({choice->components, std::vector<bool>(choice->components.size(), true), true})));
    tell();
  }
  void tell() {
    proto::NodeStatusReport report;
    report.phase = "Running";
    report.settings = state.settings;
    REQUIRE(io.run(adapter.report(report)));
  }
  std::string settings() const { return state.settings ? state.settings->state : "none"; }

  SimulatedAgent host;
  ClusterFixture& cluster;
  IoTest& io;
  ManualClock& clock;
  AgentState state;
  HttpCoordinator adapter;
  bool well = true;
  bool sick = false;  // does not come up with new settings
  SettingsGate gate;
  std::map<std::string, ComponentFiles> runs;
  std::map<std::string, int> restarts;
  std::int32_t last_pid = 100;
};

// What a coordinator without artifacts tells, with all of them.
proto::DesiredState with_artifacts(proto::DesiredState desired) {
  for (proto::ComponentRef& component : desired.components)
    component.artifact = proto::ArtifactRef{std::string(64, 'a'), 10, "file"};
  return desired;
}

struct Fleet {
  explicit Fleet(const std::string& max_unavailable) {
    cluster.start();
    change([&max_unavailable](auto& spec) { spec.rollout.max_unavailable.text = max_unavailable; });
    const std::string token = cluster.new_token(k_nodes);
    const SimulatedAgent pattern("node-0", 10);
    Caller caller = cluster.anonymous();
    for (int i = 0; i < k_nodes; ++i) {
      SimulatedAgent host = pattern.named("node-" + std::to_string(i), 20 + i);
      host.accept(caller.send(host.join_message(token)));
      members.push_back(std::make_unique<Member>(std::move(host), cluster, io, clock, workers));
    }
    Caller agent = members[0]->host.caller(cluster);
    (void)published_with(agent, k_nodes);
    rounds(1);
  }
  void change(const std::function<void(proto::ClusterSpec&)>& how) {
    Caller admin = cluster.admin();
    proto::ClusterSpec spec = as<proto::ClusterView>(admin.get("/v1/cluster")).spec;
    how(spec);
    REQUIRE(admin.put("/v1/cluster", proto::encode(spec)).status == 200);
  }
  proto::RolloutView view() { return *as<proto::ClusterView>(cluster.admin().get("/v1/cluster")).rollout; }
  std::size_t count(const std::string& settings) const {
    return static_cast<std::size_t>(std::count_if(
        members.begin(), members.end(), [&](const auto& member) { return member->settings() == settings; }));
  }
  void rounds(int how_many) {
    for (int round = 0; round < how_many; ++round) {
      const auto desired =
          with_artifacts(as<proto::DesiredState>(members[0]->host.caller(cluster).get("/v1/agent/sync")));
      for (const auto& member : members) {
        member->pass(desired);
        most = std::max(most, count("restarting"));
      }
      clock.advance(std::chrono::seconds(6));
    }
  }

  ClusterFixture cluster;
  IoTest io;
  ManualClock clock;
  Workers workers{1};
  std::vector<std::unique_ptr<Member>> members;
  std::size_t most = 0;  // that restarted at once
};

TEST_CASE("new settings come to ten nodes two at a time", "[cluster][rollout]") {
  Fleet fleet("2");
  CHECK(fleet.count("applied") == k_nodes);
  CHECK(fleet.view().applied == k_nodes);
  CHECK(fleet.view().max_unavailable == 2);
  fleet.change([](auto& spec) { spec.kubelet.config.text = R"({"podsPerCore":3})"; });
  fleet.rounds(1);
  CHECK(fleet.count("restarting") == 2);
  CHECK(fleet.count("waiting") == 8);
  const auto view = fleet.view();
  CHECK(view.restarting == 2);
  CHECK(view.waiting == 8);
  const auto waiting = std::find_if(fleet.members.begin(), fleet.members.end(),
                                    [](const auto& member) { return member->settings() == "waiting"; });
  const std::string config = "/v1/nodes/" + (*waiting)->host.name + "/config";
  const auto shown = as<proto::NodeConfigView>(fleet.cluster.admin().get(config));
  CHECK(shown.state == "waiting");
  REQUIRE(shown.differences.size() == 1);
  CHECK(shown.differences[0].path == "kubelet.config/podsPerCore");
  CHECK(shown.differences[0].running.empty());
  CHECK(shown.differences[0].level == "cluster");
  fleet.rounds(25);
  CHECK(fleet.count("applied") == k_nodes);
  CHECK(fleet.most == 2);
  for (const auto& member : fleet.members)
    CHECK(member->restarts == std::map<std::string, int>{{"kubelet", 1}});
  CHECK(as<proto::NodeConfigView>(fleet.cluster.admin().get(config)).differences.empty());

  Caller admin = fleet.cluster.admin();
  CHECK(admin.get("/v1/nodes/nobody/config").status == 404);
  CHECK(admin.put("/v1/nodes/nobody/config", "{}").status == 404);
  http::Request outdated = request_of(http::Method::put, config, "{}");
  outdated.headers.set("If-Match", "\"old\"");
  CHECK(admin.send(outdated).status == 412);

  // One node's own: nobody else moves, and labels move nobody.
  const auto set = fleet.cluster.admin().put(
      config, R"({"kubelet": {"config": {"podsPerCore": 4}}, "labels": {"a": "b"}})");
  REQUIRE(set.status == 200);
  CHECK(as<proto::NodeConfigView>(set).effective.labels.count("a") == 1);
  fleet.rounds(5);
  CHECK((*waiting)->restarts.at("kubelet") == 2);
  for (const auto& member : fleet.members)
    CHECK((member->host.name == (*waiting)->host.name || member->restarts.at("kubelet") == 1));
}

TEST_CASE("nodes that do not come up with new settings stop the rollout", "[cluster][rollout]") {
  Fleet fleet("2");
  fleet.members[0]->sick = fleet.members[1]->sick = true;
  fleet.change([](auto& spec) { spec.kubelet.config.text = R"({"podsPerCore":3})"; });
  for (int i = 0; i < 40 && fleet.members[0]->settings() != "failed"; ++i) fleet.rounds(1);
  REQUIRE(fleet.members[0]->settings() == "failed");
  // Who had no turn yet gets none any more.
  fleet.rounds(3);
  const std::size_t waiting = fleet.count("waiting");
  CHECK(waiting == k_nodes - 2);
  fleet.rounds(5);
  CHECK(fleet.count("waiting") == waiting);
  CHECK(fleet.count("restarting") == 0);
  CHECK(fleet.members[9]->settings() == "waiting");
  CHECK(fleet.members[9]->state.settings->message.find("node-0, node-1 did not come up") != std::string::npos);
  CHECK(fleet.most == 2);
  CHECK(fleet.members[0]->runs.at("kubelet").files[0].content.find("podsPerCore") ==
        std::string::npos);  // taken back
  CHECK(fleet.view().failed == std::vector<std::string>{"node-0", "node-1"});
  const auto health = as<proto::HealthReport>(fleet.cluster.admin().get("/v1/health"));
  const auto told = std::find_if(health.checks.begin(), health.checks.end(),
                                 [](const auto& check) { return check.name == "node node-0: settings"; });
  REQUIRE(told != health.checks.end());
  CHECK_FALSE(told->ok);
  CHECK(told->cure.find("slipwayctl node config node-0 --diff") != std::string::npos);

  // Other settings are their way out, and everybody else's.
  fleet.change([](auto& spec) { spec.kubelet.config.text = R"({"podsPerCore":5})"; });
  fleet.rounds(30);
  CHECK(fleet.count("applied") == k_nodes);
  CHECK(fleet.most == 2);
  CHECK(fleet.view().failed.empty());
}

}  // namespace
}  // namespace slipway::test
