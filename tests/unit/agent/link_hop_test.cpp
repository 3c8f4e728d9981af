// IPv6 pods of neighbours by link-local addresses that follow from IPv4 ones, and IPv4 pods by IPv6
// addresses: the plan.
#include "agent/domain/link_hop.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/reset_plan.hpp"
#include "agent/render/traces.hpp"
#include "tests/support/fake_network.hpp"

using namespace slipway;
using slipway::test::FakeNetwork;

namespace {

using Lines = std::vector<std::string>;

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}
IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

// n2 is a neighbour, n3 is behind a router.
NetworkDesired dual_stack(NetworkBackend backend = NetworkBackend::host_gw) {
  NetworkDesired desired;
  desired.backend = backend;
  desired.node_address = ip("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.own_second_cidr = cidr("fd00:10:1::/64");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12"), cidr("fd00:10:2::/64")},
                   {"n3", cidr("10.10.3.0/24"), ip("10.78.0.13"), cidr("fd00:10:3::/64")}};
  desired.pools = {cidr("10.10.0.0/16"), cidr("fd00:10::/32")};
  desired.mac_salt = 0x5a;
  return desired;
}

FakeNetwork node() {
  FakeNetwork network(ip("10.77.0.11"), 24);
  network.state().kernel_release = "6.1.0-18-amd64";
  network.state().links[0].v6 = LinkIpv6{};
  return network;
}

Lines planned(FakeNetwork& network, const NetworkDesired& desired) {
  Lines out;
  for (const NetworkStep& step : plan_network(desired, network.state())) out.push_back(describe(step));
  return out;
}

Lines converge(FakeNetwork& network, const NetworkDesired& desired) {
  const Lines steps = planned(network, desired);
  for (const Status& status : network.apply(plan_network(desired, network.state())))
    if (!status) FAIL(status.error().message);
  CHECK(planned(network, desired) == Lines{});
  return steps;
}

Lines about(const Lines& steps, const std::string& word) {
  Lines out;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(out),
               [&word](const std::string& step) { return step.find(word) != std::string::npos; });
  return out;
}

NetworkLink bridge() {
  NetworkLink link;
  link.index = 9;
  link.name = k_pod_bridge;
  link.up = true;
  link.addresses = {{ip("10.10.1.1"), 24}, {ip("fd00:10:1::1"), 64}};
  return link;
}

const MarkedRoute& route_to(FakeNetwork& network, const char* destination) {
  for (const MarkedRoute& route : network.state().routes)
    if (route.destination == cidr(destination)) return route;
  throw std::runtime_error(std::string("no route to ") + destination);
}

std::vector<NetworkFinding> found(const NetworkDesired& desired, FakeNetwork& network,
                                  NetworkFindingKind kind) {
  std::vector<NetworkFinding> out = network_findings(desired, network.state());
  std::erase_if(out, [kind](const NetworkFinding& one) { return one.kind != kind; });
  return out;
}

}  // namespace

TEST_CASE("a link hop follows from the IPv4 address, and is told from all others",
          "[network_plan][link_hop]") {
  CHECK(link_hop(ip("10.77.0.11")).to_string() == "fe80::5157:a4d:b");
  CHECK(link_hop(ip("10.77.0.11")).is_link_local());
  CHECK(is_link_hop(link_hop(ip("192.0.2.255"))));
  for (const char* other : {"fe80::1", "fe80::5a:aff:fe0a:200", "fe80::5158:a4d:b", "fe80:0:0:1:0:5157:a4d:b",
                            "fd00::5157:a4d:b", "10.77.0.11"})
    CHECK_FALSE(is_link_hop(ip(other)));
}

TEST_CASE("dual stack, host-gw: both families by one address", "[network_plan][link_hop]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  const Lines steps = converge(network, desired);
  CHECK(about(steps, " n2)") == Lines{"put route 10.10.2.0/24 via 10.77.0.12 (node n2)",
                                      "put route fd00:10:2::/64 via fe80::5157:a4d:c (node n2)"});
  CHECK(about(steps, "put address") == Lines{"put address fe80::5157:a4d:b/64 on eth0"});
  CHECK(about(steps, "n3").empty());
  const auto findings = found(desired, network, NetworkFindingKind::not_adjacent);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].message.find("n3 (10.10.3.0/24: 10.78.0.13), n3 (fd00:10:3::/64: 10.78.0.13)") !=
        std::string::npos);
}

TEST_CASE("link hops are put only where they are used", "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  SECTION("pods of IPv4 alone") {
    desired.own_second_cidr.reset();
  }
  SECTION("everything through the tunnel") {
    desired.backend = NetworkBackend::vxlan;
  }
  SECTION("the network outside has the routes") {
    desired.backend = NetworkBackend::routes;
  }
  SECTION("somebody else's plugin") {
    desired.backend = NetworkBackend::external;
  }
  CHECK(about(converge(network, desired), "put address fe80::5157").empty());
  // And one that was left there goes.
  network.state().links[0].addresses.push_back({link_hop(ip("10.77.0.11")), 64});
  CHECK(converge(network, desired) == Lines{"remove address fe80::5157:a4d:b/64 on eth0"});
}

