// Pods on several nodes, each in a network namespace of its own: every backend in both families.
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <tuple>

#include "agent/domain/link_hop.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "agent/net/checksum_offload.hpp"
#include "agent/net/network_undo.hpp"
#include "tests/support/ping.hpp"
#include "tests/support/pod_checks.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("pods: host-gw, full mesh in both families", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::host_gw));
  CHECK(lab.broken().size() == 12);
  lab.pass_all();
  check_whole(lab, 1500 - k_v6_echo);
  CHECK(lab.marked(lab.node(0)) == marks(4, 0, 0, 1));
}

TEST_CASE("pods: host-gw, an address without a pod gets no packet round the network", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  lab.node(0).ns.within([] {
    run_words("ip link set cni0 down");
    const std::string v4 = run_words("ip route show to match 10.10.1.77");
    const std::string v6 = run_words("ip -6 route show to match fd00:10:1::77");
    CHECK(v4.find("blackhole 10.10.1.0/24 proto 77 metric 4294967294") != std::string::npos);
    CHECK(v6.find("blackhole fd00:10:1::/64 dev lo proto 77 metric 4294967294") != std::string::npos);
  });
}

TEST_CASE("pods: vxlan, full mesh in both families, whether nodes are neighbours or not", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0, 1}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  check_whole(lab, 1450 - k_v6_echo);
  CHECK(lab.marked(lab.node(0)) == marks(0, 4, 2));
  CHECK_FALSE(lab.reaches(lab.node(0), lab.node(2), true, 1450 - k_v4_echo + 1));
  // From the node itself, by its tunnel end.
  lab.node(0).ns.within([&lab] {
    CHECK(Ping(lab.node(2).pod_address()).once());
    CHECK(Ping(lab.node(2).pod_address(false)).once());
  });
  const NetworkObserved seen = lab.observe(lab.node(0));
  const NetworkLink* device = overlay_of(seen);
  REQUIRE(device != nullptr);
  REQUIRE(device->addresses.size() == 2);  // and none that the kernel made up
  CHECK(seen.overlay_sysctls.at(0).value == "0");
  std::string details;
  lab.node(0).ns.within([&details] { details = run_words("ip -d link show slipway-vx"); });
  for (const char* word : {"vxlan id 1", "local 10.77.0.11 dev eth0", "dstport 8472", "nolearning", "addrgenmode none", "mtu 1450"}) {
    INFO(details);
    CHECK(details.find(word) != std::string::npos);
  }
}

TEST_CASE("pods: vxlan over IPv6", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 1}, backend(NetworkBackend::vxlan));
  for (std::size_t i = 0; i < lab.size(); ++i) lab.node(i).desired.node_address = lab.node(i).address(false);
  lab.tell_all();
  lab.pass_all();
  check_whole(lab, 1430 - k_v6_echo);
  CHECK(lab.marked(lab.node(0)) == marks(0, 2, 1));
}

TEST_CASE("pods: crossSubnet, neighbours directly and the others through the tunnel", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0, 1, 1}, backend(NetworkBackend::host_gw, true));
  lab.pass_all();
  check_whole(lab, 1450 - k_v6_echo);
  for (std::size_t i = 0; i < lab.size(); ++i) CHECK(lab.marked(lab.node(i)) == marks(2, 4, 2, 1));
}

TEST_CASE("pods: host-gw across a router names who is not adjacent", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0, 1}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  CHECK(lab.planned(lab.node(0)) == Lines{});
  const auto findings = network_findings(lab.node(0).desired, lab.observe(lab.node(0)));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].message.find("n3 (10.10.3.0/24: 10.78.0.13), n3 (fd00:10:3::/64: 10.78.0.13)") !=
        std::string::npos);
  CHECK(lab.reaches(lab.node(0), lab.node(1), true));
  CHECK_FALSE(lab.reaches(lab.node(0), lab.node(2), true, 0));
}

TEST_CASE("pods: a change of the backend leaves nothing of the former one", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  const auto change = [&lab](NetworkBackend kind, bool cross) {
    lab.settings = backend(kind, cross);
    lab.tell_all();
    lab.pass_all();
    CHECK(lab.planned(lab.node(0)) == Lines{});
  };
  change(NetworkBackend::host_gw, false);
  check_whole(lab, 1500 - k_v6_echo);
  CHECK(lab.marked(lab.node(0)) == marks(4, 0, 0, 1));
  change(NetworkBackend::vxlan, false);
  check_whole(lab, 1450 - k_v6_echo);
  CHECK(lab.marked(lab.node(0)) == marks(0, 4, 2));
  change(NetworkBackend::routes, false);
  CHECK(lab.marked(lab.node(0)) == marks(0, 0, 0));
  change(NetworkBackend::external, false);
  CHECK(lab.marked(lab.node(0)) == "routes 0, neighbours 0, entries 0");
}

