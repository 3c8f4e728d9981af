#include "agent/domain/network_plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "agent/domain/sysctl_plan.hpp"
#include "agent/preflight_fix.hpp"

using namespace slipway;

namespace {

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}
IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

NetworkDesired two_peers() {
  NetworkDesired desired;
  desired.node_address = ip("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.peers = {{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12")},
                   {"n3", cidr("10.10.3.0/24"), ip("10.77.0.13")}};
  desired.pools = {cidr("10.10.0.0/16")};
  return desired;
}

NetworkObserved fresh_node() {
  NetworkObserved observed;
  NetworkLink underlay;
  underlay.index = 2;
  underlay.name = "eth0";
  underlay.up = underlay.carrier = true;
  underlay.mtu = 1500;
  underlay.addresses = {{ip("10.77.0.11"), 24}};
  observed.links = {underlay};
  for (const std::string& key : network_sysctl_keys()) observed.sysctls.push_back({key, "0", true});
  for (const IpFamily family : k_families) observed.filter.forward[family].tool_present = true;
  return observed;
}

// What a faithful kernel would make of the steps.
void obey(NetworkObserved& observed, const std::vector<NetworkStep>& steps) {
  for (const NetworkStep& step : steps) {
    if (const auto* put = std::get_if<PutRoute>(&step)) {
      std::erase_if(observed.routes, [put](const MarkedRoute& r) {
        return r.destination == put->route.destination && r.metric == put->route.metric;
      });
      observed.routes.push_back(put->route);
    } else if (const auto* remove = std::get_if<RemoveRoute>(&step)) {
      std::erase(observed.routes, remove->route);
    } else if (const auto* set = std::get_if<SetSysctl>(&step)) {
      for (ObservedSysctl& s : observed.sysctls)
        if (s.key == set->sysctl.key) s.value = set->sysctl.value;
    } else if (const auto* file = std::get_if<WriteNetworkFile>(&step)) {
      observed.files[file->file] = file->content;
    } else if (const auto* masquerade = std::get_if<PutMasquerade>(&step)) {
      observed.filter.masquerade[masquerade->family] = masquerade->table;
    } else if (const auto* forward = std::get_if<PutForward>(&step)) {
      ForwardState& now = observed.filter.forward[forward->family];
      now.chain_present = now.jump_first = now.chain_exact = true;
      now.accepted = forward->accepted;
    }
  }
}

NetworkObserved converged(const NetworkDesired& desired) {
  NetworkObserved observed = fresh_node();
  obey(observed, plan_network(desired, observed));
  return observed;
}

template <class T>
int count(const std::vector<NetworkStep>& steps) {
  return static_cast<int>(std::count_if(steps.begin(), steps.end(),
                                        [](const NetworkStep& s) { return std::holds_alternative<T>(s); }));
}

}  // namespace

TEST_CASE("a fresh node gets everything and then nothing", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = fresh_node();
  const auto steps = plan_network(desired, observed);
  CHECK(count<PutRoute>(steps) == 3);  // two peers and the own blackhole
  CHECK(count<SetSysctl>(steps) == 2);
  CHECK(count<WriteNetworkFile>(steps) == 6);
  CHECK(count<PutMasquerade>(steps) == 1);
  CHECK(count<PutForward>(steps) == 1);
  CHECK(count<RemoveRoute>(steps) == 0);
  obey(observed, steps);
  CHECK(plan_network(desired, observed).empty());
  CHECK(network_findings(desired, observed).empty());
  CHECK(pod_mtu(desired, observed) == 1500);
}

TEST_CASE("a peer that moved is replaced in place, never removed first", "[network_plan]") {
  NetworkDesired desired = two_peers();
  const NetworkObserved observed = converged(desired);
  desired.peers[0].gateway = ip("10.77.0.99");
  const auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 1);
  REQUIRE(std::holds_alternative<PutRoute>(steps[0]));
  CHECK(std::get<PutRoute>(steps[0]).route.gateway == ip("10.77.0.99"));
  CHECK(describe(steps[0]) == "put route 10.10.2.0/24 via 10.77.0.99 (node n2)");
}

TEST_CASE("a peer that left loses its route, and nobody else does", "[network_plan]") {
  NetworkDesired desired = two_peers();
  const NetworkObserved observed = converged(desired);
  desired.peers.erase(desired.peers.begin());
  const auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 1);
  CHECK(std::get<RemoveRoute>(steps[0]).route.destination == cidr("10.10.2.0/24"));
}

