// Pods that real CNI plugins attach, with the list that Slipway renders: every backend, in both families, and many nodes.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "tests/support/neighbour_room.hpp"
#include "tests/support/ping.hpp"
#include "tests/support/pod_checks.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

bool skip() {
  return no_root() || no_cni_plugins();
}

PodLab plugin_lab(const std::vector<int>& links, NetworkDesired settings, bool dual = true) {
  return PodLab(links, std::move(settings), dual, LabUnderlay::both, LabPods::by_plugins);
}

std::string lease_of(const LabNode& node, const IpAddress& address) {
  return PodLab::cni_state(node) + "/slipway/" + address.to_string();
}

void add(PodLab& lab, LabNode& node, CniPod& pod) {
  const std::string list = lab.conflist(node);
  node.ns.within([&] { cni_add(list, pod); });
}

void remove(PodLab& lab, LabNode& node, const CniPod& pod) {
  const std::string list = lab.conflist(node);
  node.ns.within([&] { cni_del(list, pod); });
}

// As many nodes as the notes say fit on one machine.
void mesh_of_many(NetworkBackend kind, std::size_t bytes) {
  constexpr std::size_t k_nodes = 60;
  const int room = 16384;  // of both families, all nodes, and some for the machine's own
  const NeighbourRoom neighbours(room);
  if (!neighbours.is_there(room)) {
    WARN("SKIPPED: needs net.ipv4.neigh.default.gc_thresh3 of this machine at " << room);
    return;
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto seconds = [&begun] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  PodLab lab(std::vector<int>(k_nodes, 0), backend(kind), true, LabUnderlay::both, usual_pods());
  std::cout << k_nodes << " nodes: hosts after " << seconds() << " s";
  lab.pass_all();
  std::cout << ", pods after " << seconds() << " s";
  const Lines broken = lab.broken(bytes);
  std::cout << ", " << k_nodes * (k_nodes - 1) * 2 << " pairs after " << seconds() << " s, " << broken.size() << " broken\n";
  CHECK(broken == Lines{});
  const auto peers = static_cast<long>(k_nodes - 1);
  const bool tunnel = kind == NetworkBackend::vxlan;
  for (const std::size_t index : {std::size_t{0}, k_nodes - 1}) {
    CHECK(lab.planned(lab.node(index)) == Lines{});
    CHECK(lab.marked(lab.node(index)) ==
          (tunnel ? marks(0, 2 * peers, peers) : marks(2 * peers, 0, 0, 1)));
  }
}

}  // namespace

TEST_CASE("pods by CNI plugins: full mesh of each backend, in both families", "[network][pods][cni]") {
  if (skip()) return;
  struct Case {
    std::vector<int> links;
    NetworkBackend kind;
    bool cross;
    int mtu;
  };
  const auto [links, kind, cross, mtu] =
      GENERATE(Case{{0, 0, 0}, NetworkBackend::host_gw, false, 1500}, Case{{0, 0, 1}, NetworkBackend::vxlan, false, 1450},
               Case{{0, 0, 1}, NetworkBackend::host_gw, true, 1450});
  PodLab lab = plugin_lab(links, backend(kind, cross));
  lab.pass_all();
  check_whole(lab, static_cast<std::size_t>(mtu) - k_v6_echo);
  for (std::size_t i = 0; i < lab.size(); ++i) {
    LabNode& node = lab.node(i);
    REQUIRE(node.by_plugins);
    CHECK(addresses_of(*node.by_plugins) == std::vector{node.pod_address(), node.pod_address(false)});
    const std::string pod = node.pod.run("ip link show eth0");
    CHECK(pod.find("mtu " + std::to_string(mtu) + " ") != std::string::npos);
    CHECK(node.pod.run("ip link show lo").find("LOWER_UP") != std::string::npos);
    CHECK(get_file(lease_of(node, node.pod_address())).find("sandbox-of-" + node.name()) == 0);
    CHECK(node.ns.run("ip -d link show " + node_end(*node.by_plugins)).find("hairpin on") != std::string::npos);
  }
}

TEST_CASE("pods by CNI plugins: full mesh of IPv4 alone", "[network][pods][cni]") {
  if (skip()) return;
  const auto kind = GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan);
  PodLab lab = plugin_lab({0, 0, 0}, backend(kind), false);
  lab.pass_all();
  check_whole(lab, (kind == NetworkBackend::vxlan ? 1450U : 1500U) - k_v4_echo);
  CHECK(addresses_of(*lab.node(0).by_plugins) == std::vector{lab.node(0).pod_address()});
}

