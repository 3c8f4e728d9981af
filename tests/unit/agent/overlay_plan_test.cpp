// The tunnel, ways to peers, and both families: the plan against a faithful kernel in memory.
#include "agent/domain/overlay_plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "agent/domain/peer_ways.hpp"
#include "tests/support/fake_network.hpp"

using namespace slipway;
using slipway::test::FakeNetwork;

namespace {

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}
IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

// n2 is a neighbour, n3 and n4 are behind a router.
NetworkDesired desired_with(NetworkBackend backend) {
  NetworkDesired desired;
  desired.backend = backend;
  desired.node_address = ip("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12")},
                   {"n3", cidr("10.10.3.0/24"), ip("10.78.0.13")},
                   {"n4", cidr("10.10.4.0/24"), ip("10.78.0.14")}};
  desired.pools = {cidr("10.10.0.0/16")};
  desired.mac_salt = 0x5a;
  return desired;
}

void make_dual(NetworkDesired& desired) {
  desired.own_second_cidr = cidr("fd00:10:1::/64");
  desired.pools.push_back(cidr("fd00:10::/32"));
  for (std::size_t i = 0; i < desired.peers.size(); ++i)
    desired.peers[i].second_cidr = *Cidr::make(ip(("fd00:10:" + std::to_string(i + 2) + "::").c_str()), 64);
}

FakeNetwork node() {
  FakeNetwork network(ip("10.77.0.11"), 24);
  network.state().kernel_release = "6.1.0-18-amd64";
  return network;
}

std::vector<std::string> described(const std::vector<NetworkStep>& steps) {
  std::vector<std::string> out;
  for (const NetworkStep& step : steps) out.push_back(describe(step));
  return out;
}

std::vector<std::string> planned(FakeNetwork& network, const NetworkDesired& desired) {
  return described(plan_network(desired, network.state()));
}

std::vector<std::string> converge(FakeNetwork& network, const NetworkDesired& desired) {
  const auto steps = plan_network(desired, network.state());
  for (const Status& status : network.apply(steps)) {
    if (!status) FAIL(status.error().message);
  }
  CHECK(planned(network, desired) == std::vector<std::string>{});
  return described(steps);
}

std::vector<std::string> about(const std::vector<std::string>& steps, const std::string& word) {
  std::vector<std::string> out;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(out),
               [&word](const std::string& step) { return step.find(word) != std::string::npos; });
  return out;
}

template <class T>
long count(const std::vector<NetworkStep>& steps) {
  return std::count_if(steps.begin(), steps.end(), [](const NetworkStep& s) { return std::holds_alternative<T>(s); });
}

NetworkLink& device(FakeNetwork& network) {
  for (NetworkLink& link : network.state().links)
    if (link.name == k_overlay_device) return link;
  throw std::runtime_error("no tunnel device");
}

const NetworkFinding* find(const std::vector<NetworkFinding>& findings, NetworkFindingKind kind) {
  const auto it = std::find_if(findings.begin(), findings.end(), [kind](const NetworkFinding& one) { return one.kind == kind; });
  return it == findings.end() ? nullptr : &*it;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("host-gw has no way to peers off its link, and names them", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::host_gw);
  FakeNetwork network = node();
  CHECK(about(converge(network, desired), "put route") ==
        Lines{"put route 10.10.2.0/24 via 10.77.0.12 (node n2)", "put route blackhole 10.10.1.0/24"});
  const auto findings = network_findings(desired, network.state());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::not_adjacent);
  CHECK_FALSE(findings[0].blocks_pods);
  CHECK(findings[0].message.find("n3 (10.10.3.0/24: 10.78.0.13), n4 (10.10.4.0/24: 10.78.0.14);") != std::string::npos);
}

TEST_CASE("of a thousand peers without a way four are named", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::host_gw);
  for (std::uint32_t i = 0; i < 1000; ++i)
    desired.peers.push_back({"far" + std::to_string(i), *Cidr::make(IpAddress::v4(0x0b000000U + i * 256), 24), ip("10.78.1.1")});
  FakeNetwork network = node();
  const auto findings = network_findings(desired, network.state());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].message.find("far1 (") != std::string::npos);
  CHECK(findings[0].message.find("far2 (") == std::string::npos);
  CHECK(findings[0].message.find(" and 998 more;") != std::string::npos);
}