TEST_CASE("a changed own range moves the blackhole and the masquerade table", "[network_plan]") {
  NetworkDesired desired = two_peers();
  const NetworkObserved observed = converged(desired);
  desired.own_cidr = cidr("10.10.9.0/24");
  const auto steps = plan_network(desired, observed);
  CHECK(count<RemoveRoute>(steps) == 1);
  CHECK(count<PutRoute>(steps) == 1);
  CHECK(count<PutMasquerade>(steps) == 1);
  CHECK(steps.size() == 3);
}

TEST_CASE("the coordinator's silence about the own range removes nothing", "[network_plan]") {
  NetworkDesired desired = two_peers();
  const NetworkObserved observed = converged(desired);
  desired.own_cidr.reset();
  CHECK(plan_network(desired, observed).empty());
  const auto findings = network_findings(desired, observed);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::own_cidr_missing);
  CHECK(findings[0].blocks_pods);
}

TEST_CASE("routes lost with the link come back when it is up, not before", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  observed.routes.clear();
  observed.links[0].up = false;
  CHECK(count<PutRoute>(plan_network(desired, observed)) == 1);  // the blackhole needs no link
  CHECK(network_findings(desired, observed)[0].kind == NetworkFindingKind::underlay_down);
  observed.links[0].up = true;
  CHECK(count<PutRoute>(plan_network(desired, observed)) == 3);
}

TEST_CASE("without the node's address nothing wanted is touched", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  observed.links[0].addresses.clear();
  CHECK(plan_network(desired, observed).empty());
  CHECK(network_findings(desired, observed)[0].kind == NetworkFindingKind::no_underlay);
}

TEST_CASE("a marked route nobody wants goes, also a duplicate with a foreign metric", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  MarkedRoute stale;
  stale.destination = cidr("10.10.2.0/24");
  stale.gateway = ip("10.77.0.12");
  stale.link = 2;
  stale.metric = 7;
  observed.routes.push_back(stale);
  const auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 1);
  CHECK(std::get<RemoveRoute>(steps[0]).route == stale);
}

TEST_CASE("peers that claim this node's range or address get no route and are named", "[network_plan]") {
  NetworkDesired desired = two_peers();
  desired.peers.push_back(
      {"self", cidr("10.10.1.0/24"), ip("10.77.0.11")});  // the node itself: not a conflict
  CHECK(network_findings(desired, fresh_node()).empty());
  desired.peers.push_back({"thief", cidr("10.10.1.0/24"), ip("10.77.0.50")});
  desired.peers.push_back({"twin", cidr("10.10.5.0/24"), ip("10.77.0.11")});
  desired.peers.push_back({"second", cidr("10.10.2.0/24"), ip("10.77.0.51")});
  CHECK(count<PutRoute>(plan_network(desired, fresh_node())) == 3);
  const auto findings = network_findings(desired, fresh_node());
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].node == "thief");
  CHECK(findings[1].node == "twin");
  CHECK(findings[2].node == "second");
}

TEST_CASE("somebody else's network plugin: all marked objects go, the sysctls stay", "[network_plan]") {
  NetworkDesired desired = two_peers();
  const NetworkObserved observed = converged(desired);
  desired.backend = NetworkBackend::external;
  const auto steps = plan_network(desired, observed);
  CHECK(count<RemoveRoute>(steps) == 3);
  CHECK(count<RemoveMasquerade>(steps) == 1);
  CHECK(count<RemoveForward>(steps) == 1);
  CHECK(count<WriteNetworkFile>(steps) == 4);  // the devices are the plugin's own business
  CHECK(steps.size() == 9);
}

TEST_CASE("masquerade and FORWARD are put right when tampered with", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  observed.filter.masquerade.v4->rule_marks.erase(observed.filter.masquerade.v4->rule_marks.begin());
  observed.filter.forward.v4.jump_first = false;
  const auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 2);
  CHECK(count<PutForward>(steps) == 1);
  CHECK(count<PutMasquerade>(steps) == 1);
}

