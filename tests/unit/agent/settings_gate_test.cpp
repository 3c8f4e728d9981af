// New settings and their turn: a whole agent's reconciler over hosts in memory.
#include "agent/service/settings_gate.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/service/desired_sync.hpp"
#include "agent/service/reconcile.hpp"
#include "agent/service/status.hpp"
#include "proto/codec.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

boost::asio::awaitable<Result<bool>> installed(ArtifactRef) {
  co_return false;
}

struct World {
  World() {
    network = std::make_unique<FakeNetwork>(IpAddress::parse(world.coordinator.address).value(), 24);
    paths.install_root = world.dir / "opt";
    paths.unit_dir = world.dir / "units";
    paths.kubelet_dir = world.dir / "kubelet";
    paths.kube_proxy_dir = world.dir / "kube-proxy";
    paths.kubernetes_dir = world.dir / "kubernetes";
    paths.docker_dir = world.dir / "docker";
    paths.containerd_dir = world.dir / "containerd";
    paths.cni_conf_dir = world.dir / "cni";
    paths.cni_state_dir = world.dir / "cni-state";
    paths.log_dir = world.dir / "log";
    std::filesystem::create_directories(paths.unit_dir);
    units = std::make_unique<UnitWorld>(paths.unit_dir);
    restart_agent();
    desired = world.coordinator.desired(5);
    for (const char* name : {"docker", "cni-plugins", "kubelet", "kube-proxy"}) {
      proto::ComponentRef component;
      component.name = name;
      component.version = component.name == "docker"        ? "20.10.24"
                          : component.name == "cni-plugins" ? "1.1.1"
                                                            : "1.20.2";
      component.artifact = proto::ArtifactRef{std::string(64, 'a'), 10, "file"};
      desired.components.push_back(component);
    }
    REQUIRE(pass().clean());
    REQUIRE(state() == "applied");
    units->log.clear();
  }
  void restart_agent() {
    life = std::make_unique<AgentLife>(world);
    REQUIRE(life->attempt());
    SettingsGateDeps settings{[this] { return Result<std::optional<std::string>>(saved); },
                              [this](const std::string& json) {
                                saved = json;
                                return Status{};
                              },
                              [this](int) { return host; }};
    ReconcileDeps deps{life->store,
                       world.coordinator,
                       *units,
                       *network,
                       world.clock,
                       world.workers,
                       life->state,
                       installed,
                       [this](HealthProbe probe) { return look(std::move(probe)); },
                       [this](std::int32_t pid) { return units->environment_of(pid); },
                       paths,
                       "systemd",
                       {},
                       {},
                       std::move(settings)};
    reconciler = std::make_unique<Reconciler>(std::move(deps), 1);
  }
  boost::asio::awaitable<Status> look(HealthProbe probe) {
    const bool kubelet = probe.port == 10248;
    if (kubelet && get_file(paths.kubelet_dir + "/config.yaml").find(poison) != std::string::npos)
      co_return make_error(Errc::unavailable, "connection refused");
    co_return Status{};
  }
  PassReport pass() {
    life->state.desired = desired;
    return world.io.run(reconciler->pass());
  }
  // Passes as they come while components come up.
  void come_up() {
    for (int i = 0; i < 8; ++i) {
      world.clock.advance(std::chrono::seconds(2));
      pass();
    }
  }
  std::string state() const { return life->state.settings ? life->state.settings->state : "none"; }
  std::string config() { return get_file(paths.kubelet_dir + "/config.yaml"); }
  void set(const std::string& kubelet_config) { desired.cluster.kubelet.config.text = kubelet_config; }

  ServiceFixture world;
  HostPaths paths;
  HostSettings host;
  std::string poison = "evictionHard";  // a kubelet with this is never well
  std::optional<std::string> saved;
  std::unique_ptr<FakeNetwork> network;
  std::unique_ptr<UnitWorld> units;
  std::unique_ptr<AgentLife> life;
  std::unique_ptr<Reconciler> reconciler;
  proto::DesiredState desired;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a first install asks nobody", "[agent][settings]") {
  World w;
  CHECK(w.world.coordinator.restarts.empty());
  REQUIRE(w.saved);
  CHECK(proto::decode<proto::AppliedSettings>(*w.saved)->cluster.metadata.name ==
        w.desired.cluster.metadata.name);
}