TEST_CASE("a route to a peer that is off the link now goes", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::host_gw);
  FakeNetwork network = node();
  converge(network, desired);
  desired.peers[0].gateway = ip("10.78.0.12");
  CHECK(converge(network, desired) == Lines{"remove route 10.10.2.0/24 via 10.77.0.12"});
}

TEST_CASE("vxlan: the device, then neighbour, entry and route of each peer", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  const Lines steps = converge(network, desired);
  const auto from = std::find_if(steps.begin(), steps.end(), [](const std::string& s) { return s.find("tunnel") != std::string::npos; });
  CHECK(Lines(from, steps.end()) == Lines{
      "make the tunnel device slipway-vx (vxlan 1, port 8472, over eth0)",
      "put address 10.10.1.0 on slipway-vx",
      "put neighbour 10.10.2.0 at 02:5a:0a:0a:02:00 (node n2)",
      "put forwarding entry 02:5a:0a:0a:02:00 to 10.77.0.12 (node n2)",
      "put route 10.10.2.0/24 via 10.10.2.0 (node n2)",
      "put neighbour 10.10.3.0 at 02:5a:0a:0a:03:00 (node n3)",
      "put forwarding entry 02:5a:0a:0a:03:00 to 10.78.0.13 (node n3)",
      "put route 10.10.3.0/24 via 10.10.3.0 (node n3)",
      "put neighbour 10.10.4.0 at 02:5a:0a:0a:04:00 (node n4)",
      "put forwarding entry 02:5a:0a:0a:04:00 to 10.78.0.14 (node n4)",
      "put route 10.10.4.0/24 via 10.10.4.0 (node n4)",
      "put route blackhole 10.10.1.0/24"});
  const NetworkLink& made = device(network);
  CHECK(made.mac == MacAddress{0x02, 0x5a, 10, 10, 1, 0});
  CHECK(made.mtu == 1450);
  CHECK(made.vxlan == VxlanConfig{1, 8472, 2, ip("10.77.0.11"), false, false});
  CHECK(network_findings(desired, network.state()).empty());
  CHECK(pod_mtu(desired, network.state()) == 1450);
}

TEST_CASE("a peer that leaves takes route, entry and neighbour along, in this order", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  converge(network, desired);
  desired.peers.pop_back();
  CHECK(converge(network, desired) == Lines{"remove route 10.10.4.0/24 via 10.10.4.0",
                                            "remove forwarding entry 02:5a:0a:0a:04:00 to 10.78.0.14",
                                            "remove neighbour 10.10.4.0 at 02:5a:0a:0a:04:00"});
}

TEST_CASE("a peer with another address, or a block with another owner, is one entry replaced", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  converge(network, desired);
  desired.peers[1] = {"n9", cidr("10.10.3.0/24"), ip("10.78.0.99")};
  CHECK(converge(network, desired) == Lines{"put forwarding entry 02:5a:0a:0a:03:00 to 10.78.0.99 (node n9)"});
}

TEST_CASE("crossSubnet: neighbours directly, all others through the tunnel", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan));
  desired.cross_subnet = true;
  FakeNetwork network = node();
  CHECK(about(converge(network, desired), "put route") ==
        Lines{"put route 10.10.2.0/24 via 10.77.0.12 (node n2)", "put route 10.10.3.0/24 via 10.10.3.0 (node n3)",
              "put route 10.10.4.0/24 via 10.10.4.0 (node n4)", "put route blackhole 10.10.1.0/24"});
  CHECK(network.state().forwarding.size() == 2);
  CHECK(network_findings(desired, network.state()).empty());
  CHECK(pod_mtu(desired, network.state()) == 1450);  // of the narrower way
  // n3 moves next to this node: replaced in place, and what it had in the tunnel goes afterwards.
  desired.peers[1].gateway = ip("10.77.0.13");
  CHECK(converge(network, desired) == Lines{"put route 10.10.3.0/24 via 10.77.0.13 (node n3)",
                                            "remove forwarding entry 02:5a:0a:0a:03:00 to 10.78.0.13",
                                            "remove neighbour 10.10.3.0 at 02:5a:0a:0a:03:00"});
}

