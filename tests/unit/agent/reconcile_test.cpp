#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/domain/host_dropins.hpp"
#include "agent/service/host_files.hpp"
#include "agent/service/reconcile.hpp"
#include "agent/service/renew.hpp"
#include "agent/service/status.hpp"
#include "common/async/notifier.hpp"
#include "common/core/text.hpp"
#include "common/crypto/private_key.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/fake_copier.hpp"
#include "tests/support/fake_file_readers.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

HostPaths paths_in(const TempDir& dir) {
  HostPaths paths;
  paths.install_root = dir / "opt";
  paths.unit_dir = dir / "units";
  paths.kubelet_dir = dir / "kubelet";
  paths.kube_proxy_dir = dir / "kube-proxy";
  paths.kubernetes_dir = dir / "kubernetes";
  paths.docker_dir = dir / "docker";
  paths.containerd_dir = dir / "containerd";
  paths.host_root = dir / "rest";
  paths.crictl_config = dir / "crictl.yaml";
  paths.cni_conf_dir = dir / "cni";
  paths.cni_bin_dir = dir / "cni-bin";
  paths.cni_state_dir = dir / "cni-state";
  paths.etcd_dir = dir / "etcd";
  paths.log_dir = dir / "log";
  return paths;
}

// A download that ends when it is let go on.
struct SlowDownload {
  bool on = false;
  bool reached = false;
  Notifier end;
};

boost::asio::awaitable<Result<bool>> install_into(std::set<std::string>* installed,
                                                  std::map<std::string, Error>* broken,
                                                  SlowDownload* slow, ArtifactRef artifact) {
  if (slow->on) {
    slow->reached = true;
    boost::asio::awaitable<bool> waiting = slow->end.wait(std::chrono::hours(1));
    co_await std::move(waiting);
  }
  const auto error = broken->find(artifact.component);
  if (error != broken->end()) co_return error->second;
  co_return installed->insert(artifact.component + " " + artifact.version).second;
}

boost::asio::awaitable<Status> probe_into(std::vector<std::string>* probes, HealthProbe probe) {
  probes->push_back(probe.host + ":" + std::to_string(probe.port));
  co_return Status{};
}

boost::asio::awaitable<Status> collect_into(std::vector<std::set<std::string>>* seen, std::set<std::string> wanted) {
  seen->push_back(std::move(wanted));
  co_return Status{};
}

struct ReconcileWorld {
  explicit ReconcileWorld(const std::string& role = "node") {
    world.coordinator.role = role;
    if (role == "master") world.coordinator.address = "10.77.0.10";
    network = std::make_unique<FakeNetwork>(IpAddress::parse(world.coordinator.address).value(), 24);
    paths = paths_in(world.dir);
    std::filesystem::create_directories(paths.unit_dir);
    units = std::make_unique<UnitWorld>(paths.unit_dir);
    restart_agent();
    desired = world.coordinator.desired(5);
    const std::vector<std::string> names = {"docker",
                                            "cni-plugins",
                                            "kubelet",
                                            "kube-proxy",
                                            "etcd",
                                            "kube-apiserver",
                                            "kube-controller-manager",
                                            "kube-scheduler"};
    for (const std::string& name : names) {
      proto::ComponentRef component;
      component.name = name;
      component.version = name == "docker"        ? "20.10.24"
                          : name == "etcd"        ? "3.4.23"
                          : name == "cni-plugins" ? "1.1.1"
                                                  : "1.20.2";
      component.artifact = proto::ArtifactRef{std::string(64, 'a'), 10, "file"};
      desired.components.push_back(component);
    }
    desired.nodes.push_back({"node2", "other", 1, "node", "10.77.0.14", "10.10.4.0/24"});
  }

  // A new process over the same host.
  void restart_agent() {
    life = std::make_unique<AgentLife>(world);
    REQUIRE(life->attempt());
    ReconcileDeps deps{life->store,
                       world.coordinator,
                       *units,
                       *network,
                       world.clock,
                       world.workers,
                       life->state,
                       [this](ArtifactRef artifact) {
                         return install_into(&installed, &install_errors, &slow, std::move(artifact));
                       },
                       [this](HealthProbe probe) { return probe_into(&probes, std::move(probe)); },
                       [this](std::int32_t pid) { return units->environment_of(pid); },
                       paths,
                       "systemd",
                       [this](const std::vector<std::string>& all) { watched = {all.begin(), all.end()}; },
                       noting,
                       {},
                       [this](std::set<std::string> wanted) { return collect_into(&collected, std::move(wanted)); }};
    deps.copies.copier = &copier;
    deps.copies.noted = [this] { return ledger.changes(); };
    deps.readers = &readers;
    reconciler = std::make_unique<Reconciler>(std::move(deps), 1);
  }
  PassReport pass() {
    life->state.desired = desired;
    return world.io.run(reconciler->pass());
  }
  proto::ComponentRef& component(const std::string& name) {
    for (proto::ComponentRef& c : desired.components) {
      if (c.name == name) return c;
    }
    throw std::runtime_error("no component " + name);
  }

