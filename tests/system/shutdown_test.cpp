// A host that is switched off: its pods are ended by slipway-pods.service, and nothing waits for one that
// does not go.
#include <catch2/catch.hpp>
#include <filesystem>

#include "common/core/text.hpp"
#include "lab.hpp"
#include "pods.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;

namespace {

constexpr char k_host[] = "down1";
constexpr char k_pod[] = "stubborn";

// The lab shortens systemd's patience on its hosts; this one has Debian's, 90 seconds.
class PatientHost {
 public:
  PatientHost() {
    const std::string cluster = lab::cluster_name();
    lab::tool({"destroy", cluster, k_host});
    need({"create", cluster, k_host, lab::network_prefix() + ".54"});
    const std::filesystem::path root(slipway::trim(lab::tool({"root", cluster, k_host}).out));
    REQUIRE(std::filesystem::remove(root / "etc/systemd/system.conf.d/lab.conf"));
    need({"boot", cluster, k_host});
    need({"install", cluster, k_host, "slipway-agent"});
  }
  ~PatientHost() {
    lab::tool({"destroy", lab::cluster_name(), k_host});
    lab::kubectl({"delete", "pod", k_pod, "--force", "--grace-period=0"});
    lab::slipwayctl({"node", "delete", "--yes", k_host});
  }
  PatientHost(const PatientHost&) = delete;
  PatientHost& operator=(const PatientHost&) = delete;
  static void need(const lab::Words& words) {
    const lab::Outcome outcome = lab::tool(words, 300s);
    INFO(slipway::join(words, " ") << ": " << outcome.err);
    REQUIRE(outcome.ok());
  }
};

// By hand, on a host that does not start anew for it.
void join() {
  lab::write_file(k_host, "/root/token", lab::create_token({"--node", k_host}) + "\n", "0600");
  must(k_host, {"slipway-agent", "join", "--server", lab::coordinator_url(), "--token-file", "/root/token",
                "--ignore-preflight-errors", "all"});
  eventually("the node to be Ready", 240s, [] { return lab::node_ready(k_host); }, {k_host});
}

std::string container() {
  return lab::field_of({"pod", k_pod}, ".status.containerStatuses[0].containerID");
}

// Neither the shell nor what it starts hears SIGTERM. The grace is longer than what a shutdown may take.
void run_stubborn_pod() {
  lab::copy_images(k_host);
  lab::run_pod(
      {k_pod, k_host,
       R"("command":["/bin/busybox","sh","-c","trap '' TERM; while :; do /bin/busybox sleep 1000; done"])",
       R"("terminationGracePeriodSeconds":600)"});
}

std::string told_by_stop() {
  return lab::on(k_host, {"journalctl", "--no-pager", "-q", "-o", "cat", "-u", "slipway-pods"}).out;
}

}  // namespace

TEST_CASE(
    "system 28: a host with a pod that ignores SIGTERM is off within thirty seconds, and comes back Ready",
    "[system][shutdown]") {
  const PatientHost host;
  REQUIRE(must(k_host, {"systemctl", "show", "-p", "DefaultTimeoutStopUSec", "--value"}) == "1min 30s");
  join();
  CHECK(must(k_host, {"systemctl", "show", "-p", "ActiveState", "--value", "slipway-pods"}) == "active");
  run_stubborn_pod();
  const std::string before = container();
  REQUIRE_FALSE(before.empty());
  const std::string pid = must(k_host, {"/opt/slipway/docker/current/docker", "inspect", "-f",
                                        "{{.State.Pid}}", before.substr(before.find("//") + 2)});

  // Not at a stop by hand, or of the agent.
  must(k_host, {"systemctl", "restart", "slipway-pods", "slipway-agent"});
  CHECK(lab::on(k_host, {"kill", "-0", pid}).ok());
  CHECK(told_by_stop().find("processes of pods") == std::string::npos);

  // In the host, and to its last process; the pod is killed after ten seconds.
  const lab::Outcome off = lab::tool({"poweroff", lab::cluster_name(), k_host}, 30s);
  INFO(off.out << off.err);
  REQUIRE(off.ok());

  PatientHost::need({"boot", lab::cluster_name(), k_host});
  const std::string told = told_by_stop();
  INFO(told);
  CHECK(told.find(" processes of pods, ") != std::string::npos);
  CHECK(told.find(" processes of pods, 0 of them with SIGKILL") == std::string::npos);
  eventually("the pod to run anew", 180s,
             [&before] {
               const std::string now = container();
               return lab::node_ready(k_host) && !now.empty() && now != before &&
                      lab::field_of({"pod", k_pod}, ".status.phase") == "Running";
             },
             {k_host});
}
