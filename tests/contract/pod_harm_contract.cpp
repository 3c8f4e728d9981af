// What happens to nodes with pods. After each harm one pass mends everything, a second one plans nothing, and
// no marked object is left over.
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>

#include "agent/domain/overlay_plan.hpp"
#include "tests/support/ping_stream.hpp"
#include "tests/support/pod_checks.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

// The addresses and the way out that the host's own programs would bring back.
const std::vector<std::string> k_addresses_again = {"ip -6 address replace fd77::11/64 dev eth0 nodad",
                                                    "ip route replace default via 10.77.0.1",
                                                    "ip -6 route replace default via fd77::1"};

std::vector<std::string> then_addresses(std::vector<std::string> commands) {
  commands.insert(commands.end(), k_addresses_again.begin(), k_addresses_again.end());
  return commands;
}

PodLab usual_lab(const std::vector<int>& links, NetworkDesired settings) {
  return PodLab(links, std::move(settings), true, LabUnderlay::both, usual_pods());
}

std::vector<Harm> common_harms() {
  return {
      {"underlay down and up", then_addresses({"ip link set eth0 down", "ip link set eth0 up"})},
      {"underlay addresses flushed and put again",
       then_addresses({"ip address flush dev eth0", "ip address add 10.77.0.11/24 dev eth0"})},
      {"our routes flushed", {"ip route flush proto 77", "ip -6 route flush proto 77"}},
      {"all routes flushed",
       then_addresses({"ip route flush table main",
                       "ip route add 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.11"})},
      {"the pod bridge's addresses flushed", {"ip address flush dev cni0"}},
      {"the pod bridge's connected routes deleted",
       {"ip route del 10.10.1.0/24 dev cni0", "ip -6 route del fd00:10:1::/64 dev cni0"}, false},
      {"a stale route of a former run",
       {"ip route add 10.10.66.0/24 via 10.77.0.12 proto 77 metric 9",
        "ip -6 route add fd00:10:66::/64 via fd77::12 proto 77 metric 9",
        "ip route add blackhole 10.10.67.0/24 proto 77 metric 4294967294"}},
  };
}

std::vector<Harm> tunnel_harms() {
  return {
      {"device deleted", {"ip link del slipway-vx"}},
      {"MAC changed", {"ip link set slipway-vx address 02:00:00:00:00:01"}},
      {"device down", {"ip link set slipway-vx down"}},
      {"device down and up", {"ip link set slipway-vx down", "ip link set slipway-vx up"}},
      {"device made by somebody with learning",
       {"ip link del slipway-vx",
        "ip link add slipway-vx type vxlan id 1 dstport 8472 local 10.77.0.11 dev eth0",
        "ip link set slipway-vx up"}},
      {"device of another identifier",
       {"ip link del slipway-vx",
        "ip link add slipway-vx type vxlan id 9 dstport 8472 local 10.77.0.11 dev eth0 nolearning"}},
      {"device of another kind", {"ip link del slipway-vx", "ip link add slipway-vx type bridge"}},
      {"neighbours flushed",
       {"ip neigh flush dev slipway-vx nud permanent", "ip -6 neigh flush dev slipway-vx nud permanent"}},
      {"an entry deleted", {"bridge fdb del 02:5a:0a:0a:02:00 dev slipway-vx"}},
      {"an entry led elsewhere", {"bridge fdb replace 02:5a:0a:0a:02:00 dev slipway-vx dst 10.77.0.99"}},
      {"strange entries and neighbours",
       {"bridge fdb add 02:09:09:09:09:09 dev slipway-vx dst 10.77.0.99",
        "ip neigh add 10.10.99.0 lladdr 02:09:09:09:09:09 dev slipway-vx"}},
      {"a neighbour with another MAC",
       {"ip neigh replace 10.10.2.0 lladdr 02:09:09:09:09:09 dev slipway-vx"}},
      {"addresses on the device",
       {"ip address add 10.10.1.0/24 dev slipway-vx", "ip address add 10.10.77.1/32 dev slipway-vx",
        "ip address add 169.254.7.7/16 dev slipway-vx", "ip address del 10.10.1.0/32 dev slipway-vx"}},
      {"underlay with a smaller MTU", {"ip link set eth0 mtu 1400"}},
      {"router advertisements turned on", {"sysctl -qw net.ipv6.conf.slipway-vx.accept_ra=1"}, false},
  };
}

}  // namespace

