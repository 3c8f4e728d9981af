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

// Of all containers that run on a host, pods' sandboxes too, as the runtime itself has it: a kubelet that is away tells nothing.
std::string starts_on(const std::string& host) {
  const std::string all = must(host, {"sh", "-c", "docker=/opt/slipway/docker/current/docker; $docker inspect --format "
                                                  "'{{.Name}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}}' $($docker ps -q --no-trunc) | sort"});
  REQUIRE_FALSE(all.empty());
  return all;
}
std::string starts_on_nodes() { return starts_on("node1") + "\n" + starts_on("node2"); }

std::string serial_of(const std::string& host, const std::string& usage) {
  return must(host, {"openssl", "x509", "-noout", "-serial", "-in", "/var/lib/kubelet/pki/" + usage + ".crt"});
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
  eventually("the full disk to be told on the host", 180s, [&] { return status_says(host.name(), "no space left"); }, {"extra7"});
  REQUIRE(on(host.name(), {"test", "-e", "/opt/slipway/kubelet/current"}).status != 0);
  // At the coordinator, too: the operator need not log in.
  eventually("the full disk to be told at the coordinator", 60s, [] {
    return lab::slipwayctl({"node", "get", "extra7"}).out.find("no space left") != std::string::npos;
  }, {"extra7"});
  must(host.name(), {"mount", "-o", "remount,size=2g", "/opt/slipway"});
  eventually("extra7 Ready once there is room", 240s, [] { return lab::node_ready("extra7"); }, {"extra7"});
  REQUIRE(must(host.name(), {"find", "/opt/slipway", "-maxdepth", "2", "-name", ".tmp-*"}).empty());
  lab::must_slipwayctl({"node", "delete", "--yes", "extra7"});
}

TEST_CASE("system 26: a kubelet with a bad argument is told as a crash loop with its last words, and pods run on", "[system]") {
  const std::string starts = starts_on_nodes();
  lab::write_file("master", "/root/bad-kubelet.yaml", "kubelet: {extraArgs: [--no-such-flag=1]}\n", "0600");
  lab::must_slipwayctl({"node", "config", "node1", "-f", "/root/bad-kubelet.yaml", "--yes"});
  // Three restarts are a crash loop (docs/supervision.md).
  eventually("the third restart", 180s, [] {
    const auto unit = on("node1", {"systemctl", "show", "-p", "NRestarts", "-p", "ExecStart", "kubelet"}).out;
    const std::size_t count = unit.find("NRestarts=") + std::string("NRestarts=").size();
    const auto restarts = slipway::parse_u64(unit.substr(count, unit.find('\n', count) - count));
    return unit.find("--no-such-flag=1") != std::string::npos && restarts && *restarts >= 3;
  }, {"node1"});
  std::string told;
  eventually("the crash loop at the coordinator", 5s, [&told] {
    told = lab::slipwayctl({"node", "get", "node1"}).out;
    return told.find("crash-loop") != std::string::npos;
  }, {"node1"});
  INFO(told);
  CHECK(told.find("kubelet: exited with code ") != std::string::npos);
  // The kubelet's own words, which the stacks of its goroutines follow.
  CHECK(told.find("unknown flag: --no-such-flag") != std::string::npos);
  const std::string json = lab::must_slipwayctl({"node", "get", "node1", "-o", "json"});
  CHECK(json.find("\"reason\": \"exited\"") != std::string::npos);
  CHECK(json.find("\"exitCode\"") != std::string::npos);
  CHECK(lab::pods_talk());
  CHECK(starts_on_nodes() == starts);

  lab::must_slipwayctl({"node", "config", "node1", "--clear", "--yes"});
  eventually("a kubelet without it", 120s, [] {
    const auto unit = on("node1", {"systemctl", "show", "-p", "SubState", "-p", "ExecStart", "kubelet"}).out;
    return unit.find("SubState=running") != std::string::npos && unit.find("--no-such-flag") == std::string::npos;
  }, {"node1"});
  eventually("node1 Ready", 90s, [] { return lab::node_ready("node1"); }, {"node1"});
  // A run of two minutes ends a loop.
  eventually("the loop to be over", 180s, [] {
    const auto node = lab::slipwayctl({"node", "get", "node1"});
    return node.ok() && node.out.find("crash-loop") == std::string::npos;
  }, {"node1"});
  CHECK(starts_on_nodes() == starts);
  eventually("everything healthy", 120s, [] { return lab::slipwayctl({"health"}).ok(); }, {"master", "node1"});
}

TEST_CASE("system 27: no container starts anew for an agent, a coordinator or new certificates", "[system]") {
  const std::string starts = starts_on_nodes();
  const std::string told = container_starts();
  must("node1", {"systemctl", "restart", "slipway-agent"});
  must("node2", {"systemctl", "kill", "-s", "KILL", "slipway-agent"});
  eventually("both agents", 60s, [] { return on("node1", {"slipway-agent", "status"}).ok() && on("node2", {"slipway-agent", "status"}).ok(); },
             {"node1", "node2"});
  CHECK(starts_on_nodes() == starts);

  must("master", {"systemctl", "stop", "slipway-coordinator"});
  must("node2", {"systemctl", "restart", "slipway-agent"});
  const auto stopped = std::chrono::steady_clock::now();
  // A full pass of each agent, and more.
  eventually("75 s without a coordinator", 120s, [stopped] { return std::chrono::steady_clock::now() - stopped > 75s; });
  CHECK(starts_on_nodes() == starts);
  CHECK(lab::pods_talk());
  must("master", {"systemctl", "start", "slipway-coordinator"});
  eventually("everything healthy", 120s, [] { return lab::slipwayctl({"health"}).ok(); }, {"master", "node1", "node2"});
  CHECK(starts_on_nodes() == starts);

  const std::string client = serial_of("node1", "kubeletClient");
  const std::string serving = serial_of("node1", "kubeletServing");
  lab::must_slipwayctl({"certs", "rotate", "node1"});
  eventually("new certificates on node1", 120s, [&] { return serial_of("node1", "kubeletClient") != client && serial_of("node1", "kubeletServing") != serving; },
             {"node1"});
  eventually("node1 Ready, and everything healthy", 120s, [] { return lab::node_ready("node1") && lab::slipwayctl({"health"}).ok(); }, {"node1"});
  CHECK(lab::pods_talk());
  CHECK(starts_on_nodes() == starts);
  CHECK(container_starts() == told);
}