TEST_CASE("harm to the tunnel is mended in one pass", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  make_dual(desired);
  FakeNetwork network = node();
  converge(network, desired);
  NetworkObserved& state = network.state();
  const NetworkObserved before = state;
  Lines steps;
  SECTION("the device was deleted") {
    const int index = device(network).index;
    network.apply({RemoveOverlay{index}});
    steps = converge(network, desired);
    CHECK(steps.front() == "make the tunnel device slipway-vx (vxlan 1, port 8472, over eth0)");
    CHECK(about(steps, "put neighbour").size() == 6);
    CHECK(about(steps, "put forwarding").size() == 3);
    CHECK(about(steps, "put route").size() == 6);
    CHECK(about(steps, "remove").empty());
  }
  SECTION("another MAC: the kernel dropped the neighbours, or they are seen still") {
    device(network).mac = {2, 2, 2, 2, 2, 2};
    if (GENERATE(true, false)) state.neighbours.clear();
    steps = converge(network, desired);
    CHECK(steps.front() == "set slipway-vx address 02:5a:0a:0a:01:00");
    CHECK(about(steps, "put neighbour").size() == 6);
    CHECK(steps.size() == 7);
  }
  SECTION("down: routes and neighbours are gone, entries are not") {
    device(network).up = false;
    state.neighbours.clear();
    std::erase_if(state.routes, [](const MarkedRoute& route) { return route.onlink; });
    steps = converge(network, desired);
    CHECK(steps.front() == "set slipway-vx up");
    CHECK(steps.size() == 1 + 6 + 6);
  }
  SECTION("the underlay has another MTU") {
    state.links[0].mtu = 1400;
    CHECK(converge(network, desired) == Lines{"set slipway-vx mtu 1350"});
    CHECK(pod_mtu(desired, state) == 1350);
  }
  SECTION("made differently by somebody") {
    VxlanConfig& config = *device(network).vxlan;
    const int which = GENERATE(0, 1, 2, 3, 4, 5);
    if (which == 0) config.id = 2;
    if (which == 1) config.port = 4789;
    if (which == 2) config.underlay = 7;
    if (which == 3) config.local = ip("10.77.0.99");
    if (which == 4) config.learning = true;
    if (which == 5) config.extended = true;
    steps = converge(network, desired);
    CHECK(steps.front() == "make the tunnel device slipway-vx anew (vxlan 1, port 8472, over eth0)");
    CHECK(about(steps, "put ").size() == 2 + 6 + 3 + 6);
    CHECK(about(steps, "remove").empty());
  }
  SECTION("not even a vxlan device") {
    device(network).vxlan.reset();
    CHECK(converge(network, desired).front().find(" anew ") != std::string::npos);
  }
  SECTION("the node has another address") {
    state.links[0].addresses = {{ip("10.77.0.44"), 24}};
    CHECK(plan_network(desired, state).empty());  // until it is known that the node has moved
    desired.node_address = ip("10.77.0.44");
    CHECK(converge(network, desired).front().find(" anew ") != std::string::npos);
    CHECK(device(network).vxlan->local == ip("10.77.0.44"));
  }
  SECTION("strange entries, neighbours and addresses") {
    state.forwarding.push_back({{9, 9, 9, 9, 9, 9}, ip("192.0.2.9")});
    state.forwarding.push_back({{9, 9, 9, 9, 9, 8}, std::nullopt});
    state.forwarding.push_back({{2, 0x5a, 10, 10, 3, 0}, ip("192.0.2.9")});  // a second destination of n3's
    state.neighbours.push_back({ip("10.10.99.0"), {9, 9, 9, 9, 9, 9}});
    device(network).addresses.push_back({ip("10.10.77.0"), 32});
    device(network).addresses.push_back({ip("169.254.3.4"), 16});
    device(network).addresses.push_back({ip("192.168.3.4"), 24});
    CHECK(converge(network, desired) == Lines{"remove address 10.10.77.0/32 on slipway-vx",
                                              "remove forwarding entry 02:5a:0a:0a:03:00 to 192.0.2.9",
                                              "remove forwarding entry 09:09:09:09:09:08",
                                              "remove forwarding entry 09:09:09:09:09:09 to 192.0.2.9",
                                              "remove neighbour 10.10.99.0 at 09:09:09:09:09:09"});
  }
  SECTION("an address with a route of its own") {
    device(network).addresses = {{ip("10.10.1.0"), 24}, {ip("fd00:10:1::"), 128}};
    CHECK(converge(network, desired) ==
          Lines{"put address 10.10.1.0 on slipway-vx", "remove address 10.10.1.0/24 on slipway-vx"});
  }
  SECTION("router advertisements, no IPv6") {
    for (ObservedSysctl& one : state.overlay_sysctls) one.value = "1";
    CHECK(converge(network, desired) ==
          Lines{"set net/ipv6/conf/slipway-vx/accept_ra = 0", "set net/ipv6/conf/slipway-vx/disable_ipv6 = 0"});
  }
  CHECK(state.forwarding.size() == before.forwarding.size());
  CHECK(state.neighbours.size() == before.neighbours.size());
  CHECK(state.routes.size() == before.routes.size());
}