  ServiceFixture world;
  HostPaths paths;
  std::unique_ptr<FakeNetwork> network;
  std::unique_ptr<UnitWorld> units;
  std::unique_ptr<AgentLife> life;
  std::unique_ptr<Reconciler> reconciler;
  proto::DesiredState desired;
  std::set<std::string> installed;
  std::map<std::string, Error> install_errors;
  SlowDownload slow;
  std::vector<std::string> probes;
  std::vector<std::set<std::string>> collected;  // what was wanted each time
  std::function<Status(const std::vector<Intent>& intents)> noting;  // set, then restart_agent()
  std::set<std::string> watched;  // the files of the last pass
  FakeCopier copier;
  FakeFileReaders readers;
  Ledger ledger;  // what note_all() has noted

  // As on a host where nothing of it was there before.
  Status note_all(const std::vector<Intent>& intents) {
    for (const Intent& intent : intents) ledger.add({intent.kind, intent.name, intent.wanted});
    return {};
  }
  void add_artifact(const std::string& name, const std::string& version) {
    proto::ComponentRef component;
    component.name = name;
    component.version = version;
    component.artifact = proto::ArtifactRef{std::string(64, 'b'), 10, "file"};
    desired.components.push_back(component);
  }
};

// Somebody else's network plugin, and a containerd that looks for its programs in one folder.
struct OneFolderWorld : ReconcileWorld {
  OneFolderWorld() {
    noting = [this](const std::vector<Intent>& intents) { return note_all(intents); };
    restart_agent();
    desired.cluster.network.backend = "external";
    desired.cluster.runtime = "containerd";
    desired.cluster.versions.kubernetes = "1.31.0";
    desired.cluster.versions.runc = "1.2.3";
    component("kubelet").version = component("kube-proxy").version = "1.31.0";
    add_artifact("runc", "1.2.3");
    add_artifact("containerd", "");
    set_containerd("1.7.27");
    copier.installed["cni-plugins"] = {{"bridge", std::string(64, '1')}, {"portmap", std::string(64, '2')}};
  }
  void set_containerd(const std::string& version) {
    desired.cluster.versions.containerd = version;
    component("containerd").version = version;
  }
  std::string path(const std::string& name) const { return paths.cni_bin_dir + "/" + name; }
};

std::string text_of(const std::vector<std::string>& lines) {
  return join(lines, "\n");
}

}  // namespace

TEST_CASE("units are started, restarted or left alone for a reason", "[agent][reconcile]") {
  SeenUnit seen;
  seen.status.load = UnitLoad::loaded;
  seen.status.active = UnitActivity::active;
  seen.status.main_pid = 5;
  seen.inputs = "a";
  CHECK(plan_unit({"x", "a"}, seen).action == UnitAction::none);
  CHECK(plan_unit({"x", "b"}, seen).action == UnitAction::restart);
  CHECK(plan_unit({"x", std::nullopt}, seen).action == UnitAction::none);
  seen.inputs.reset();
  CHECK(plan_unit({"x", "a"}, seen).action == UnitAction::restart);
  seen.status.active = UnitActivity::activating;
  CHECK(plan_unit({"x", "a"}, seen).action == UnitAction::none);
  seen.status.active = UnitActivity::failed;
  CHECK(plan_unit({"x", "a"}, seen).action == UnitAction::start);
  CHECK(plan_unit({"x", std::nullopt}, seen).action == UnitAction::start);
  seen.status.load = UnitLoad::not_found;
  CHECK(plan_unit({"x", std::nullopt}, seen).action == UnitAction::none);

  const std::string end(1, '\0');
  CHECK(inputs_of_environment("PATH=/bin" + end + "SLIPWAY_INPUTS=abc" + end + "X=1" + end) == "abc");
  CHECK_FALSE(inputs_of_environment("PATH=/bin" + end));
}

TEST_CASE("a node is brought about in one pass, and a second finds nothing to do", "[agent][reconcile]") {
  ReconcileWorld w;
  const PassReport first = w.pass();
  INFO(text_of(first.problems));
  REQUIRE(first.clean());
  CHECK(first.installed);
  CHECK(first.configured);
  CHECK(first.network_ready);
  CHECK(first.peers_applied);
  CHECK(w.units->log == std::vector<std::string>{"start containerd.service", "start docker.service",
                                                 "start kubelet.service", "start kube-proxy.service"});
  CHECK(std::filesystem::exists(w.paths.cni_conf_dir + "/10-slipway.conflist"));
  CHECK(w.world.coordinator.secret_requests == 0);

  const PassReport second = w.pass();
  CHECK(text_of(second.changes).empty());
  CHECK(second.clean());
  CHECK(w.units->log.size() == 4);
}