TEST_CASE("crossSubnet: neighbours directly in both families, the tunnel where IPv6 is off on the underlay",
          "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack(GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan));
  desired.cross_subnet = true;
  FakeNetwork network = node();
  Lines steps = converge(network, desired);
  CHECK(about(steps, " n2)") == Lines{"put route 10.10.2.0/24 via 10.77.0.12 (node n2)",
                                      "put route fd00:10:2::/64 via fe80::5157:a4d:c (node n2)"});
  CHECK(about(steps, "put neighbour").size() == 2);  // of n3
  network.set_link_up(false);
  network.set_link_up(true);
  network.state().links[0].v6->disabled = true;
  steps = converge(network, desired);
  CHECK(about(steps, "put route fd00:10:2::") ==
        Lines{"put route fd00:10:2::/64 via fe80::5a:aff:fe0a:200 (node n2)"});
  CHECK(found(desired, network, NetworkFindingKind::underlay_without_v6).size() == 1);
}

TEST_CASE("a link hop that was taken away, or came otherwise, is put again", "[network_plan][link_hop]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  converge(network, desired);
  std::vector<LinkAddress>& addresses = network.state().links[0].addresses;
  SECTION("deleted") {
    addresses.pop_back();
    CHECK(converge(network, desired) == Lines{"put address fe80::5157:a4d:b/64 on eth0"});
  }
  SECTION("the link went down and up") {
    network.set_link_up(false);
    CHECK(planned(network, desired) == Lines{});
    network.set_link_up(true);
    const Lines steps = converge(network, desired);
    CHECK(about(steps, "put address") == Lines{"put address fe80::5157:a4d:b/64 on eth0"});
    CHECK(about(steps, "put route").size() == 2);
  }
  SECTION("with another prefix length") {
    addresses.back().prefix_length = 128;
    CHECK(converge(network, desired) ==
          Lines{"remove address fe80::5157:a4d:b/128 on eth0", "put address fe80::5157:a4d:b/64 on eth0"});
  }
  SECTION("the kernel took it for somebody else's") {
    addresses.back().usable = false;
    CHECK(converge(network, desired) ==
          Lines{"remove address fe80::5157:a4d:b/64 on eth0", "put address fe80::5157:a4d:b/64 on eth0"});
  }
  SECTION("on another interface too, and one of nobody here") {
    NetworkLink other = network.state().links[0];
    other.index = 3;
    other.name = "eth1";
    other.addresses = {{ip("fe80::1"), 64}, {link_hop(ip("10.77.0.11")), 64}};
    network.state().links.push_back(other);
    network.state().links[0].addresses.push_back({link_hop(ip("10.99.0.1")), 64});
    CHECK(converge(network, desired) ==
          Lines{"remove address fe80::5157:a4d:b/64 on eth1", "remove address fe80::5157:a63:1/64 on eth0"});
  }
}

TEST_CASE("after a change of the node's address the former link hop stays as long as the former address",
          "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  converge(network, desired);
  std::vector<LinkAddress>& addresses = network.state().links[0].addresses;
  addresses.push_back({ip("10.77.0.44"), 24});
  CHECK(planned(network, desired) == Lines{});
  desired.node_address = ip("10.77.0.44");
  CHECK(converge(network, desired) == Lines{"put address fe80::5157:a4d:2c/64 on eth0"});
  std::erase(addresses, LinkAddress{ip("10.77.0.11"), 24});
  CHECK(converge(network, desired) == Lines{"remove address fe80::5157:a4d:b/64 on eth0"});
}

TEST_CASE("a link hop whose reason is not known at the moment is let alone", "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  converge(network, desired);
  SECTION("no interface has the node's address") {
    std::erase(network.state().links[0].addresses, LinkAddress{ip("10.77.0.11"), 24});
  }
  SECTION("the node's block is not known") {
    desired.own_cidr.reset();
    desired.own_second_cidr.reset();
  }
  CHECK(about(planned(network, desired), "fe80::5157:a4d:b").empty());
}

TEST_CASE("a peer's other address is one route replaced in each family", "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  converge(network, desired);
  desired.peers[0].gateway = ip("10.77.0.99");
  CHECK(converge(network, desired) == Lines{"put route 10.10.2.0/24 via 10.77.0.99 (node n2)",
                                            "put route fd00:10:2::/64 via fe80::5157:a4d:63 (node n2)"});
  desired.peers[0].gateway = ip("10.78.0.99");
  CHECK(converge(network, desired) == Lines{"remove route 10.10.2.0/24 via 10.77.0.99",
                                            "remove route fd00:10:2::/64 via fe80::5157:a4d:63"});
}

