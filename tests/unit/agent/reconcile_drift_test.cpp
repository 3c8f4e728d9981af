// What changed on the host or went ill under the agent is put back, and told.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/service/status.hpp"
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