TEST_CASE("new settings wait for leave, and the node is kept as it was meanwhile", "[agent][settings]") {
  World w;
  w.world.coordinator.restart_refusal = "n7 restarts";
  w.set(R"({"maxPods":50})");
  REQUIRE(w.pass().clean());
  CHECK(w.state() == "waiting");
  CHECK(w.life->state.settings->message == "n7 restarts");
  CHECK(w.units->log.empty());
  CHECK(w.config().find("maxPods: 110") != std::string::npos);
  // Drift and crashes of what runs are not held up, also while the coordinator is away.
  w.world.coordinator.refusal = make_error(Errc::unavailable, "away");
  put_file(w.paths.kubelet_dir + "/config.yaml", "broken");
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == Lines{"restart kubelet.service"});
  CHECK(w.config().find("maxPods: 110") != std::string::npos);
  // Nor does a new agent forget.
  w.world.coordinator.refusal.reset();
  w.restart_agent();
  w.units->log.clear();
  REQUIRE(w.pass().clean());
  CHECK(w.state() == "waiting");
  CHECK(w.units->log.empty());

  w.world.coordinator.restart_refusal.clear();
  REQUIRE(w.pass().clean());
  CHECK(w.state() == "restarting");
  CHECK(w.units->log == Lines{"restart kubelet.service"});
  CHECK(w.config().find("maxPods: 50") != std::string::npos);
  CHECK_FALSE(w.world.coordinator.restarts.back().done);
  CHECK(w.world.coordinator.restarts.back().components == Lines{"kubelet"});
  w.come_up();
  CHECK(w.state() == "applied");
  CHECK(w.world.coordinator.restarts.back().done);
  CHECK(build_report(w.life->state).settings->running.text.find("\"maxPods\":50") != std::string::npos);
  CHECK(w.units->log.size() == 1);
}

TEST_CASE("a change of kube-proxy's settings leaves the kubelet alone, labels and the rest leave all",
          "[agent][settings]") {
  World w;
  const std::int32_t kubelet = w.units->pid("kubelet.service");
  w.desired.cluster.kube_proxy.config.text = R"({"mode":"ipvs"})";
  w.desired.cluster.kube_proxy.extra_args = {"--v=3"};
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == Lines{"restart kube-proxy.service"});
  CHECK(w.units->pid("kubelet.service") == kubelet);
  w.come_up();
  REQUIRE(w.state() == "applied");
  const auto asked = w.world.coordinator.restarts.size();
  w.units->log.clear();
  w.desired.cluster.node_labels["a"] = "b";
  w.desired.cluster.node_taints = {"k:NoSchedule"};
  w.desired.cluster.rollout.max_unavailable.text = "3";
  w.desired.cluster.certificates.node_ttl = "12h";
  proto::NodeOverrides own;
  own.settings.labels["c"] = "d";
  w.desired.overrides[w.world.coordinator.node_name] = own;
  w.desired.overrides["another"].settings.kubelet.config.text = R"({"maxPods":1})";
  const PassReport report = w.pass();
  CHECK(report.changes.empty());
  CHECK(w.units->log.empty());
  CHECK(w.world.coordinator.restarts.size() == asked);
  CHECK(w.state() == "applied");
}

TEST_CASE("settings of group, node and host are merged over the cluster's", "[agent][settings]") {
  World w;
  w.set(R"({"maxPods":60,"podsPerCore":1})");
  proto::NodeGroup group{"gpu", {}, {}};
  group.settings.kubelet.config.text = R"({"maxPods":70,"podPidsLimit":100})";
  w.desired.cluster.node_groups = {group};
  auto& own = w.desired.overrides[w.world.coordinator.node_name];
  own.groups = {"gpu"};
  own.settings.kubelet.config.text = R"({"maxPods":80})";
  w.host.kubelet.config.text = R"({"podPidsLimit":7})";
  w.host.kubelet.extra_args = {"--v=8"};
  REQUIRE(w.pass().clean());
  for (const char* line : {"maxPods: 80", "podPidsLimit: 7", "podsPerCore: 1"}) {
    INFO(line);
    CHECK(w.config().find(line) != std::string::npos);
  }
  CHECK(get_file(w.paths.unit_dir + "/kubelet.service").find("--v=8") != std::string::npos);
  w.come_up();
  CHECK(w.life->state.settings->host.text.find("podPidsLimit") != std::string::npos);
}

