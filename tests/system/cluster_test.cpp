// What an operator relies on, on real hosts: the cluster that packaging/quickstart made, and what it does when things end.
#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;
using lab::must_kubectl;
using lab::on;
using lab::pods_talk;

namespace {

// IPv4 routes of another node's pods, as node `host` has them.
std::string routes_of(const std::string& host) { return must(host, {"ip", "route", "show", "proto", "77"}); }

}  // namespace

TEST_CASE("system 01: three hosts joined by themselves and are Ready", "[system]") {
  for (const std::string node : {"master", "node1", "node2"}) {
    INFO(node);
    REQUIRE(lab::node_ready(node));
    REQUIRE(must_kubectl({"get", "node", node, "-o", "jsonpath={.spec.podCIDR}"}) == lab::pod_cidr_of(node));
  }
  REQUIRE(lab::pod_cidr_of("node1") != lab::pod_cidr_of("node2"));
  eventually("pods to reach each other", 60s, [] { return pods_talk(); }, {"node1", "node2"});
  REQUIRE(lab::slipwayctl({"health"}).status == 0);
}

TEST_CASE("system 02: no secret is in an argument vector or a readable file", "[system]") {
  const std::string commands = must("node1", {"ps", "-eo", "args"});
  REQUIRE(commands.find("slipway1") == std::string::npos);
  REQUIRE(commands.find("PRIVATE KEY") == std::string::npos);
  for (const std::string host : {"master", "node1"}) {
    INFO(host);
    // Every private key below our folders is for its owner alone.
    const std::string open = must(host, {"find", "-L", "/var/lib/slipway", "/var/lib/kubelet/pki", "/var/lib/kube-proxy", "/etc/slipway", "/etc/kubernetes", "-type", "f", "-name",
                                         "*.key", "-perm", "/077"});
    REQUIRE(open.empty());
  }
}

TEST_CASE("system 03: stop and start of the agent leaves kubelet and pods alone", "[system]") {
  const std::string kubelet = lab::main_pid("node1", "kubelet");
  const std::string docker = lab::main_pid("node1", "docker");
  REQUIRE(kubelet != "0");
  must("node1", {"systemctl", "stop", "slipway-agent"});
  REQUIRE(lab::main_pid("node1", "kubelet") == kubelet);
  must("node1", {"systemctl", "start", "slipway-agent"});
  eventually("node1's agent to report", 60s, [] {
    return on("node1", {"slipway-agent", "status"}).ok();
  }, {"node1"});
  REQUIRE(lab::main_pid("node1", "kubelet") == kubelet);
  REQUIRE(lab::main_pid("node1", "docker") == docker);
}

TEST_CASE("system 04: a killed kubelet comes back", "[system]") {
  const std::string before = lab::main_pid("node2", "kubelet");
  must("node2", {"kill", "-9", before});
  eventually("a new kubelet on node2", 60s, [&] {
    const std::string now = lab::main_pid("node2", "kubelet");
    return now != "0" && now != before;
  }, {"node2"});
  eventually("node2 Ready", 90s, [] { return lab::node_ready("node2"); }, {"node2"});
}

TEST_CASE("system 05: drift is repaired: routes, filter rules, forwarding, unit file", "[system]") {
  const std::string routes = routes_of("node2");
  REQUIRE_FALSE(routes.empty());
  must("node2", {"ip", "route", "flush", "proto", "77"});
  must("node2", {"nft", "delete", "table", "ip", "slipway"});
  must("node2", {"sysctl", "-qw", "net.ipv4.ip_forward=0"});
  must("node2", {"iptables", "-F", "FORWARD"});
  eventually("routes to be back", 90s, [&] { return routes_of("node2") == routes; }, {"node2"});
  eventually("the filter table to be back", 90s, [] { return on("node2", {"nft", "list", "table", "ip", "slipway"}).ok(); }, {"node2"});
  eventually("forwarding to be back", 90s, [] { return must("node2", {"sysctl", "-n", "net.ipv4.ip_forward"}) == "1"; }, {"node2"});
  eventually("pods to reach each other", 90s, [] { return pods_talk(); }, {"node2"});
}