TEST_CASE("a master's control plane starts in order, with the shared key there before",
          "[agent][reconcile]") {
  ReconcileWorld w("master");
  w.world.coordinator.service_account_key =
      std::string(PrivateKey::generate_rsa2048().value().to_pem().value().reveal());
  const PassReport first = w.pass();
  INFO(text_of(first.problems));
  REQUIRE(first.clean());
  const auto at = [&](const std::string& name) {
    return std::find(w.units->log.begin(), w.units->log.end(), "start " + name) - w.units->log.begin();
  };
  CHECK(at("etcd.service") < at("kube-apiserver.service"));
  CHECK(at("kube-apiserver.service") < at("kube-controller-manager.service"));
  CHECK(at("kube-controller-manager.service") < std::ssize(w.units->log));
  CHECK(at("kube-scheduler.service") < std::ssize(w.units->log));
  CHECK_FALSE(w.probes.empty());
  const std::string key = w.paths.kubernetes_dir + "/pki/sa.key";
  CHECK((std::filesystem::status(key).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms(0600));
  // Without coordinator it is not asked for again.
  w.world.coordinator.refusal = make_error(Errc::unavailable, "away");
  CHECK(w.pass().changes.empty());
  CHECK(w.world.coordinator.secret_requests == 1);
}

TEST_CASE("an agent that starts again restarts nothing", "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  const std::int32_t kubelet = w.units->pid("kubelet.service");
  w.restart_agent();
  CHECK(w.pass().changes.empty());
  CHECK(w.units->pid("kubelet.service") == kubelet);
  w.units->kill("kubelet.service");  // systemd brings it back by itself
  CHECK(w.pass().changes.empty());
}

TEST_CASE("a pass that finds nothing to do asks once for each unit, one that acts looks again", "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  w.units->asked.clear();
  REQUIRE(w.pass().clean());
  CHECK(w.units->asked.size() == 4);
  for (const auto& [name, times] : w.units->asked) {
    INFO(name);
    CHECK(times == 1);
  }
  // What was asked before the first of them was started anew may be true no longer of the next.
  w.units->asked.clear();
  w.component("docker").artifact->sha256 = std::string(64, 'c');
  REQUIRE(w.pass().clean());
  CHECK(w.units->asked["docker.service"] > 1);
}

TEST_CASE("only units whose inputs changed are restarted", "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  w.units->log.clear();
  w.desired.cluster.kubelet.max_pods = 50;
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == std::vector<std::string>{"restart kubelet.service"});

  w.units->log.clear();
  w.component("kube-proxy").artifact->sha256 = std::string(64, 'b');
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == std::vector<std::string>{"restart kube-proxy.service"});
}

TEST_CASE("renewed client certificates restart nothing, a serving one the kubelet alone",
          "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  w.units->log.clear();
  Renewer renewer("node", w.life->deps(), w.life->enroller);
  w.world.clock.advance(std::chrono::seconds(3000));
  REQUIRE(w.world.io.run(renewer.tick()));
  REQUIRE(w.world.coordinator.renewals.size() == 1);
  REQUIRE(w.world.coordinator.renewals[0].csrs.contains("kubeletServing"));
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == std::vector<std::string>{"restart kubelet.service"});
}

TEST_CASE("a step that fails is named, and stops no other", "[agent][reconcile]") {
  ReconcileWorld w;
  w.install_errors["kube-proxy"] =
      make_error(Errc::corrupt, "install kube-proxy 1.20.2: verify: digest differs");
  const PassReport first = w.pass();
  CHECK_FALSE(first.installed);
  REQUIRE(first.problems.size() == 1);
  CHECK(first.problems[0].find("kube-proxy: installing: ") == 0);
  CHECK(w.units->pid("kubelet.service") > 0);
  CHECK(w.units->units.count("kube-proxy.service") + 1 > 0);
  CHECK(w.units->pid("kube-proxy.service") == 0);
  CHECK(std::filesystem::exists(w.paths.cni_conf_dir + "/10-slipway.conflist"));
  w.install_errors.clear();
  REQUIRE(w.pass().clean());
  CHECK(w.units->pid("kube-proxy.service") > 0);
}

TEST_CASE("old programs are collected behind a pass that has installed all that is wanted", "[agent][reconcile]") {
  ReconcileWorld w;
  w.component("kubelet").artifact->sha256 = std::string(64, 'b');
  w.pass();
  CHECK(w.collected == std::vector<std::set<std::string>>{{std::string(64, 'a'), std::string(64, 'b')}});
  w.install_errors["kubelet"] = make_error(Errc::unavailable, "no coordinator");
  w.pass();
  CHECK(w.collected.size() == 1);
  w.install_errors.clear();
  w.pass();
  CHECK(w.collected.size() == 2);
}

TEST_CASE("an artifact that is not imported yet waits, with the command that helps", "[agent][reconcile]") {
  ReconcileWorld w;
  w.component("kubelet").artifact.reset();
  const PassReport report = w.pass();
  CHECK(report.clean());  // nothing of ours failed
  CHECK_FALSE(report.installed);
  bool found = false;
  for (const ComponentOutcome& outcome : report.components) {
    if (outcome.name != "kubelet") continue;
    found = true;
    CHECK(outcome.state == "waiting");
    CHECK(outcome.message.find("slipwayctl artifact import --component kubelet --version 1.20.2") !=
          std::string::npos);
  }
  CHECK(found);
  CHECK(w.units->pid("docker.service") > 0);
}