TEST_CASE("overlapping pools become one element: an interval set refuses overlaps", "[network_plan]") {
  NetworkDesired desired = two_peers();
  desired.pools = {cidr("10.20.0.0/16"), cidr("10.10.0.0/16"), cidr("10.10.128.0/17"), cidr("fd00::/48")};
  desired.no_masquerade = {cidr("10.10.0.0/16"), cidr("192.168.0.0/16")};
  for (const NetworkStep& step : plan_network(desired, fresh_node())) {
    if (const auto* put = std::get_if<PutMasquerade>(&step))
      CHECK(put->table.local ==
            std::vector<Cidr>{cidr("10.10.0.0/16"), cidr("10.20.0.0/16"), cidr("192.168.0.0/16")});
    if (const auto* put = std::get_if<PutForward>(&step); put != nullptr && put->family == IpFamily::v4)
      CHECK(put->accepted == std::vector<Cidr>{cidr("10.10.0.0/16"), cidr("10.20.0.0/16")});
  }
}

TEST_CASE("a bridge of a former range goes when no pod is on it, else the node must be drained",
          "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  NetworkLink bridge;
  bridge.index = 9;
  bridge.name = "cni0";
  bridge.addresses = {{ip("10.10.8.1"), 24}};
  observed.links.push_back(bridge);
  auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 1);
  CHECK(std::get<RemoveBridge>(steps[0]).index == 9);

  NetworkLink port;
  port.index = 10;
  port.master = 9;
  observed.links.push_back(port);
  CHECK(plan_network(desired, observed).empty());
  CHECK(network_findings(desired, observed)[0].kind == NetworkFindingKind::bridge_in_use);

  observed.links[1].addresses = {{ip("10.10.1.1"), 24}, {ip("169.254.1.1"), 16}};
  CHECK(network_findings(desired, observed).empty());
}

TEST_CASE("neighbour limits are raised with the peers, never lowered, only where they exist",
          "[network_plan]") {
  NetworkDesired desired = two_peers();
  for (int i = 0; i < 5000; ++i)
    desired.peers.push_back({"p",
                             *Cidr::make(IpAddress::v4(0x0b000000U + static_cast<unsigned>(i) * 256), 24),
                             ip("10.77.0.12")});
  NetworkObserved observed = fresh_node();
  CHECK(count<SetSysctl>(plan_network(desired, observed)) == 5);
  for (ObservedSysctl& s : observed.sysctls)
    s.value = s.key.find("thresh") == std::string::npos ? "1" : "1000000\n";
  CHECK(count<SetSysctl>(plan_network(desired, observed)) == 0);
  for (ObservedSysctl& s : observed.sysctls)
    if (s.key.find("thresh") != std::string::npos) s.value.reset();
  CHECK(count<SetSysctl>(plan_network(desired, observed)) == 0);
}

TEST_CASE("a missing bridge filter asks for its kernel module first", "[network_plan]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  for (ObservedSysctl& s : observed.sysctls)
    if (s.key.starts_with("net/bridge")) s.value.reset();
  const auto steps = plan_network(desired, observed);
  REQUIRE(steps.size() == 2);
  CHECK(std::get<LoadModule>(steps[0]).name == "br_netfilter");
  CHECK(std::get<SetSysctl>(steps[1]).sysctl.value == "1");
}

TEST_CASE("metrics differ for all prefixes of all lengths", "[network_plan]") {
  std::set<std::uint32_t> seen;
  int made = 0;
  for (int length = 8; length <= 24; ++length) {
    const std::uint32_t blocks = std::min(1U << (length - 8), 4096U);
    for (std::uint32_t i = 0; i < blocks; ++i, ++made)
      seen.insert(route_metric(*Cidr::make(IpAddress::v4((10U << 24) + (i << (32 - length))), length)));
  }
  CHECK(static_cast<int>(seen.size()) == made);
  CHECK(seen.count(0) == 0);
  CHECK(seen.count(k_blackhole_metric) == 0);
  CHECK(route_metric(cidr("10.10.2.0/24")) == route_metric(cidr("10.10.2.0/24")));
  CHECK(route_metric(cidr("255.255.255.252/30")) < k_blackhole_metric);
}

TEST_CASE("no iptables is a finding, not a step", "[network_plan]") {
  NetworkObserved observed = converged(two_peers());
  observed.filter.forward.v4 = ForwardState{};
  CHECK(plan_network(two_peers(), observed).empty());
  CHECK(network_findings(two_peers(), observed)[0].kind == NetworkFindingKind::no_iptables);
}