TEST_CASE("system 05b: a changed file is put back within seconds, its component started anew, and it is told", "[system]") {
  const std::string config = "/var/lib/kubelet/config.yaml";
  const std::string before = must("node2", {"cat", config});
  const std::string kubelet = lab::main_pid("node2", "kubelet");
  lab::write_file("node2", config, "maxPods: 1", "0644");
  eventually("the kubelet's configuration to be back", 5s, [&] { return must("node2", {"cat", config}) == before; }, {"node2"});
  eventually("another kubelet", 30s, [&] {
    const std::string now = lab::main_pid("node2", "kubelet");
    return now != "0" && now != kubelet;
  }, {"node2"});
  eventually("the change to be told", 30s, [&] {
    const auto node = lab::slipwayctl({"node", "get", "node2", "-o", "json"});
    return node.ok() && node.out.find("put back at") != std::string::npos && node.out.find(config) != std::string::npos;
  }, {"node2"});
  eventually("node2 Ready", 90s, [] { return lab::node_ready("node2"); }, {"node2"});
}

TEST_CASE("system 05c: a kubelet that hangs is started anew", "[system]") {
  const std::string kubelet = lab::main_pid("node2", "kubelet");
  must("node2", {"kill", "-STOP", kubelet});
  // A minute of grace after its last start, then three answers ten seconds apart, each given five.
  eventually("another kubelet", 180s, [&] {
    const std::string now = lab::main_pid("node2", "kubelet");
    return now != "0" && now != kubelet;
  }, {"node2"});
  eventually("node2 Ready", 90s, [] { return lab::node_ready("node2"); }, {"node2"});
}

TEST_CASE("system 05d: preflight finds nothing wrong with a node, and says so to programs", "[system]") {
  const auto text = on("node1", {"slipway-agent", "preflight", "-o", "json"});
  INFO(text.out);
  REQUIRE(text.ok());
  REQUIRE(text.out.find("\"ok\": true") != std::string::npos);
}

TEST_CASE("system 06: the cluster works while the coordinator is down", "[system]") {
  const std::string kubelet = lab::main_pid("node1", "kubelet");
  must("master", {"systemctl", "stop", "slipway-coordinator"});
  REQUIRE(lab::node_ready("node1"));
  REQUIRE(pods_talk());
  // An agent that starts meanwhile keeps its node as it was.
  must("node1", {"systemctl", "restart", "slipway-agent"});
  REQUIRE_FALSE(routes_of("node1").empty());
  REQUIRE(lab::main_pid("node1", "kubelet") == kubelet);
  must("master", {"systemctl", "start", "slipway-coordinator"});
  eventually("node1 to be in contact again", 90s, [] { return lab::slipwayctl({"health"}).ok(); }, {"master", "node1"});
  REQUIRE(lab::main_pid("node1", "kubelet") == kubelet);
  REQUIRE(pods_talk());
}

TEST_CASE("system 07: a killed coordinator loses nothing", "[system]") {
  const std::string before = lab::must_slipwayctl({"node", "list"});
  must("master", {"systemctl", "kill", "-s", "KILL", "slipway-coordinator"});
  eventually("the coordinator to answer again", 60s, [] { return lab::slipwayctl({"node", "list"}).ok(); });
  for (const std::string node : {"master", "node1", "node2"}) {
    INFO(before);
    REQUIRE(before.find(lab::pod_cidr_of(node)) != std::string::npos);
  }
}

TEST_CASE("system 08: a rebooted node is the same node, without its token", "[system]") {
  const std::string cidr = lab::pod_cidr_of("node2");
  const std::string boot = must("node2", {"cat", "/proc/sys/kernel/random/boot_id"});
  lab::write_file("node2", "/etc/slipway/join.token", "garbage", "0600");
  REQUIRE(lab::tool({"reboot", lab::cluster_name(), "node2"}).ok());
  eventually("node2 Ready after its reboot", 180s, [] {
    return lab::node_ready("node2") && lab::main_pid("node2", "kubelet") != "0";
  }, {"node2"});
  REQUIRE(lab::pod_cidr_of("node2") == cidr);
  eventually("pods to reach each other after the reboot", 180s, [] { return pods_talk(); }, {"node2"});
  eventually("everything healthy", 120s, [] { return lab::slipwayctl({"health"}).ok(); }, {"master", "node2"});
}

TEST_CASE("system 80: a one-machine cluster, and nothing left of it", "[system]") {
  const std::string quickstart = std::string(SLIPWAY_SOURCE_DIR) + "/packaging/quickstart";
  const auto made = lab::run({quickstart, "--single", "--name", "syssingle", "--net", "10.80.0.0/24", "--rebuild"}, 900s);
  INFO(made.out << made.err);
  CHECK(made.status == 0);
  CHECK(made.out.find("pod to service") != std::string::npos);
  const auto removed = lab::run({quickstart, "--name", "syssingle", "--down"}, 120s);
  INFO(removed.out << removed.err);
  REQUIRE(removed.status == 0);
  REQUIRE(lab::tool({"traces", "syssingle"}).out.empty());
}