TEST_CASE("a unit that does not start is tried again with back-off", "[agent][reconcile]") {
  ReconcileWorld w;
  w.units->broken.insert("kubelet.service");
  CHECK_FALSE(w.pass().clean());
  const auto starts = [&] {
    return std::count(w.units->log.begin(), w.units->log.end(), "start kubelet.service");
  };
  CHECK(starts() == 1);
  CHECK_FALSE(w.pass().clean());
  CHECK(starts() == 1);
  w.world.clock.advance(std::chrono::seconds(6));
  CHECK_FALSE(w.pass().clean());
  CHECK(starts() == 2);
  w.world.clock.advance(std::chrono::seconds(6));
  CHECK_FALSE(w.pass().clean());
  CHECK(starts() == 2);
  w.units->broken.clear();
  w.world.clock.advance(std::chrono::seconds(60));
  CHECK(w.pass().clean());
}

TEST_CASE("files that drift are put right", "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  std::filesystem::remove(w.paths.cni_conf_dir + "/10-slipway.conflist");
  put_file(w.paths.kubelet_dir + "/config.yaml", "broken");
  const PassReport repaired = w.pass();
  // The kubelet may have read the broken one: its unit is marked, and it starts anew.
  CHECK(repaired.changes == std::vector<std::string>{"wrote " + w.paths.kubelet_dir + "/config.yaml", "wrote kubelet.service",
                                                     "restarted kubelet.service: its version, files or certificates changed",
                                                     "wrote " + w.paths.cni_conf_dir + "/10-slipway.conflist"});
  CHECK(std::filesystem::exists(w.paths.cni_conf_dir + "/10-slipway.conflist"));
  CHECK(w.pass().changes.empty());
}

TEST_CASE("a file that was wrong while its process started has it started anew, also after a kill in between", "[agent][reconcile][drift]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  CHECK_FALSE(w.life->state.drift);
  w.units->log.clear();
  put_file(w.paths.kubelet_dir + "/config.yaml", "broken");
  w.units->kill("kubelet.service");  // and systemd brought it back, with the broken file
  const PassReport repaired = w.pass();
  CHECK(repaired.drifted == std::vector<std::string>{w.paths.kubelet_dir + "/config.yaml", "kubelet.service"});
  CHECK(w.units->log == std::vector<std::string>{"restart kubelet.service"});
  REQUIRE(w.life->state.drift);
  const auto report = build_report(w.life->state);
  const auto told = std::find_if(report.conditions.begin(), report.conditions.end(), [](const auto& c) { return c.type == "AsWritten"; });
  REQUIRE(told != report.conditions.end());
  CHECK(told->ok);
  CHECK(told->reason == "Repaired");
  CHECK(told->message.find(w.paths.kubelet_dir + "/config.yaml") != std::string::npos);
  CHECK(w.pass().changes.empty());

  // The agent is killed when the file is right again and the process not yet.
  w.units->log.clear();
  put_file(w.paths.kubelet_dir + "/config.yaml", "broken");
  w.units->kill("kubelet.service");
  w.units->stuck = {"kubelet.service"};
  CHECK_FALSE(w.pass().clean());
  w.units->stuck.clear();
  w.units->log.clear();
  w.restart_agent();
  REQUIRE(w.pass().clean());
  CHECK(w.units->log == std::vector<std::string>{"restart kubelet.service"});

  w.world.clock.advance(std::chrono::minutes(11));
  w.pass();
  CHECK_FALSE(w.life->state.drift);
}

TEST_CASE("a new wish is no drift", "[agent][reconcile][drift]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  w.desired.cluster.kubelet.max_pods = 50;
  ++w.desired.revision;
  const PassReport report = w.pass();
  CHECK_FALSE(report.changes.empty());
  CHECK(report.drifted.empty());
}

TEST_CASE("an ill process is started anew, another one of the same unit is not", "[agent][reconcile][liveness]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  w.units->log.clear();
  const std::string invocation = w.units->units["kubelet.service"].status.invocation;
  w.life->state.ill["kubelet.service"] = {invocation, "it does not answer"};
  const PassReport report = w.pass();
  CHECK(w.units->log == std::vector<std::string>{"restart kubelet.service"});
  CHECK(text_of(report.changes).find("it does not answer") != std::string::npos);
  w.units->log.clear();
  w.life->state.ill["kubelet.service"] = {invocation, "it does not answer"};
  CHECK(w.pass().changes.empty());
  CHECK(w.units->log.empty());
  CHECK(w.life->state.ill.empty());
}

TEST_CASE("no conflist while the network cannot carry pods", "[agent][reconcile]") {
  ReconcileWorld w;
  w.network->observe_error = make_error(Errc::unavailable, "netlink is away");
  const PassReport report = w.pass();
  CHECK_FALSE(report.network_ready);
  CHECK_FALSE(report.peers_applied);
  CHECK_FALSE(std::filesystem::exists(w.paths.cni_conf_dir + "/10-slipway.conflist"));
  CHECK(w.units->pid("kubelet.service") > 0);
  w.network->observe_error.reset();
  CHECK(w.pass().clean());
  CHECK(std::filesystem::exists(w.paths.cni_conf_dir + "/10-slipway.conflist"));
}