TEST_CASE("entries of one tunnel end of which none is right", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  converge(network, desired);
  const MacAddress mac{2, 0x5a, 10, 10, 3, 0};
  std::erase_if(network.state().forwarding, [&mac](const ForwardingEntry& one) { return one.mac == mac; });
  network.state().forwarding.push_back({mac, ip("192.0.2.1")});
  network.state().forwarding.push_back({mac, ip("192.0.2.2")});
  converge(network, desired);
  CHECK(std::count(network.state().forwarding.begin(), network.state().forwarding.end(), ForwardingEntry{mac, ip("10.78.0.13")}) == 1);
  CHECK(network.state().forwarding.size() == 3);
}

TEST_CASE("without the underlay what the tunnel has is let alone", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  desired.cross_subnet = GENERATE(false, true);
  FakeNetwork network = node();
  converge(network, desired);
  network.state().links[0].addresses.clear();
  CHECK(planned(network, desired) == Lines{});
  desired.peers.pop_back();  // but who is gone is gone
  CHECK(planned(network, desired) == Lines{"remove route 10.10.4.0/24 via 10.10.4.0"});
}

TEST_CASE("a change of the backend leads routes over and leaves nothing of the former one", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  desired.peers[1].gateway = ip("10.77.0.13");
  desired.peers[2].gateway = ip("10.77.0.14");
  FakeNetwork network = node();
  converge(network, desired);
  desired.backend = NetworkBackend::host_gw;
  CHECK(converge(network, desired) == Lines{"put route 10.10.2.0/24 via 10.77.0.12 (node n2)", "put route 10.10.3.0/24 via 10.77.0.13 (node n3)",
                                            "put route 10.10.4.0/24 via 10.77.0.14 (node n4)", "remove the tunnel device slipway-vx"});
  desired.backend = NetworkBackend::vxlan;
  CHECK(about(converge(network, desired), "remove").empty());
  desired.backend = NetworkBackend::routes;
  CHECK(converge(network, desired) == Lines{"remove route 10.10.2.0/24 via 10.10.2.0", "remove route 10.10.3.0/24 via 10.10.3.0",
                                            "remove route 10.10.4.0/24 via 10.10.4.0", "remove the tunnel device slipway-vx"});
  CHECK(network.state().filter.masquerade.v4);
  CHECK(network.state().routes.size() == 1);  // the own blackhole
  CHECK(network_findings(desired, network.state()).empty());
  desired.backend = NetworkBackend::external;
  converge(network, desired);
  CHECK(network.state().routes.empty());
}