TEST_CASE("pods: a reset finds the tunnel, the routes and the link hop by their marks, and takes them away",
          "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::host_gw, true));
  lab.pass_all();
  LabNode& node = lab.node(0);
  node.ns.within([&] {
    run_words("ip route add 10.99.0.0/16 via 10.77.0.12 proto static");
    auto undo = net::NetworkUndo::open({});
    REQUIRE(undo);
    for (const auto& [kind, name, action] :
         {std::tuple{ChangeKind::device, std::string(k_overlay_device), ResetAction::remove_device},
          std::tuple{ChangeKind::routes, std::string("77"), ResetAction::remove_routes},
          std::tuple{ChangeKind::addresses, std::string(k_link_hop_mark), ResetAction::remove_addresses}}) {
      Change change;
      change.kind = kind;
      change.name = name;
      ResetStep step;
      step.action = action;
      step.name = name;
      CHECK(undo->look(change)->there);
      CHECK(undo->undo(step));
      CHECK_FALSE(undo->look(change)->there);
      CHECK(undo->undo(step));  // nothing is left to do
    }
    CHECK(run_words("ip route show").find("10.99.0.0/16") != std::string::npos);
  });
  CHECK(lab.marked(node) == "routes 0, neighbours 0, entries 0");
}

TEST_CASE("pods: a device of another program with our identifier and port", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::vxlan));
  LabNode& node = lab.node(0);
  node.ns.within([] { run_words("ip link add flannel.1 type vxlan id 1 dstport 8472 local 10.77.0.11 dev eth0"); });
  lab.pass(node);
  CHECK(overlay_of(lab.observe(node)) == nullptr);
  const auto findings = network_findings(node.desired, lab.observe(node));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::overlay_conflict);
  CHECK(findings[0].message.find("flannel.1") != std::string::npos);
  // What the plan keeps from doing the kernel refuses, and says why.
  const auto want = wanted_overlay(node.desired, lab.observe(node));
  REQUIRE(want);
  node.ns.within([&] {
    const auto refused = node.kernel->apply({PutOverlay{want->config, want->mac, want->mtu, 0, "eth0"},
                                             PutNeighbour{k_overlay_to_come, {node.pod_address(), want->mac}, "n2"}});
    REQUIRE_FALSE(refused[0]);
    CHECK(refused[0].error().message.find("make the tunnel device slipway-vx") != std::string::npos);
    REQUIRE_FALSE(refused[1]);
    CHECK(refused[1].error().message.find("there is no tunnel device") != std::string::npos);
    run_words("ip link set flannel.1 up");
    run_words("ip link del flannel.1");
  });
  lab.pass_all();
  check_whole(lab, 1450 - k_v6_echo);
}

TEST_CASE("pods: a program that has the tunnel's port", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::vxlan));
  LabNode& node = lab.node(0);
  UniqueFd program;
  node.ns.within([&program] {
    program.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(8472);
    REQUIRE(::bind(program.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  });
  const auto steps = plan_network(node.desired, lab.observe(node));
  node.ns.within([&] {
    const auto results = node.kernel->apply(steps);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      INFO(describe(steps[i]));
      if (std::holds_alternative<PutOverlay>(steps[i])) {
        REQUIRE_FALSE(results[i]);
        CHECK(results[i].error().message.find("address already in use") != std::string::npos);
      }
    }
  });
  const auto findings = network_findings(node.desired, lab.observe(node));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == NetworkFindingKind::overlay_missing);
  CHECK(findings[0].blocks_pods);
  program.reset();
  lab.pass_all();
  check_whole(lab, 1450 - k_v6_echo);
}

TEST_CASE("pods: IPv6 pods on a host that has IPv6 off for new interfaces", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::vxlan));
  lab.node(0).ns.within([] { run_words("sysctl -qw net.ipv6.conf.default.disable_ipv6=1"); });
  lab.pass_all();
  check_whole(lab, 1450 - k_v6_echo);
}

TEST_CASE("pods: the checksum offload of the tunnel is turned off and on", "[network][pods]") {
  if (no_root()) return;
  PodLab lab({0}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  LabNode& node = lab.node(0);
  REQUIRE(lab.observe(node).overlay_checksum_offload == true);
  node.ns.within([&] {
    for (const Status& status : node.kernel->apply({SetChecksumOffload{false}})) CHECK(status);
  });
  CHECK(lab.observe(node).overlay_checksum_offload == false);
  CHECK_FALSE(lab.observe(node).kernel_release.empty());
  node.ns.within([&] {
    for (const Status& status : node.kernel->apply({SetChecksumOffload{true}})) CHECK(status);
    CHECK(net::checksum_offload("nothere").value() == std::nullopt);
    CHECK_FALSE(net::set_checksum_offload("nothere", true));
  });
  CHECK(lab.observe(node).overlay_checksum_offload == true);
}