TEST_CASE("pods: host-gw after each harm", "[network][pods][harm]") {
  if (no_root()) return;
  PodLab lab = usual_lab({0, 0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  for (const Harm& harm : common_harms()) suffer(lab, harm);
  for (const Harm& harm : filter_harms()) suffer(lab, harm);
}

TEST_CASE("pods: vxlan after each harm", "[network][pods][harm]") {
  if (no_root()) return;
  PodLab lab = usual_lab({0, 0, 1}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  for (const Harm& harm : common_harms()) suffer(lab, harm);
  for (const Harm& harm : filter_harms()) suffer(lab, harm);
  for (const Harm& harm : tunnel_harms()) suffer(lab, harm);
}

TEST_CASE("pods: crossSubnet after each harm", "[network][pods][harm]") {
  if (no_root()) return;
  PodLab lab = usual_lab({0, 0, 1}, backend(NetworkBackend::host_gw, true));
  lab.pass_all();
  for (const Harm& harm : common_harms()) suffer(lab, harm);
  for (const Harm& harm : filter_harms()) suffer(lab, harm);
}

TEST_CASE("pods: the kernel can look for IPv6 pods again after a flush of the bridge's addresses", "[network][pods][harm]") {
  if (no_root()) return;
  PodLab lab = usual_lab({0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  LabNode& node = lab.node(0);
  node.ns.run("ip address flush dev cni0");
  lab.pass(node);
  // What it knows of them lasts for half a minute otherwise.
  node.ns.run("ip -6 neigh flush dev cni0");
  CHECK(lab.reaches(lab.node(1), node, false));
}

TEST_CASE("pods: the underlay's interface is made anew", "[network][pods][harm]") {
  if (no_root()) return;
  PodLab lab = usual_lab({0, 1}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  LabNode& node = lab.node(0);
  const std::string before = lab.marked(node);
  // Its own end goes with the other one; the tunnel goes with the underlay.
  node.ns.within([] { run_words("ip link set eth0 name old0"); });
  ip_batch(node.ns, "link del old0\n");
  CHECK(overlay_of(lab.observe(node)) == nullptr);
  CHECK(lab.planned(node).size() <= 2);  // what is left to do without an underlay: the IPv6 blackhole at most
  CHECK(network_findings(node.desired, lab.observe(node)).at(0).kind == NetworkFindingKind::no_underlay);
  lab.plug_in(node);
  lab.pass(node);
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.broken() == Lines{});
  CHECK(lab.marked(node) == before);
}

TEST_CASE("pods: a node's address changes, and a block changes hands", "[network][pods]") {
  if (no_root()) return;
  const auto kind = GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan);
  PodLab lab = usual_lab({0, 0, 0}, backend(kind));
  lab.pass_all();
  const std::string before = lab.marked(lab.node(0));
  lab.node(1).ns.within([] {
    run_words("ip address add 10.77.0.112/24 dev eth0");
    run_words("ip address del 10.77.0.12/24 dev eth0");
    run_words("ip address replace 10.77.0.112/24 dev eth0");
    run_words("ip route replace default via 10.77.0.1");
  });
  lab.node(1).desired.node_address = *IpAddress::parse("10.77.0.112");
  lab.tell_all();
  lab.pass_all();
  CHECK(lab.broken() == Lines{});
  for (std::size_t i = 0; i < lab.size(); ++i) {
    CHECK(lab.planned(lab.node(i)) == Lines{});
    CHECK(lab.marked(lab.node(i)) == before);
  }
  // Node 2 leaves while this agent is away, and node 3 has its block: nothing of the former owner is left.
  lab.node(0).desired.peers = {{"n3", *Cidr::parse("10.10.2.0/24"), *IpAddress::parse("10.77.0.13")}};
  const Lines steps = lab.pass(lab.node(0));
  CHECK(lab.planned(lab.node(0)) == Lines{});
  for (const std::string& step : steps) CHECK(step.find("remove route 10.10.2.0/24") == std::string::npos);
  std::string entries;
  lab.node(0).ns.within([&] {
    if (kind == NetworkBackend::vxlan) entries = run_words("bridge fdb show dev slipway-vx");
  });
  CHECK(entries.find("10.77.0.112") == std::string::npos);
}

TEST_CASE("pods: a peer's address changes again and again, and nobody loses a packet",
          "[network][pods][loss]") {
  if (no_root()) return;
  const auto kind = GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan);
  PodLab lab = usual_lab({0, 0, 0}, backend(kind));
  lab.pass_all();
  // The peer has both addresses, as in a change without a gap, and both link hops.
  lab.node(1).ns.within([] { run_words("ip address add 10.77.0.112/24 dev eth0"); });
  lab.node(1).desired.node_address = *IpAddress::parse("10.77.0.112");
  lab.pass(lab.node(1));
  LabNode& node = lab.node(0);
  REQUIRE(lab.broken() == Lines{});
  PingStream to_peer("to the peer, v4", node.pod, lab.node(1).pod_address());
  PingStream to_third("to a third node, v4", node.pod, lab.node(2).pod_address());
  PingStream to_peer_v6("to the peer, v6", node.pod, lab.node(1).pod_address(false));
  long changes = 0;
  for (int i = 0; i < 200; ++i) {
    node.desired.peers[0].gateway = *IpAddress::parse(i % 2 == 0 ? "10.77.0.112" : "10.77.0.12");
    node.ns.within([&] {
      const auto links = node.kernel->observe();
      REQUIRE(links);
      const auto steps = plan_network(node.desired, *links);
      for (const Status& status : node.kernel->apply(steps)) CHECK(status);
      changes += static_cast<long>(steps.size());
    });
  }
  std::cout << changes << " changes, packets lost:";
  for (PingStream* stream : {&to_peer, &to_third, &to_peer_v6}) {
    stream->stop();
    std::cout << " " << stream->in_words() << ";";
  }
  std::cout << "\n";
  CHECK(changes == (kind == NetworkBackend::host_gw ? 400 : 200));  // a route of each family, or one entry
  CHECK(to_peer.sent() > 100);
  CHECK(to_peer.lost() == 0);
  CHECK(to_third.lost() == 0);
  CHECK(to_peer_v6.lost() == 0);
}

namespace {

long ms_since(std::chrono::steady_clock::time_point start) {
  return static_cast<long>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start)
          .count());
}

NetworkDesired with_peers(NetworkDesired desired, std::uint32_t count) {
  desired.peers.clear();
  for (std::uint32_t i = 0; i < count; ++i)
    desired.peers.push_back({"n" + std::to_string(i), *Cidr::make(IpAddress::v4(0x0b000000U + i * 256), 24),
                             IpAddress::v4(0x0a4d0100U + i)});
  return desired;
}

// One pass over the kernel, in its parts.
void timed_pass(LabNode& node, const char* what) {
  node.ns.within([&] {
    const auto begin = std::chrono::steady_clock::now();
    const auto seen = node.kernel->observe();
    REQUIRE(seen);
    const long observed = ms_since(begin);
    const auto planning = std::chrono::steady_clock::now();
    const auto steps = plan_network(node.desired, *seen);
    const long planned = ms_since(planning);
    const auto applying = std::chrono::steady_clock::now();
    const auto results = node.kernel->apply(steps);
    const long applied = ms_since(applying);
    std::cout << what << ": " << steps.size() << " steps, observed in " << observed << " ms, planned in "
              << planned << " ms, applied in " << applied << " ms\n";
    for (const Status& status : results)
      if (!status) FAIL(status.error().message);
  });
}

}  // namespace

TEST_CASE("pods: thousands of peers, and back after each loss", "[network][pods][many]") {
  if (no_root()) return;
  constexpr std::uint32_t k_peers = 5000;
  PodLab lab({0}, backend(NetworkBackend::vxlan), false);
  LabNode& node = lab.node(0);
  lab.pass(node);
  node.ns.within([] { run_words("ip address replace 10.77.0.11/16 dev eth0"); });
  node.ns.within([] { run_words("ip address del 10.77.0.11/24 dev eth0"); });
  node.desired = with_peers(node.desired, k_peers);
  timed_pass(node, "vxlan, all new");
  CHECK(lab.planned(node) == Lines{});
  const std::string whole = "routes 5001, neighbours 5000, entries 5000";
  CHECK(lab.marked(node) == whole);
  const std::pair<const char*, const char*> losses[] = {
      {"vxlan, device deleted", "ip link del slipway-vx"},
      {"vxlan, MAC changed", "ip link set slipway-vx address 02:00:00:00:00:01"},
      {"vxlan, device down", "ip link set slipway-vx down"}};
  for (const auto& [what, command] : losses) {
    node.ns.within([&] { run_words(command); });
    timed_pass(node, what);
    CHECK(lab.planned(node) == Lines{});
    CHECK(lab.marked(node) == whole);
  }
  node.desired.backend = NetworkBackend::host_gw;
  timed_pass(node, "from vxlan to host-gw");
  CHECK(lab.planned(node) == Lines{});
  node.ns.within([] {
    run_words("ip link set eth0 down");
    run_words("ip link set eth0 up");
  });
  timed_pass(node, "host-gw, link down and up");
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.marked(node) == "routes 5001, neighbours 0, entries 0");
}