TEST_CASE("pods by CNI plugins: one that goes gives its addresses back, the next one is reached", "[network][pods][cni]") {
  if (skip()) return;
  const auto kind = GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan);
  PodLab lab = plugin_lab({0, 0}, backend(kind));
  lab.pass_all();
  LabNode& node = lab.node(0);
  const CniPod first = *node.by_plugins;
  const std::string end = node_end(first);
  const LabNamespace second_ns;
  CniPod second{"second", second_ns.place()};
  add(lab, node, second);
  CHECK(addresses_of(second) == std::vector{node.block().at(3), node.block(false).at(3)});

  // The list may say something else by now: the container's identifier finds what it has.
  node.desired.mtu = 1400;
  remove(lab, node, first);
  for (const bool v4 : {true, false}) {
    CHECK_FALSE(std::filesystem::exists(lease_of(node, node.pod_address(v4))));
    CHECK_FALSE(lab.reaches(lab.node(1), node, v4));
  }
  CHECK(node.ns.run("ip link show").find(end) == std::string::npos);
  CHECK(lab.planned(node) == Lines{});
  remove(lab, node, first);  // what is gone is no error: the kubelet asks again

  node.by_plugins = second;
  for (const IpAddress& address : addresses_of(second)) {
    INFO(address.to_string());
    CHECK(lab.node(1).pod.within([&address] { return Ping(address).once(); }));
    CHECK(lab.node(1).ns.within([&address] { return Ping(address).once(); }));
  }
}

namespace {

constexpr int k_host_port = 8080;

// A pod with a port of the host, and the record that a runtime keeps of it.
CniPod with_host_port(PodLab& lab, LabNode& node, const LabNamespace& ns, const std::string& container) {
  CniPod pod{container, ns.place(), k_host_port};
  add(lab, node, pod);
  std::filesystem::create_directories(PodLab::cni_results(node));
  put_file(PodLab::cni_results(node) + "/" + cached_result_name(pod), cached_result(pod, "default", "web"));
  return pod;
}

// From another node to the host's port.
bool host_port_answers(LabNode& from, LabNode& node, const LabNamespace& pod_ns, const CniPod& pod, bool v4) {
  const IpAddress inside = addresses_of(pod).at(v4 ? 0 : 1);
  Datagrams server = pod_ns.within([&inside] { return Datagrams(inside, 80); });
  Datagrams client = from.ns.within([&] { return Datagrams(from.address(v4)); });
  client.send(node.address(v4), k_host_port);
  return !server.source(1000).empty();
}

Lines lost_ports(PodLab& lab, LabNode& node) {
  Lines out;
  for (const NetworkFinding& finding : network_findings(node.desired, lab.observe(node)))
    if (finding.kind == NetworkFindingKind::host_ports_lost) out.push_back(finding.message);
  return out;
}

}  // namespace

TEST_CASE("pods by CNI plugins: host ports whose rules were flushed are told until the pod is made anew",
          "[network][pods][cni][filter]") {
  if (skip()) return;
  PodLab lab = plugin_lab({0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  LabNode& node = lab.node(0);
  const auto pod_ns = std::make_unique<LabNamespace>();
  const CniPod pod = with_host_port(lab, node, *pod_ns, "web-1");
  for (const bool v4 : {true, false}) CHECK(host_port_answers(lab.node(1), node, *pod_ns, pod, v4));
  CHECK(lost_ports(lab, node) == Lines{});

  node.ns.run("nft flush ruleset");
  lab.pass(node);
  CHECK_FALSE(host_port_answers(lab.node(1), node, *pod_ns, pod, true));
  const Lines told = lost_ports(lab, node);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("hostPort of default/web.") != std::string::npos);
  CHECK(lab.planned(node) == Lines{});  // nothing that the agent could put

  // The pod goes, and a new one takes its place.
  remove(lab, node, pod);
  std::filesystem::remove(PodLab::cni_results(node) + "/" + cached_result_name(pod));
  CHECK(lost_ports(lab, node) == Lines{});
  const LabNamespace next_ns;
  const CniPod next = with_host_port(lab, node, next_ns, "web-2");
  CHECK(lost_ports(lab, node) == Lines{});
  CHECK(host_port_answers(lab.node(1), node, next_ns, next, true));

  // One family alone is enough to be told.
  node.ns.run("ip6tables -t nat -F CNI-HOSTPORT-DNAT");
  node.ns.run("nft add table inet other");  // of table nat itself nothing is heard
  CHECK(lost_ports(lab, node).size() == 1);
}

TEST_CASE("pods: host-gw, full mesh of 60 nodes", "[network][pods][many]") {
  if (no_root()) return;
  mesh_of_many(NetworkBackend::host_gw, 1500 - k_v6_echo);
}

TEST_CASE("pods: vxlan, full mesh of 60 nodes", "[network][pods][many]") {
  if (no_root()) return;
  mesh_of_many(NetworkBackend::vxlan, 1450 - k_v6_echo);
}
