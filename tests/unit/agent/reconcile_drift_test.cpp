// What changed on the host or went ill under the agent is put back, and told.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/domain/host_dropins.hpp"
#include "agent/service/status.hpp"
#include "common/crypto/private_key.hpp"
#include "tests/unit/agent/reconcile_world.hpp"

using namespace slipway;
using namespace slipway::test;

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
