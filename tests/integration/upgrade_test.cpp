// `slipwayctl upgrade` against a coordinator over real TLS, with the word of three agents: a master and two nodes.
#include <catch2/catch.hpp>
#include <sstream>

#include "coordinator/app.hpp"
#include "coordinator/ctl/commands.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

constexpr const char* k_old = "1.20.2";
constexpr const char* k_new = "1.21.0";
const std::vector<std::string> k_kubernetes = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"};

bool says(const std::string& text, const std::string& part) {
  INFO(text << " | " << part);
  return text.find(part) != std::string::npos;
}

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

struct Rig {
  Rig() {
    cluster.start();
    auto admin = cluster.admin_cluster;
    admin.server = "https://127.0.0.1:" + std::to_string(cluster.app->port());
    auto made = ctl::connect(admin);
    REQUIRE(made);
    connection = std::move(*made);
    agents.emplace("m1", joined(cluster, "m1", 10, NodeRole::master));
    agents.emplace("n1", joined(cluster, "n1", 11));
    agents.emplace("n2", joined(cluster, "n2", 12));
    Caller agent = agents.at("m1").caller(cluster);
    (void)published_with(agent, 3);
    for (const char* name : {"m1", "n1", "n2"}) tell(name, k_old, "applied");
  }
  // `pause`: of a wait, between two looks; empty: one look is all.
  Ran run(ctl::Command command, std::function<bool()> pause = {}) {
    std::ostringstream out, err;
    ctl::CommandLine line;
    line.command = std::move(command);
    ctl::Console console{out, err};
    console.now = ClusterFixture::now();
    if (pause) console.pause = [pause](std::chrono::milliseconds) { return pause(); };
    const int code = ctl::run_command(line, *connection, console);
    return {code, out.str(), err.str()};
  }
  proto::ClusterView view() { return as<proto::ClusterView>(cluster.admin().get("/v1/cluster")); }
  // What an agent reports that has seen the newest state.
  void tell(const std::string& name, const std::string& version, const std::string& settings, const std::string& message = {}) {
    proto::NodeStatusReport report;
    report.phase = "Running";
    report.applied_revision = view().desired_revision;
    for (const std::string& component : k_kubernetes) {
      if (name == "m1" || component == "kubelet" || component == "kube-proxy") report.components.push_back({component, version, "running", 0, 0, ""});
    }
    report.settings = proto::SettingsStatus{settings, message, {}, {}};
    CHECK(agents.at(name).caller(cluster).post("/v1/agent/status", proto::encode(report)).status == 204);
  }
  // Why it may not restart; empty: it may.
  std::string ask(const std::string& name) { return permit(name, false).reason; }
  proto::RestartReply permit(const std::string& name, bool done) {
    return as<proto::RestartReply>(agents.at(name).caller(cluster).post("/v1/agent/restart-permit", proto::encode(proto::RestartRequest{done, {"kubelet"}})));
  }
  void upgraded(const std::string& name) {
    tell(name, k_new, "restarting");
    tell(name, k_new, "applied");
    (void)permit(name, true);
  }
  void bring(const std::string& component, const std::string& version) {
    put_file(cluster.dir / component, component + " " + version);
    const Ran ran = run(ctl::ArtifactImport{cluster.dir / component, component, version, "file", {}});
    INFO(ran.err);
    CHECK(ran.code == ctl::k_ok);
  }
  void bring_all() {
    bring("docker", "20.10.24");
    bring("etcd", "3.4.23");
    bring("cni-plugins", "1.1.1");
    for (const std::string& component : k_kubernetes) bring(component, k_new);
  }

  ClusterFixture cluster;
  std::unique_ptr<ctl::Connection> connection;
  std::map<std::string, SimulatedAgent> agents;
};

ctl::UpgradeApply apply_new() {
  ctl::UpgradeApply wish;
  wish.version = std::string("v") + k_new;
  wish.yes = true;
  return wish;
}

