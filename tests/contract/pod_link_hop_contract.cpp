// Pods of both families where nodes have addresses of one: IPv6 by link-local addresses that follow from IPv4
// ones, and IPv4 by IPv6.
#include <catch2/catch.hpp>

#include "agent/domain/link_hop.hpp"
#include "agent/net/network_undo.hpp"
#include "tests/support/ping.hpp"
#include "tests/support/pod_checks.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

PodLab v4_nodes(int count) {
  return PodLab(std::vector<int>(static_cast<std::size_t>(count), 0), backend(NetworkBackend::host_gw), true,
                LabUnderlay::v4);
}

void run_in(LabNode& node, const Lines& commands) {
  node.ns.within([&commands] {
    for (const std::string& command : commands) run_words(command);
  });
}

void swallow_news(PodLab& lab, LabNode& node) {
  while (has_news(lab, *node.kernel)) {
  }
}

void check_nodes_reach_pods(PodLab& lab) {
  for (std::size_t i = 0; i < lab.size(); ++i)
    for (std::size_t j = 0; j < lab.size(); ++j) {
      INFO(lab.node(i).name() + " to the pod of " + lab.node(j).name());
      CHECK(lab.node_reaches(lab.node(i), lab.node(j), true));
      CHECK(lab.node_reaches(lab.node(i), lab.node(j), false));
    }
}

const char* const k_hop = "fe80::5157:a4d:b";  // of node 1

}  // namespace

TEST_CASE("link hops: host-gw, full mesh in both families between nodes without an IPv6 address",
          "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(3);
  lab.pass_all();
  check_whole(lab, 1500 - k_v6_echo);
  check_nodes_reach_pods(lab);
  for (std::size_t i = 0; i < lab.size(); ++i) CHECK(lab.marked(lab.node(i)) == marks(4, 0, 0, 1));
  lab.node(0).ns.within([] {
    const std::string shown = run_words("ip -6 address show dev eth0");
    CHECK(shown.find(std::string("inet6 ") + k_hop + "/64 scope link nodad") != std::string::npos);
    const std::string route = run_words("ip -6 route show fd00:10:2::/64");
    CHECK(route.find("via fe80::5157:a4d:c dev eth0 proto 77 src fd00:10:1::1") != std::string::npos);
  });
}

TEST_CASE("link hops: after each harm", "[network][pods][link_hop][harm]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(3);
  lab.pass_all();
  const std::string hop = k_hop;
  const Harm harms[] = {
      {"link hop deleted", {"ip -6 address del " + hop + "/64 dev eth0"}},
      {"link hop put with another prefix",
       {"ip -6 address del " + hop + "/64 dev eth0", "ip -6 address add " + hop + "/128 dev eth0 nodad"}},
      {"link hop on another interface",
       {"ip -6 address del " + hop + "/64 dev eth0", "ip -6 address add " + hop + "/64 dev cni0 nodad"}},
      {"a link hop of nobody", {"ip -6 address add fe80::5157:1:1/64 dev eth0 nodad"}, false},
      {"underlay down and up",
       {"ip link set eth0 down", "ip link set eth0 up", "ip route replace default via 10.77.0.1"}},
      {"underlay addresses flushed and put again",
       {"ip address flush dev eth0", "ip address add 10.77.0.11/24 dev eth0",
        "ip route replace default via 10.77.0.1"}},
      {"IPv6 off and on",
       {"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1", "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0"}},
      {"our routes flushed", {"ip route flush proto 77", "ip -6 route flush proto 77"}},
      {"the preferred source taken away",
       {"ip -6 address del fd00:10:1::1/64 dev cni0", "ip -6 address add fd00:10:1::1/64 dev cni0 nodad"}},
  };
  for (const Harm& harm : harms) {
    suffer(lab, harm);
    check_nodes_reach_pods(lab);
  }
}