TEST_CASE("the node sends to IPv6 pods with the bridge's address, once it can", "[network_plan][link_hop]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = node();
  converge(network, desired);
  CHECK(route_to(network, "fd00:10:2::/64").source == std::nullopt);
  network.state().links.push_back(bridge());
  LinkAddress& own = network.state().links.back().addresses[1];
  own.usable = false;
  CHECK(planned(network, desired) == Lines{});
  own.usable = true;
  CHECK(converge(network, desired) == Lines{"put route fd00:10:2::/64 via fe80::5157:a4d:c (node n2)"});
  CHECK(route_to(network, "fd00:10:2::/64").source == ip("fd00:10:1::1"));
  CHECK(route_to(network, "10.10.2.0/24").source == std::nullopt);  // the underlay has an address of IPv4
  network.state().links.back().up = false;
  converge(network, desired);
  CHECK(route_to(network, "fd00:10:2::/64").source == std::nullopt);
}

TEST_CASE("IPv6 that is off on the underlay is told, with the cure", "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  desired.peers.pop_back();
  FakeNetwork network = node();
  network.state().links[0].v6->disabled = true;
  CHECK(about(converge(network, desired), "fe80").empty());
  const auto findings = network_findings(desired, network.state());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::underlay_without_v6);
  CHECK_FALSE(findings[0].blocks_pods);
  CHECK(findings[0].message.find("sysctl -w net.ipv6.conf.eth0.disable_ipv6=0") != std::string::npos);
  desired.own_second_cidr.reset();
  desired.peers[0].second_cidr.reset();
  CHECK(network_findings(desired, network.state()).empty());
}

TEST_CASE("nodes with IPv6 addresses: IPv4 pods by them too, from Linux 5.2 on", "[network_plan][link_hop]") {
  NetworkDesired desired = dual_stack();
  desired.node_address = ip("fd77::11");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("fd77::12"), cidr("fd00:10:2::/64")}};
  FakeNetwork network(ip("fd77::11"), 64);
  network.state().links.push_back(bridge());
  network.state().kernel_release = "5.2.0";
  const Lines steps = converge(network, desired);
  CHECK(about(steps, " n2)") == Lines{"put route 10.10.2.0/24 via fd77::12 (node n2)",
                                      "put route fd00:10:2::/64 via fd77::12 (node n2)"});
  CHECK(about(steps, "put address").empty());
  CHECK(route_to(network, "10.10.2.0/24").source == ip("10.10.1.1"));
  CHECK(route_to(network, "fd00:10:2::/64").source == std::nullopt);
  CHECK(network_findings(desired, network.state()).empty());

  // The bridge's address that is put anew takes routes from it along: they are planned as if it were done, one pass mends all.
  NetworkLink pod = bridge();
  pod.index = 10;
  pod.name = "veth1";
  pod.addresses.clear();
  pod.master = 9;
  network.state().links.push_back(pod);
  for (NetworkLink& link : network.state().links) {
    link.carrier = true;
    if (link.name == k_pod_bridge) link.addresses[0].connected = false;
  }
  CHECK(about(planned(network, desired), "10.10.") == Lines{"remove address 10.10.1.1/24 on cni0", "put address 10.10.1.1/24 on cni0",
                                                            "put route 10.10.2.0/24 via fd77::12 (node n2)"});
  network.state().links.pop_back();

  network.state().kernel_release = "5.1.21";
  converge(network, desired);
  const auto findings = found(desired, network, NetworkFindingKind::not_adjacent);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].message.find("n2 (10.10.2.0/24: IPv4 by its IPv6 address needs Linux 5.2)") !=
        std::string::npos);
  desired.cross_subnet = true;  // the tunnel takes them
  CHECK(about(converge(network, desired), "10.10.2.0/24") ==
        Lines{"put route 10.10.2.0/24 via 10.10.2.0 (node n2)"});
}

TEST_CASE("a reset takes the link hops away", "[network_plan][link_hop]") {
  FakeNetwork network = node();
  converge(network, dual_stack());
  network.state().links[0].addresses.push_back({ip("fe80::1"), 64});
  std::vector<NetworkStep> steps;
  plan_link_hop_removal(network.state(), steps);
  network.apply(steps);
  CHECK(network.state().links[0].addresses ==
        std::vector<LinkAddress>{{ip("10.77.0.11"), 24}, {ip("fe80::1"), 64}});

  const auto intents = network_intents();
  const auto noted = std::find_if(intents.begin(), intents.end(),
                                  [](const Intent& one) { return one.kind == ChangeKind::addresses; });
  REQUIRE(noted != intents.end());
  CHECK(noted->ours_by_name);
  const Change change{noted->kind, noted->name, "", Former::absent, ""};
  EntrySeen seen;
  CHECK(plan_reset({change}, {{seen}, {}, {}}).empty());
  seen.there = true;
  seen.more = {"fe80::5157:a4d:b on eth0"};
  const ResetPlan plan = plan_reset({change}, {{seen}, {}, {}});
  REQUIRE(plan.steps.size() == 1);
  CHECK(plan.steps[0].action == ResetAction::remove_addresses);
  CHECK(describe(plan.steps[0]) == "remove the link-local addresses fe80::5157:*: fe80::5157:a4d:b on eth0");
  CHECK(plan.leftovers.empty());
}