TEST_CASE("an upgrade is planned, paused, let go on and waited for", "[cluster][upgrade]") {
  Rig rig;
  // Nothing is there yet, and nothing becomes another.
  const Ran lacking = rig.run(ctl::UpgradePlan{k_new});
  CHECK(lacking.code == ctl::k_failed);
  CHECK(says(lacking.out, "kube-apiserver 1.21.0 (slipwayctl artifact fetch --kubernetes v1.21.0)"));
  CHECK(rig.run(apply_new()).code == ctl::k_failed);
  rig.bring_all();
  const Ran far = rig.run(ctl::UpgradePlan{"v1.24.0"});
  CHECK(far.code == ctl::k_failed);
  CHECK(says(far.out, "one minor at a time"));
  CHECK(says(far.out, "docker with kubelet 1.24 or newer requires cri-dockerd"));
  CHECK(rig.view().spec.versions.kubernetes == k_old);

  const Ran planned = rig.run(ctl::UpgradePlan{k_new});
  CHECK(planned.code == ctl::k_ok);
  CHECK(says(planned.out, "1     m1    master  kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy 1.20.2 -> 1.21.0"));
  CHECK(says(planned.out, "2     n1    node    kubelet, kube-proxy 1.20.2 -> 1.21.0"));

  CHECK(says(rig.run(ctl::UpgradePause{}).out, "the rollout is paused"));
  CHECK(rig.view().rollout->paused);
  CHECK(rig.run(apply_new()).code == ctl::k_ok);
  CHECK(rig.view().spec.versions.kubernetes == k_new);
  for (const char* name : {"m1", "n1", "n2"}) CHECK(says(rig.ask(name), "the rollout is paused"));
  rig.tell("n1", k_old, "waiting", rig.ask("n1"));
  const Ran held = rig.run(ctl::UpgradeStatus{});
  CHECK(says(held.out, "paused: nobody begins"));
  CHECK(says(held.out, "slipwayctl upgrade resume lets it go on"));  // the node's own word

  // The control plane first; who has leave keeps it through a pause.
  CHECK(rig.run(ctl::UpgradePause{true}).code == ctl::k_ok);
  CHECK(says(rig.ask("n1"), "kube-apiserver of m1 is not up with Kubernetes 1.21.0 yet"));
  CHECK(rig.ask("m1").empty());
  CHECK(rig.run(ctl::UpgradePause{}).code == ctl::k_ok);
  CHECK(rig.ask("m1").empty());
  CHECK(says(rig.ask("n1"), "paused"));
  rig.upgraded("m1");
  CHECK(rig.run(ctl::UpgradePause{true}).code == ctl::k_ok);
  CHECK(rig.ask("n1").empty());
  CHECK(says(rig.ask("n2"), "rollout.maxUnavailable"));

  // Waited for, with what the agents do between two looks.
  int looks = 0;
  const Ran waited = rig.run(
      [] {
        auto wish = apply_new();
        wish.wait = true;
        return wish;
      }(),
      [&] {
        if (++looks == 1) rig.upgraded("n1");
        if (looks == 2) {
          CHECK(rig.ask("n2").empty());
          rig.upgraded("n2");
        }
        rig.tell("m1", k_new, "applied");
        return looks < 10;
      });
  INFO(waited.err);
  CHECK(waited.code == ctl::k_ok);
  CHECK(says(waited.err, "is wanted already"));
  CHECK(says(rig.run(ctl::UpgradeStatus{}).out, "3 of 3 done"));
}

TEST_CASE("a node that fails ends the wait for an upgrade", "[cluster][upgrade]") {
  Rig rig;
  rig.bring_all();
  ctl::UpgradeApply wish = apply_new();
  wish.wait = true;
  int looks = 0;
  const Ran ran = rig.run(wish, [&] {
    CHECK(rig.ask("m1").empty());
    rig.tell("m1", k_old, "failed", "kube-apiserver does not run: exit code 1");
    (void)rig.permit("m1", true);
    return ++looks < 10;
  });
  CHECK(ran.code == ctl::k_failed);
  CHECK(says(ran.err, "node m1 has failed and the rollout has stopped: kube-apiserver does not run: exit code 1"));
  CHECK(says(rig.ask("n1"), "m1 did not come up"));
  CHECK(says(rig.run(ctl::UpgradeStatus{}).out, "stopped: a node has failed"));
  // Nobody runs the new version: the way back is free.
  for (const std::string& component : k_kubernetes) rig.bring(component, k_old);
  wish = apply_new();
  wish.version = k_old;
  CHECK(rig.run(wish).code == ctl::k_ok);
  CHECK(rig.view().spec.versions.kubernetes == k_old);
}

}  // namespace
}  // namespace slipway::test