TEST_CASE("link hops: a node's address changes", "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(3);
  lab.pass_all();
  LabNode& moved = lab.node(1);
  run_in(moved, {"ip address add 10.77.0.112/24 dev eth0"});
  moved.desired.node_address = *IpAddress::parse("10.77.0.112");
  lab.pass(moved);
  // Peers that have not heard of it reach its pods still.
  CHECK(lab.broken() == Lines{});
  CHECK(lab.marked(moved) == marks(4, 0, 0, 2));
  lab.tell_all();
  lab.pass_all();
  check_whole(lab, 1500 - k_v6_echo);
  run_in(moved, {"ip address del 10.77.0.12/24 dev eth0", "ip address replace 10.77.0.112/24 dev eth0"});
  CHECK(has_news(lab, *moved.kernel));
  lab.pass_all();
  check_whole(lab, 1500 - k_v6_echo);
  for (std::size_t i = 0; i < lab.size(); ++i) CHECK(lab.marked(lab.node(i)) == marks(4, 0, 0, 1));
  moved.ns.within([] {
    CHECK(run_words("ip -6 address show dev eth0").find("fe80::5157:a4d:70/64") != std::string::npos);
  });
}

TEST_CASE("link hops: IPv6 that is off on the underlay is named, and nothing else suffers",
          "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(2);
  LabNode& node = lab.node(0);
  run_in(node, {"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1"});
  lab.pass_all();
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.broken() == Lines{"n1>n2 v6", "n2>n1 v6"});
  const auto findings = network_findings(node.desired, lab.observe(node));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::underlay_without_v6);
  run_in(node, {"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0"});
  lab.pass(node);
  (void)lab.broken();  // a peer that asks for the address since before drops what waits for the answer, and asks anew
  check_whole(lab, 1500 - k_v6_echo);
  CHECK(network_findings(node.desired, lab.observe(node)).empty());
}

TEST_CASE("link hops: a node sends to IPv6 pods as soon as it has a bridge", "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(2);
  LabNode& node = lab.node(0);
  run_in(node, {"ip link del cni0"});
  lab.pass_all();
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.node_reaches(node, lab.node(1), true));
  CHECK_FALSE(lab.node_reaches(node, lab.node(1), false));  // there is no address that an answer could go to
  swallow_news(lab, node);
  run_in(node, {"ip link add cni0 type bridge", "ip link set cni0 up", "ip address add 10.10.1.1/24 dev cni0",
                "ip -6 address add fd00:10:1::1/64 dev cni0 nodad", "ip link set p0 master cni0"});
  CHECK(has_news(lab, *node.kernel));
  lab.pass(node);
  check_whole(lab, 1500 - k_v6_echo);
  check_nodes_reach_pods(lab);
}

TEST_CASE("link hops: nodes with IPv6 addresses alone carry IPv4 pods too", "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::host_gw), true, LabUnderlay::v6);
  lab.pass_all();
  check_whole(lab, 1500 - k_v6_echo);
  check_nodes_reach_pods(lab);
  CHECK(lab.marked(lab.node(0)) == marks(4, 0, 0));
  lab.node(0).ns.within([] {
    CHECK(
        run_words("ip route show 10.10.2.0/24").find("via inet6 fd77::12 dev eth0 proto 77 src 10.10.1.1") !=
        std::string::npos);
  });
  suffer(lab,
         {"underlay down and up",
          {"ip link set eth0 down", "ip link set eth0 up", "ip -6 address replace fd77::11/64 dev eth0 nodad",
           "ip -6 route replace default via fd77::1"}});
}

TEST_CASE("link hops: a reset takes them away, and no other address",
          "[network][pods][link_hop]") {
  if (no_root()) return;
  PodLab lab = v4_nodes(2);
  lab.pass_all();
  LabNode& node = lab.node(0);
  const auto shown = [&node] { return node.ns.run("ip -6 address show dev eth0"); };
  const std::string own = shown();
  node.ns.within([&] {
    auto undo = net::NetworkUndo::open({});
    REQUIRE(undo);
    CHECK(undo->former({ChangeKind::addresses, k_link_hop_mark})->former == Former::found);
    ResetStep step;
    step.action = ResetAction::remove_addresses;
    step.change = {ChangeKind::addresses, k_link_hop_mark};
    CHECK(undo->look(step.change)->more == Lines{std::string(k_hop) + " on eth0"});
    CHECK(undo->undo(step));
    CHECK_FALSE(undo->look(step.change)->there);
    CHECK(undo->undo(step));  // nothing is left to do
    CHECK(undo->former({ChangeKind::addresses, k_link_hop_mark})->former == Former::absent);
  });
  CHECK(own.find(k_hop) != std::string::npos);
  CHECK(shown().find("fe80::5157:") == std::string::npos);
  CHECK(shown().find("fe80::") != std::string::npos);  // the kernel's own
}