TEST_CASE("preflight's fixes are what the agent sets as well, and nothing of the pod network", "[network][preflight]") {
  NetworkObserved observed = fresh_node();
  NetworkDesired any;
  any.backend = NetworkBackend::external;
  const auto fixes = preflight_fixes(plan_network(any, observed));
  REQUIRE(fixes.size() == 4);  // two sysctls, two files
  obey(observed, fixes);
  CHECK(preflight_fixes(plan_network(any, observed)).empty());
  // The agent of a small cluster has nothing to write then.
  CHECK(preflight_fixes(plan_network(two_peers(), observed)).empty());
  CHECK_FALSE(plan_network(two_peers(), observed).empty());
}

namespace {

// The pod bridge with a pod on it.
NetworkLink& add_bridge(NetworkObserved& observed, std::vector<LinkAddress> addresses) {
  NetworkLink port;
  port.index = 10;
  port.name = "veth1";
  port.master = 9;
  observed.links.push_back(port);
  NetworkLink bridge;
  bridge.index = 9;
  bridge.name = "cni0";
  bridge.up = bridge.carrier = true;
  bridge.addresses = std::move(addresses);
  observed.links.push_back(bridge);
  return observed.links.back();
}

std::vector<std::string> texts_of(const std::vector<NetworkStep>& steps) {
  std::vector<std::string> texts;
  for (const NetworkStep& step : steps) texts.push_back(describe(step));
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a pod bridge that lost its address gets the first of the block", "[network_plan][bridge]") {
  NetworkDesired desired = two_peers();
  NetworkObserved observed = converged(desired);
  NetworkLink& bridge = add_bridge(observed, {});
  CHECK(texts_of(plan_network(desired, observed)) == Texts{"put address 10.10.1.1/24 on cni0"});
  SECTION("a bridge that is down gets none") {
    bridge.up = false;
    CHECK(plan_network(desired, observed).empty());
  }
  SECTION("neither does one without a pod: the plugin comes first") {
    std::erase_if(observed.links, [](const NetworkLink& link) { return link.name == "veth1"; });
    CHECK(plan_network(desired, observed).empty());
  }
  SECTION("nor somebody else's plugin's") {
    desired.backend = NetworkBackend::external;
    CHECK(count<PutLinkAddress>(plan_network(desired, observed)) == 0);
  }
  SECTION("nor one with pods of a former block") {
    bridge.addresses = {{ip("10.10.8.1"), 24}};
    CHECK(count<PutLinkAddress>(plan_network(desired, observed)) == 0);
  }
  SECTION("the address of its IPv6 block is put, too") {
    desired.backend = NetworkBackend::routes;  // no link hop beside it
    desired.own_second_cidr = cidr("fd00:10:1::/64");
    const auto steps = plan_network(desired, observed);
    REQUIRE(count<PutLinkAddress>(steps) == 2);
    CHECK(texts_of(steps).at(1) == "put address fd00:10:1::1/64 on cni0");
    // Without a link-local one the kernel looks for no pod.
    bridge.mac = {0x02, 0x5a, 0x0a, 0x0a, 0x02, 0x00};
    CHECK(texts_of(plan_network(desired, observed)).at(2) == "put address fe80::5a:aff:fe0a:200/64 on cni0");
    bridge.addresses.push_back({ip("fe80::7"), 64});
    CHECK(count<PutLinkAddress>(plan_network(desired, observed)) == 2);
    bridge.addresses.clear();
    bridge.v6 = LinkIpv6{true, 0, false};
    CHECK(count<PutLinkAddress>(plan_network(desired, observed)) == 1);
  }
}

TEST_CASE("a pod bridge whose connected route is gone gets its address anew, for the kernel makes both", "[network_plan][bridge]") {
  const NetworkDesired desired = two_peers();
  NetworkObserved observed = fresh_node();
  NetworkLink& bridge = add_bridge(observed, {{ip("10.10.1.1"), 24}});
  obey(observed, plan_network(desired, observed));
  REQUIRE(plan_network(desired, observed).empty());
  bridge.addresses[0].connected = false;
  CHECK(texts_of(plan_network(desired, observed)) == Texts{"remove address 10.10.1.1/24 on cni0", "put address 10.10.1.1/24 on cni0"});
  bridge.carrier = false;
  CHECK(plan_network(desired, observed).empty());
}