TEST_CASE("another device that takes the tunnel's packets is named and blocks pods", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  NetworkLink flannel;
  flannel.index = 7;
  flannel.name = "flannel.1";
  flannel.vxlan = VxlanConfig{1, 8472, 2, ip("10.77.0.11"), true, false};
  network.state().links.push_back(flannel);
  const auto steps = plan_network(desired, network.state());
  CHECK(count<PutOverlay>(steps) == 0);
  CHECK(count<PutNeighbour>(steps) == 0);
  CHECK(count<PutRoute>(steps) == 1);  // the blackhole
  const auto findings = network_findings(desired, network.state());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::overlay_conflict);
  CHECK(findings[0].blocks_pods);
  CHECK(findings[0].message.find("interface flannel.1 takes the packets of VXLAN 1 on UDP port 8472") == 0);

  VxlanConfig& config = *network.state().links.back().vxlan;
  const auto conflict = [&] { return find(network_findings(desired, network.state()), NetworkFindingKind::overlay_conflict) != nullptr; };
  config = {2, 8472, 2, ip("10.77.0.11"), true, false};
  CHECK_FALSE(conflict());
  config = {1, 4789, 2, ip("10.77.0.11"), true, false};
  CHECK_FALSE(conflict());
  config = {1, 8472, 2, ip("fd77::11"), true, false};  // of the other family
  CHECK_FALSE(conflict());
  config = {0, 8472, 0, std::nullopt, true, true};  // external: all identifiers
  CHECK(conflict());
}

TEST_CASE("a node whose tunnel cannot be made or set up is not offered to pods", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  CHECK(network_findings(desired, network.state()).at(0).blocks_pods);
  CHECK(network_findings(desired, network.state()).at(0).message.find("cannot be made") != std::string::npos);
  converge(network, desired);
  CHECK(network_findings(desired, network.state()).empty());
  device(network).up = false;
  CHECK(network_findings(desired, network.state()).at(0).message.find("cannot be set up") != std::string::npos);
}

TEST_CASE("IPv6 is turned on for the tunnel where pods have it, and only there", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  CHECK(about(converge(network, desired), "disable_ipv6").empty());
  for (ObservedSysctl& one : network.state().overlay_sysctls)
    if (one.key.ends_with("disable_ipv6")) one.value = "1";
  CHECK(planned(network, desired) == Lines{});
  make_dual(desired);
  const Lines steps = converge(network, desired);
  CHECK(about(steps, "disable_ipv6") == Lines{"set net/ipv6/conf/slipway-vx/disable_ipv6 = 0"});
  CHECK(about(steps, "put address").size() == 1);
}

TEST_CASE("a tunnel over IPv6 takes more of the MTU, and leads to peers' IPv6 addresses", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  make_dual(desired);
  desired.node_address = ip("fd77::11");
  desired.peers[0].gateway = ip("fd77::12");
  FakeNetwork network = node();
  network.state().links[0].addresses.push_back({ip("fd77::11"), 64});
  const Lines steps = converge(network, desired);
  CHECK(about(steps, "put forwarding") == Lines{"put forwarding entry 02:5a:0a:0a:02:00 to fd77::12 (node n2)"});
  CHECK(device(network).mtu == 1430);
  CHECK(pod_mtu(desired, network.state()) == 1430);
  const auto findings = network_findings(desired, network.state());
  const NetworkFinding* none = find(findings, NetworkFindingKind::not_adjacent);
  REQUIRE(none != nullptr);
  CHECK(none->message.find("n3 (10.10.3.0/24: no address of this node's family)") != std::string::npos);
}

TEST_CASE("an MTU that cannot be is told", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  converge(network, desired);
  desired.mtu = 1480;
  CHECK(find(network_findings(desired, network.state()), NetworkFindingKind::mtu_too_large) != nullptr);
  desired.mtu = 1450;
  CHECK(network_findings(desired, network.state()).empty());
  CHECK(pod_mtu(desired, network.state()) == 1450);
  desired.mtu = 0;
  network.state().links[0].mtu = 1320;
  CHECK(network_findings(desired, network.state()).empty());
  make_dual(desired);
  CHECK(find(network_findings(desired, network.state()), NetworkFindingKind::mtu_too_small) != nullptr);
}