TEST_CASE("nothing is done before the node has joined and knows what is wanted", "[agent][reconcile]") {
  ReconcileWorld w;
  w.life->state.desired.reset();
  CHECK(w.world.io.run(w.reconciler->pass()).changes.empty());
  CHECK(w.units->log.empty());
}

TEST_CASE("a CA bundle counts as used only where all its readers run with it", "[agent][reconcile][ca]") {
  ReconcileWorld w;
  w.life->state.ca_stored = {{"apiserver", "new"}, {"kubeClient", "new"}, {"kubeletServing", "new"}};
  w.units->broken = {"kube-proxy.service"};  // reads the bundle of the API server
  w.pass();
  auto& uses = w.life->state.ca_uses;
  CHECK(uses.count("apiserver") == 0);
  CHECK(uses.count("kubeClient") == 1);      // the kubelet's alone
  CHECK(uses.count("kubeletServing") == 1);  // nothing on a node reads it
  w.units->broken.clear();
  w.world.clock.advance(std::chrono::minutes(10));
  w.pass();
  REQUIRE(uses.count("apiserver") == 1);
  CHECK(uses.at("apiserver").digest == "new");

  // A later bundle restarts what reads it at its start only, and counts from then.
  const std::string other = w.life->store.ca_bundle("apiserver").value().value() + "\n";
  REQUIRE(w.life->store.save_ca_bundle("apiserver", other));
  w.life->state.ca_stored["apiserver"] = "newer";
  w.units->log.clear();
  w.component("kubelet").artifact.reset();  // its place is not touched while it waits: the old bundle is in use
  w.pass();
  CHECK(uses.at("apiserver").digest == "new");
  w.component("kubelet").artifact = proto::ArtifactRef{std::string(64, 'a'), 10, "file"};
  w.pass();
  CHECK(uses.at("apiserver").digest == "newer");
  const std::set<std::string> acted(w.units->log.begin(), w.units->log.end());
  CHECK(acted.count("restart kubelet.service") == 1);
  CHECK(acted.count("restart kube-proxy.service") == 1);
}

TEST_CASE("nothing is changed before it stands in the ledger", "[agent][reconcile][ledger]") {
  ReconcileWorld w;
  std::vector<Intent> noted;
  int refuse_from = 1 << 20, calls = 0;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    if (++calls >= refuse_from) return make_error(Errc::exhausted, "no space left");
    noted.insert(noted.end(), intents.begin(), intents.end());
    return {};
  };
  w.restart_agent();
  SECTION("neither in the kernel nor on the disk") {
    refuse_from = 1;
    const PassReport report = w.pass();
    CHECK(text_of(report.problems).find("no space left") != std::string::npos);
    CHECK(w.network->applied.empty());
    CHECK_FALSE(std::filesystem::exists(w.paths.kubelet_dir));
    CHECK(w.installed.empty());
  }
  SECTION("what is known of the network does not hold up for the rest") {
    refuse_from = 2;
    CHECK_FALSE(w.pass().clean());
    CHECK_FALSE(w.network->applied.empty());
    CHECK_FALSE(std::filesystem::exists(w.paths.kubelet_dir));
    CHECK(w.units->log.empty());
    refuse_from = 1 << 20;
    CHECK(w.pass().clean());
  }
}

TEST_CASE("a setting of the host's own interface stands in the ledger before it is changed",
          "[agent][reconcile][ledger]") {
  ReconcileWorld w;
  w.network->state().links[0].v6 = LinkIpv6{false, 1, true};
  const auto own = std::find_if(w.desired.nodes.begin(), w.desired.nodes.end(), [&](const proto::PeerNode& node) {
    return node.uid == w.life->state.identity->node_uid;
  });
  REQUIRE(own != w.desired.nodes.end());
  own->second_pod_cidr = "fd00:10:3::/64";
  bool refuse = true;
  bool noted = false;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    const bool about = std::any_of(intents.begin(), intents.end(),
                                   [](const Intent& one) { return one.name.ends_with("eth0/accept_ra"); });
    noted = noted || about;
    return about && refuse ? Status(make_error(Errc::exhausted, "no space left")) : Status();
  };
  w.restart_agent();
  CHECK_FALSE(w.pass().clean());
  CHECK(noted);
  CHECK(w.network->applied.empty());
  CHECK(w.network->state().links[0].v6->accept_ra == 1);
  refuse = false;
  CHECK(w.pass().network_ready);
  CHECK(w.network->state().links[0].v6->accept_ra == 2);
}

TEST_CASE("the ledger knows every path that a pass makes", "[agent][reconcile][ledger]") {
  ReconcileWorld w(GENERATE(as<std::string>(), "node", "master"));
  w.world.coordinator.service_account_key = std::string(PrivateKey::generate_rsa2048().value().to_pem().value().reveal());
  std::set<std::string> noted;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    for (const Intent& intent : intents) noted.insert(intent.name);
    return {};
  };
  w.restart_agent();
  std::set<std::string> before;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(w.world.dir.path())) before.insert(entry.path());
  REQUIRE(w.pass().clean());
  std::size_t made = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(w.world.dir.path())) {
    const std::string path = entry.path();
    if (before.count(path) != 0) continue;
    ++made;
    // A folder that is made for something noted is noted with it (FileChangeLedger).
    const bool above = entry.is_directory() && std::any_of(noted.begin(), noted.end(), [&](const std::string& name) { return name.starts_with(path + "/"); });
    INFO(path);
    CHECK((noted.count(path) != 0 || above));
  }
  CHECK(made > 20);
}

