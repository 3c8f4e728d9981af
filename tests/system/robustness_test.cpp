// Hosts that are not as one would like them, and changes of the agent itself: what runs goes on, what failed says why and converges.
#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;
using lab::on;

namespace {

// When each container of the quickstart's pods was started, and how often again: the same text means that nobody noticed anything.
std::string container_starts() {
  return lab::must_kubectl({"get", "pods", "-o",
                            "jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].state.running.startedAt} "
                            "{.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].containerID};{end}"});
}

std::string pids_of(const std::string& host) {
  std::string all;
  for (const std::string unit : {"containerd", "docker", "kubelet", "kube-proxy"}) all += unit + "=" + lab::main_pid(host, unit) + " ";
  return all;
}

bool status_says(const std::string& host, const std::string& words) {
  return on(host, {"slipway-agent", "status"}).out.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("system 03b: the upgrade of the agent's package restarts the agent alone", "[system]") {
  const std::string agent = lab::main_pid("node1", "slipway-agent");
  const std::string pids = pids_of("node1");
  const std::string starts = container_starts();
  REQUIRE(pids.find("=0") == std::string::npos);
  REQUIRE_FALSE(starts.empty());
  const auto installed = lab::tool({"install", lab::cluster_name(), "node1", "slipway-agent"}, 300s);
  INFO(installed.out << installed.err);
  REQUIRE(installed.ok());
  eventually("a new agent to run", 60s, [&] {
    const std::string now = lab::main_pid("node1", "slipway-agent");
    return now != agent && now != "0" && on("node1", {"slipway-agent", "status"}).ok();
  }, {"node1"});
  eventually("node1 to be healthy for its coordinator", 60s, [] { return lab::slipwayctl({"health"}).ok(); }, {"node1"});
  REQUIRE(pids_of("node1") == pids);
  REQUIRE(container_starts() == starts);
  REQUIRE(lab::pods_talk());
}

TEST_CASE("system 25: a full disk and a read-only /usr: the agent says what is wrong, and goes on when there is room", "[system]") {
  lab::ExtraHost host("extra7", 47);
  must(host.name(), {"mkdir", "-p", "/opt/slipway"});
  must(host.name(), {"mount", "-t", "tmpfs", "-o", "size=40m,mode=0755", "small", "/opt/slipway"});
  must(host.name(), {"mount", "--bind", "/usr", "/usr"});
  must(host.name(), {"mount", "-o", "remount,bind,ro", "/usr"});
  host.start_agent(lab::coordinator_url(), lab::create_token({}));
  eventually("the full disk to be told on the host", 180s, [&] { return status_says(host.name(), "No space left"); }, {"extra7"});
  REQUIRE(on(host.name(), {"test", "-e", "/opt/slipway/kubelet/current"}).status != 0);
  // At the coordinator, too: the operator need not log in.
  eventually("the full disk to be told at the coordinator", 60s, [] {
    return lab::slipwayctl({"node", "get", "extra7"}).out.find("No space left") != std::string::npos;
  }, {"extra7"});
  must(host.name(), {"mount", "-o", "remount,size=2g", "/opt/slipway"});
  eventually("extra7 Ready once there is room", 240s, [] { return lab::node_ready("extra7"); }, {"extra7"});
  REQUIRE(must(host.name(), {"find", "/opt/slipway", "-maxdepth", "2", "-name", ".tmp-*"}).empty());
  lab::must_slipwayctl({"node", "delete", "--yes", "extra7"});
}
