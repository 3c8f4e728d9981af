// Passes of the Reconciler: what is wanted comes about, once, and what fails is named.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/service/host_files.hpp"
#include "agent/service/renew.hpp"
#include "agent/service/status.hpp"
#include "common/crypto/private_key.hpp"
#include "tests/unit/agent/reconcile_world.hpp"

using namespace slipway;
using namespace slipway::test;

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