TEST_CASE("a stopped or disabled unit and a changed link are drift, put back and told", "[agent][reconcile][drift]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  REQUIRE(w.pass().changes.empty());
  REQUIRE(w.world.io.run(w.units->stop("kubelet.service")));
  CHECK(w.pass().drifted == std::vector<std::string>{"kubelet.service was stopped"});
  CHECK(w.units->units["kubelet.service"].status.running());
  REQUIRE(w.world.io.run(w.units->disable({"docker.service"})));
  CHECK(w.pass().drifted == std::vector<std::string>{"enabled docker.service"});
  CHECK(w.units->units["docker.service"].status.enabled);
  const std::string link = w.paths.kubelet_dir + "/pki/kubeletClient.key";
  const std::string target = std::filesystem::read_symlink(link);
  std::filesystem::remove(link);
  std::filesystem::create_symlink("/somewhere/else", link);
  CHECK(w.pass().drifted == std::vector<std::string>{link});
  CHECK(std::filesystem::read_symlink(link) == target);
  const std::string bundle = w.paths.kubelet_dir + "/pki/kubeClient-ca.crt";
  put_file(bundle, "another CA");
  CHECK(w.pass().drifted == std::vector<std::string>{bundle});
  REQUIRE(w.life->state.drift);
}

TEST_CASE(
    "our CNI plugins are copied beside somebody else's, noted before, and put back when they are deleted",
    "[agent][reconcile][copies]") {
  OneFolderWorld w;
  w.copier.files[w.path("portmap")] = std::string(64, '9');  // somebody else's
  w.copier.files[w.path("calico")] = std::string(64, '8');
  const PassReport first = w.pass();
  INFO(text_of(first.problems));
  REQUIRE(first.clean());
  CHECK(w.copier.files.at(w.path("bridge")) == std::string(64, '1'));
  CHECK(w.copier.files.at(w.path("portmap")) == std::string(64, '9'));
  CHECK(w.ledger.find(ChangeKind::dir, w.paths.cni_bin_dir) != nullptr);
  CHECK(w.ledger.find(ChangeKind::copy, entry_name({w.path("bridge"), std::string(64, '1')})) != nullptr);
  CHECK(w.ledger.find(ChangeKind::copy, entry_name({w.path("portmap"), std::string(64, '2')})) == nullptr);
  REQUIRE(w.pass().changes.empty());
  w.copier.files.erase(w.path("bridge"));
  CHECK(w.pass().drifted == std::vector<std::string>{"copied a program to " + w.path("bridge")});
  CHECK(w.copier.files.count(w.path("bridge")) == 1);
}

TEST_CASE("copies of CNI plugins follow the artifact, and go when the runtime needs them no more",
          "[agent][reconcile][copies]") {
  OneFolderWorld w;
  REQUIRE(w.pass().clean());
  w.copier.installed["cni-plugins"] = {{"bridge", std::string(64, '3')}};
  REQUIRE(w.pass().clean());
  CHECK(w.copier.files == FilesThere{{w.path("bridge"), std::string(64, '3')}});
  w.copier.files[w.path("calico")] = std::string(64, '8');
  w.copier.files[w.path("host-local")] = std::string(64, '1');
  w.set_containerd("2.1.0");
  w.units->stuck.insert("containerd.service");
  (void)w.pass();
  // The one that runs looks for them still.
  CHECK(w.copier.files.count(w.path("bridge")) == 1);
  w.units->stuck.clear();
  w.world.clock.advance(std::chrono::seconds(30));
  const PassReport last = w.pass();
  INFO(text_of(last.problems));
  CHECK(last.clean());
  CHECK(w.copier.files ==
        FilesThere{{w.path("calico"), std::string(64, '8')}, {w.path("host-local"), std::string(64, '1')}});
}

TEST_CASE("no copy is made that the ledger does not know, nor of programs that are not installed",
          "[agent][reconcile][copies]") {
  OneFolderWorld w;
  SECTION("the ledger cannot be written") {
    w.noting = [&w](const std::vector<Intent>& intents) -> Status {
      for (const Intent& intent : intents)
        if (intent.kind == ChangeKind::copy) return make_error(Errc::exhausted, "no space left");
      return w.note_all(intents);
    };
    w.restart_agent();
    const PassReport report = w.pass();
    CHECK(text_of(report.problems).find("no space left") != std::string::npos);
    CHECK(w.copier.files.empty());
  }
  SECTION("the artifact is not there yet") {
    w.component("cni-plugins").artifact.reset();
    const PassReport report = w.pass();
    CHECK(report.problems.empty());
    CHECK(w.copier.files.empty());
  }
}