TEST_CASE("tunnel MACs: of the IPv4 block, or of a hash, different in different clusters", "[network_plan][overlay]") {
  const Blocks both{cidr("10.10.2.0/24"), cidr("fd00:10:2::/64")};
  CHECK(tunnel_mac(7, both) == MacAddress{2, 7, 10, 10, 2, 0});
  std::set<MacAddress> seen;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const IpAddress base = ip("fd00::").plus(0);
    std::string bytes = base.bytes();
    bytes[6] = static_cast<char>(i >> 8);
    bytes[7] = static_cast<char>(i);
    const MacAddress mac = tunnel_mac(7, {std::nullopt, *Cidr::make(*IpAddress::from_bytes(bytes), 64)});
    CHECK(mac[0] == 2);
    seen.insert(mac);
  }
  CHECK(seen.size() == 5000);
  CHECK(tunnel_mac(7, {std::nullopt, cidr("fd00::/64")}) != tunnel_mac(8, {std::nullopt, cidr("fd00::/64")}));
}

TEST_CASE("peers with one tunnel address: the first keeps it", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  desired.peers.push_back({"half", cidr("10.10.2.0/25"), ip("10.77.0.50")});
  FakeNetwork network = node();
  converge(network, desired);
  CHECK(network.state().forwarding.size() == 3);
  const auto findings = network_findings(desired, network.state());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::peer_conflict);
  CHECK(findings[0].node == "half");
}

TEST_CASE("IPv6 metrics are a pure function that nobody else uses", "[network_plan][overlay]") {
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(route_metric(*Cidr::make(ip(("fd00:10:" + std::to_string(i) + "::").c_str()), 64)));
  CHECK(seen.size() > 990);
  CHECK(*seen.begin() > 1024);
  CHECK(*seen.rbegin() < k_blackhole_metric);
  CHECK(route_metric(cidr("fd00::/64")) == route_metric(cidr("fd00::/64")));
  CHECK(route_metric(cidr("fd00::/64")) != route_metric(cidr("fd00::/65")));
}

TEST_CASE("the checksum defence by kernel release", "[network_plan][overlay]") {
  struct Case {
    const char* release;
    bool needed;
  };
  for (const Case& one : {Case{"4.9.0-19-amd64", true}, {"4.18.0-240.15.1.el8_3.x86_64", true}, {"5.4.0-42-generic", true},
                          {"5.6.19", true}, {"5.7.0", false}, {"5.7-rc1", false}, {"5.10.0-28-amd64", false}, {"5.15", false},
                          {"6.1.0-18-amd64", false}, {"6.18.44", false}, {"10.0", false}, {"", false}, {"5", false},
                          {"x.y", false}, {"5.x", false}}) {
    INFO(one.release);
    CHECK(needs_offload_defence(one.release) == one.needed);
  }
}

TEST_CASE("the checksum defence is taken with a new device and after somebody turned it back", "[network_plan][overlay]") {
  const NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  FakeNetwork network = node();
  network.state().kernel_release = "4.19.0-5-amd64";
  CHECK(about(converge(network, desired), "offload") == Lines{"turn checksum offload off on slipway-vx"});
  network.state().overlay_checksum_offload = true;
  CHECK(converge(network, desired) == Lines{"turn checksum offload off on slipway-vx"});
  network.state().overlay_checksum_offload = true;
  network.state().kernel_release = "6.1.0";
  CHECK(planned(network, desired) == Lines{});
}

TEST_CASE("an IPv6 address of a former block on the bridge counts like an IPv4 one", "[network_plan][overlay]") {
  NetworkDesired desired = desired_with(NetworkBackend::vxlan);
  make_dual(desired);
  FakeNetwork network = node();
  converge(network, desired);
  NetworkLink bridge;
  bridge.index = 9;
  bridge.name = k_pod_bridge;
  bridge.addresses = {{ip("10.10.1.1"), 24}, {ip("fd00:10:1::1"), 64}, {ip("fe80::1"), 64}};
  network.state().links.push_back(bridge);
  CHECK(planned(network, desired) == Lines{});
  network.state().links.back().addresses[1] = {ip("fd00:10:9::1"), 64};
  CHECK(planned(network, desired) == Lines{"remove bridge cni0"});
}