TEST_CASE("what is wrong in a host's file is told, and what was in force stays", "[agent][settings]") {
  World w;
  w.host.kubelet.config.text = R"({"maxPods":33})";
  w.pass();
  w.come_up();
  REQUIRE(w.state() == "applied");
  w.units->log.clear();
  w.host.kubelet = {};
  w.host.kubelet_problem = "kubelet.d/10.yaml: maxPdos is no field";
  w.desired.cluster.kube_proxy.config.text = R"({"mode":"ipvs"})";
  const PassReport report = w.pass();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find("kubelet.d/10.yaml: maxPdos") != std::string::npos);
  CHECK(w.config().find("maxPods: 33") != std::string::npos);
  CHECK(w.units->log == Lines{"restart kube-proxy.service"});
  // So are the cluster's settings when they cannot be.
  w.host.kubelet_problem.clear();
  w.set(R"({"maxPdos":1})");
  w.units->log.clear();
  const PassReport refused = w.pass();
  REQUIRE(refused.problems.size() == 1);
  CHECK(refused.problems[0].find("maxPdos") != std::string::npos);
  CHECK(w.config().find("maxPods: 33") != std::string::npos);
  CHECK(w.state() == "failed");
}

TEST_CASE("settings that do not come up are taken back, and tried again only when they are others",
          "[agent][settings]") {
  World w;
  w.set(R"({"evictionHard":{"memory.available":"99Ti"}})");
  w.pass();
  CHECK(w.state() == "restarting");
  for (int i = 0; i < 70 && w.state() == "restarting"; ++i) {
    w.world.clock.advance(std::chrono::seconds(2));
    w.pass();
  }
  CHECK(w.state() == "failed");
  CHECK(w.life->state.settings->message.find("kubelet runs and is not healthy: connection refused") !=
        std::string::npos);
  CHECK(w.world.coordinator.restarts.back().done);
  w.pass();
  CHECK(w.config().find("evictionHard") == std::string::npos);
  CHECK(w.units->log.back() == "restart kubelet.service");
  const auto asked = w.world.coordinator.restarts.size();
  w.units->log.clear();
  w.come_up();
  CHECK(w.state() == "failed");
  CHECK(w.units->log.empty());
  CHECK(w.world.coordinator.restarts.size() == asked);
  CHECK(build_report(w.life->state).phase == "Running");
  w.set(R"({"maxPods":44})");
  w.pass();
  w.come_up();
  CHECK(w.state() == "applied");
}

TEST_CASE("a component that does not run may get new settings without leave", "[agent][settings]") {
  World w;
  w.world.coordinator.restart_refusal = "never";
  w.units->broken.insert("kubelet.service");
  w.units->units["kubelet.service"].status.active = UnitActivity::failed;
  w.units->units["kubelet.service"].status.main_pid = 0;
  w.pass();
  w.set(R"({"maxPods":45})");
  w.units->broken.clear();
  w.world.clock.advance(std::chrono::minutes(6));
  w.life->state.units["kubelet.service"].active = UnitActivity::failed;
  w.pass();
  CHECK(w.config().find("maxPods: 45") != std::string::npos);
  CHECK(w.world.coordinator.restarts.empty());
}

TEST_CASE("a version that is not imported yet leaves the node as it is", "[agent][settings]") {
  World w;
  w.desired.cluster.versions.kubernetes = "1.20.3";
  for (proto::ComponentRef& component : w.desired.components) {
    if (component.name != "kubelet" && component.name != "kube-proxy") continue;
    component.version = "1.20.3";
    component.artifact.reset();
  }
  w.pass();
  CHECK(w.units->log.empty());
  CHECK(w.state() == "waiting");
  CHECK(w.life->state.settings->message.find("was not imported yet") != std::string::npos);
  CHECK(w.world.coordinator.restarts.empty());
}

TEST_CASE("what is for other nodes alone is not kept in memory", "[agent][settings]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  proto::DesiredState desired = world.coordinator.desired(7);
  desired.overrides["other"].groups = {"x"};
  desired.overrides[world.coordinator.node_name].groups = {"y"};
  world.coordinator.publish(desired);
  DesiredSync sync(life.deps(), 1);
  REQUIRE(world.io.run(sync.poll_once()));
  REQUIRE(life.state.desired);
  CHECK(life.state.desired->overrides.size() == 1);
  life.state.desired.reset();
  DesiredSync again(life.deps(), 1);
  REQUIRE(world.io.run(again.load()));
  REQUIRE(life.state.desired);
  CHECK(life.state.desired->overrides.count(world.coordinator.node_name) == 1);
  CHECK(life.state.desired->overrides.size() == 1);
}