TEST_CASE(
    "programs that read our drop-ins are told when one was written, not again, and again until they could be",
    "[agent][reconcile][readers]") {
  ReconcileWorld w;
  w.readers.running.erase(FileReader::network_manager);
  w.readers.errors.insert_or_assign(FileReader::networkd, Error{Errc::timeout, "no answer"});
  const PassReport first = w.pass();
  CHECK(first.clean());  // nothing of the pod network depends on it
  using Asked = std::vector<FileReader>;
  CHECK(w.readers.asked == Asked{FileReader::networkd, FileReader::network_manager});
  w.readers.errors.clear();
  w.pass();
  CHECK(w.readers.rereads[FileReader::networkd] == 1);
  w.readers.asked.clear();
  w.pass();
  CHECK(w.readers.asked.empty());
  w.network->state().files.erase(NetworkFile::network_manager);
  w.pass();
  CHECK(w.readers.asked == Asked{FileReader::network_manager});
  // udev and the start of networkd see theirs by themselves.
  w.readers.asked.clear();
  w.network->state().files.erase(NetworkFile::udev_link);
  w.network->state().files.erase(NetworkFile::networkd_routes);
  w.pass();
  CHECK(w.readers.asked.empty());
}

namespace {

// A node that stands, and a pass that waits for the download of a new docker, beside the task that looks after the network.
struct LongPass {
  explicit LongPass(ReconcileWorld& world) : w(world), network(w.world.io, w.reconciler->run_network()) {
    w.component("docker").artifact->sha256 = std::string(64, 'c');
    w.life->state.desired = w.desired;
    w.slow.on = true;
    passing = w.world.io.start(w.reconciler->pass());
    poll_until(w.world.io, [this] { return w.slow.reached; });
  }
  ~LongPass() { (void)network.cancel(); }
  void after(Millis time) {
    w.world.clock.advance(time);
    w.world.io.poll();
  }
  PassReport end() {
    w.slow.on = false;
    w.slow.end.notify();
    poll_until(w.world.io, [this] { return passing->done; });
    return *passing->value;
  }
  // Where the other node's pods are reached.
  std::string way() const {
    for (const MarkedRoute& route : w.network->state().routes)
      if (route.gateway) return route.gateway->to_string();
    return "";
  }

  ReconcileWorld& w;
  Cancelable<void> network;
  std::shared_ptr<IoTest::Outcome<PassReport>> passing;
};

}  // namespace

TEST_CASE("a download that does not end holds up no route of a peer that moves", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  LongPass pass(w);
  REQUIRE(pass.way() == "10.77.0.14");
  w.desired.nodes.back().address = "10.77.0.15";
  w.desired.revision = 6;
  w.life->state.desired = w.desired;
  w.life->state.network_news.set();
  w.world.io.poll();
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.15");
  CHECK(w.life->state.routes.revision == 6);
  CHECK_FALSE(w.life->state.drift);
  CHECK(w.life->state.reconcile.is_set());  // for what hangs on it
  REQUIRE_FALSE(pass.passing->done);
  // The pass is about the revision before, and starts docker anew: it looks at the network once more.
  const PassReport report = pass.end();
  CHECK(report.clean());
  CHECK(report.revision == 5);
  CHECK(report.drifted.empty());
  CHECK(pass.way() == "10.77.0.15");
}

TEST_CASE("a download that does not end holds up no route that a flap of the link took", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  LongPass pass(w);
  w.network->set_link_up(false);
  w.network->set_link_up(true);
  REQUIRE(pass.way().empty());
  w.life->state.network_news.set();
  w.world.io.poll();
  CHECK(pass.way().empty());  // the events of one flap are looked at together
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.14");
  REQUIRE(w.life->state.drift);
  CHECK(w.life->state.drift->what.size() == 1);
  // The next flap does not wait for longer than what is left of a tenth of a second.
  w.network->set_link_up(false);
  w.network->set_link_up(true);
  w.life->state.network_news.set();
  pass.after(Millis(80));
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.14");
  (void)pass.end();
}

TEST_CASE("what a pass has looked at is not looked at again for the same news", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  Cancelable<void> network(w.world.io, w.reconciler->run_network());
  w.life->state.network_news.set();
  w.world.io.poll();
  REQUIRE(w.pass().clean());
  const int looks = w.network->observe_count;
  w.world.clock.advance(Millis(20));
  w.world.io.poll();
  CHECK(w.network->observe_count == looks);
  (void)network.cancel();
}

TEST_CASE("a network that cannot be looked at between passes ends no task", "[agent][reconcile][long]") {
  ReconcileWorld w;
  bool full = false;
  w.noting = [&full](const std::vector<Intent>&) -> Status {
    return full ? Status(make_error(Errc::exhausted, "no space left")) : Status();
  };
  w.restart_agent();
  full = true;
  w.life->state.desired = w.desired;
  Cancelable<void> network(w.world.io, w.reconciler->run_network());
  w.life->state.network_news.set();
  w.world.io.poll();
  w.world.clock.advance(Millis(20));
  w.world.io.poll();
  poll_until(w.world.io, [&w] { return w.world.clock.sleeper_count() == 1; });  // it rests
  CHECK_FALSE(network.ended());
  CHECK(w.network->applied.empty());
  full = false;
  w.life->state.network_news.set();
  w.world.clock.advance(Millis(80));
  w.world.io.poll();
  w.world.clock.advance(Millis(20));
  poll_until(w.world.io, [&w] { return !w.network->applied.empty(); });
  (void)network.cancel();
}