TEST_CASE("pods: our own changes to the tunnel are no news, and neither are others' neighbours",
          "[network][pods][drift]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  LabNode& node = lab.node(0);
  REQUIRE(lab.broken() == Lines{});
  while (has_news(lab, *node.kernel)) {
  }
  node.desired.peers.pop_back();
  CHECK(lab.pass(node).size() == 5);  // a route and a neighbour of each family, and an entry
  CHECK_FALSE(has_news(lab, *node.kernel));
  lab.tell_all();
  CHECK(lab.pass(node).size() == 5);
  CHECK_FALSE(has_news(lab, *node.kernel));
  node.ns.within([] {
    run_words("ip neigh add 10.77.0.200 lladdr 02:09:09:09:09:09 dev eth0");
    run_words("ip neigh del 10.77.0.200 dev eth0");
  });
  CHECK_FALSE(has_news(lab, *node.kernel));
  node.ns.within([] { run_words("ip link add v9 type veth peer name v8"); });
  while (has_news(lab, *node.kernel)) {
  }
  node.ns.within([] {
    run_words("ip -6 address add fe80::77/64 dev v9 nodad");
    run_words("bridge fdb add 02:09:09:09:09:09 dev v9 self");
  });
  CHECK_FALSE(has_news(lab, *node.kernel));
}