TEST_CASE("the pod network's files are watched like those of the components", "[agent][reconcile][drift]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  for (const char* file : {"sysctl.d/90-slipway.conf", "modules-load.d/slipway.conf"}) CHECK(w.watched.count(std::string("/etc/") + file) == 1);
  for (const NetworkFile file : k_network_files) CHECK(w.watched.count("/etc/" + network_file_path(file)) == 1);
  CHECK(w.watched.count(w.paths.kubelet_dir + "/config.yaml") == 1);
}

namespace {

std::filesystem::perms mode_of(const std::string& path) {
  return std::filesystem::symlink_status(path).permissions() & std::filesystem::perms::all;
}

}  // namespace

TEST_CASE("a service account key that others may read, or that is another, is put back", "[agent][reconcile][drift]") {
  ReconcileWorld w("master");
  const auto pem = [] { return std::string(PrivateKey::generate_rsa2048().value().to_pem().value().reveal()); };
  w.world.coordinator.service_account_key = pem();
  REQUIRE(w.pass().clean());
  const std::string key = w.paths.kubernetes_dir + "/pki/sa.key", open_key = w.paths.kubernetes_dir + "/pki/sa.pub";
  SECTION("its mode, without the coordinator") {
    w.world.coordinator.refusal = make_error(Errc::unavailable, "away");
    std::filesystem::permissions(key, std::filesystem::perms(0644));
    CHECK(w.pass().drifted == std::vector<std::string>{key});
    CHECK(mode_of(key) == std::filesystem::perms(0600));
    std::filesystem::permissions(open_key, std::filesystem::perms(0600));
    CHECK_FALSE(w.pass().drifted.empty());
    CHECK(mode_of(open_key) == std::filesystem::perms(0644));
    CHECK(w.pass().changes.empty());
    CHECK(w.world.coordinator.secret_requests == 1);
  }
  SECTION("the content of one of the two") {
    put_file(GENERATE_COPY(key, open_key), pem());
    w.pass();
    CHECK(get_file(key) == w.world.coordinator.service_account_key);
    CHECK(get_file(open_key) == PrivateKey::from_pem(Secret(w.world.coordinator.service_account_key)).value().public_pem());
    CHECK(w.world.coordinator.secret_requests == 2);
    CHECK(w.pass().changes.empty());
    CHECK(w.world.coordinator.secret_requests == 2);
  }
  SECTION("another pair that belongs together") {
    REQUIRE(w.pass().changes.empty());
    const std::string other = pem();
    put_file(key, other);
    put_file(open_key, PrivateKey::from_pem(Secret(other)).value().public_pem());
    const PassReport report = w.pass();
    CHECK(std::count(report.drifted.begin(), report.drifted.end(), "service account key") == 1);
    CHECK(get_file(key) == w.world.coordinator.service_account_key);
  }
  SECTION("and while the coordinator is away it is told") {
    w.world.coordinator.refusal = make_error(Errc::unavailable, "away");
    put_file(key, pem());
    CHECK(text_of(w.pass().problems).find("fetching what masters share") != std::string::npos);
    w.world.coordinator.refusal.reset();
    CHECK(w.pass().clean());
    CHECK(get_file(key) == w.world.coordinator.service_account_key);
  }
}

TEST_CASE("folders of keys are made private again", "[agent][reconcile][drift]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  const std::string keys = w.paths.kubelet_dir + "/pki";
  CHECK(w.watched.count(keys) == 1);
  std::filesystem::permissions(keys, std::filesystem::perms(0755));
  CHECK(w.pass().drifted == std::vector<std::string>{keys});
  CHECK(mode_of(keys) == std::filesystem::perms(0700));
  CHECK(w.pass().changes.empty());
}

TEST_CASE("a network configuration that runtimes take before ours is told as long as it is there", "[agent][reconcile]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  CHECK(w.watched.count(w.paths.cni_conf_dir + "/*") == 1);
  for (const char* later : {"/20-other.conflist", "/05-notes.txt", "/.05-hidden.conf.tmp-1"}) put_file(w.paths.cni_conf_dir + later, "{}");
  CHECK(w.pass().clean());
  const std::string rival = w.paths.cni_conf_dir + "/05-other.conf";
  put_file(rival, "{}");
  const PassReport report = w.pass();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find("network: " + rival + " comes before") == 0);
  CHECK(report.network_ready);
  // It is the other plugin's to write there when the network is.
  w.desired.cluster.network.backend = "external";
  CHECK(text_of(w.pass().problems).find("comes before") == std::string::npos);
  w.desired.cluster.network.backend = "host-gw";
  std::filesystem::remove(rival);
  CHECK(text_of(w.pass().problems).empty());
}
