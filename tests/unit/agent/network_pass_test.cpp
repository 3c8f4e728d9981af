// What the coordinator says, as the node's wanted network.
#include "agent/service/network_pass.hpp"

#include <catch2/catch.hpp>

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

NodeIdentity self() {
  NodeIdentity identity;
  identity.cluster_id = "c1";
  identity.node_uid = "u1";
  identity.node_name = "n1";
  identity.address = "10.77.0.11";
  identity.pod_cidr = "10.10.1.0/24";
  return identity;
}

proto::DesiredState told() {
  proto::DesiredState desired;
  desired.cluster.network.pod_cidr = "10.10.0.0/16";
  desired.nodes.push_back({"n1", "u1", 1, "node", "10.77.0.11", "10.10.1.0/24"});
  desired.nodes.push_back({"n2", "u2", 2, "node", "10.77.0.12", "10.10.2.0/24"});
  return desired;
}

}  // namespace

TEST_CASE("network pass: settings reach the plan", "[agent][network_pass]") {
  proto::DesiredState desired = told();
  proto::NetworkSettings& network = desired.cluster.network;
  network.backend = "vxlan";
  network.vxlan = {77, 4789};
  network.mtu = 1400;
  network.accept_forward = false;
  network.no_masquerade = {"192.168.0.0/16", "fd99::/32"};
  desired.pod_ranges = {"10.10.0.0/16", "fd00:10::/48"};
  desired.nodes[0].second_pod_cidr = "fd00:10:0:1::/64";
  desired.nodes[1].second_pod_cidr = "fd00:10:0:2::/64";
  std::vector<std::string> problems;
  const auto wanted = network_desired(desired, self(), problems);
  REQUIRE(wanted);
  CHECK(problems.empty());
  CHECK(wanted->backend == NetworkBackend::vxlan);
  CHECK(wanted->vxlan_id == 77);
  CHECK(wanted->vxlan_port == 4789);
  CHECK(wanted->mtu == 1400);
  CHECK_FALSE(wanted->accept_forward);
  CHECK(wanted->no_masquerade == std::vector<Cidr>{cidr("192.168.0.0/16"), cidr("fd99::/32")});
  CHECK(wanted->pools == std::vector<Cidr>{cidr("10.10.0.0/16"), cidr("fd00:10::/48")});
  CHECK(wanted->own_second_cidr == cidr("fd00:10:0:1::/64"));
  REQUIRE(wanted->peers.size() == 1);
  CHECK(wanted->peers[0] ==
        NetworkPeer{"n2", cidr("10.10.2.0/24"), ip("10.77.0.12"), cidr("fd00:10:0:2::/64")});

  NodeIdentity other = self();
  other.cluster_id = "c2";
  CHECK(network_desired(desired, other, problems)->mac_salt != wanted->mac_salt);
}

TEST_CASE("network pass: each backend by its name, and none for a name that is not known", "[agent][network_pass]") {
  proto::DesiredState desired = told();
  std::vector<std::string> problems;
  const std::pair<const char*, NetworkBackend> known[] = {{"host-gw", NetworkBackend::host_gw},
                                                          {"vxlan", NetworkBackend::vxlan},
                                                          {"routes", NetworkBackend::routes},
                                                          {"external", NetworkBackend::external}};
  for (const auto& [name, backend] : known) {
    desired.cluster.network.backend = name;
    CHECK(network_desired(desired, self(), problems)->backend == backend);
  }
  desired.cluster.network.backend = "geneve";
  FakeNetwork network(ip("10.77.0.11"), 24);
  const NetworkOutcome outcome = bring_network_about(network, desired, self());
  CHECK_FALSE(outcome.ready);
  CHECK(outcome.message.find("does not know the network backend \"geneve\"") != std::string::npos);
  CHECK(network.applied.empty());
}

TEST_CASE("network pass: numbers out of bounds are refused, not cut", "[agent][network_pass]") {
  std::vector<std::string> problems;
  for (const int which : {0, 1, 2, 3}) {
    proto::DesiredState desired = told();
    if (which == 0) desired.cluster.network.vxlan.id = 1U << 24;
    if (which == 1) desired.cluster.network.vxlan.port = 65536 + 8472;
    if (which == 2) desired.cluster.network.mtu = std::uint64_t{1} << 32;
    if (which == 3) desired.cluster.network.no_masquerade = {"all"};
    CHECK_FALSE(network_desired(desired, self(), problems));
  }
}

TEST_CASE("network pass: a peer that cannot be read is told, the others are reached", "[agent][network_pass]") {
  proto::DesiredState desired = told();
  desired.nodes.push_back({"n3", "u3", 3, "node", "10.77.0.13", "10.10.3.0/24"});
  desired.nodes.back().second_pod_cidr = "fd00::1/64";
  FakeNetwork network(ip("10.77.0.11"), 24);
  const NetworkOutcome outcome = bring_network_about(network, desired, self());
  CHECK(outcome.ready);
  CHECK(outcome.message == "network: node n3 has an address or pod range that cannot be read");
  CHECK(network.state().routes.size() == 2);
}

TEST_CASE("network pass: pods have what the tunnel leaves, and a rival of it keeps the node from offering itself", "[agent][network_pass]") {
  proto::DesiredState desired = told();
  desired.cluster.network.cross_subnet = true;
  FakeNetwork network(ip("10.77.0.11"), 24);
  const NetworkOutcome outcome = bring_network_about(network, desired, self());
  CHECK(outcome.ready);
  CHECK(outcome.peers_applied);
  CHECK(outcome.pod_mtu == 1450);
  CHECK(outcome.mtu_left == 1450);
  desired.cluster.network.mtu = 1400;
  CHECK(bring_network_about(network, desired, self()).pod_mtu == 1400);
  CHECK(bring_network_about(network, desired, self()).mtu_left == 1450);  // that others want less is not this node's doing
  desired.cluster.network.mtu = 8950;
  CHECK(bring_network_about(network, desired, self()).pod_mtu == 1450);
  desired.cluster.network.mtu = 0;
  CHECK(bring_network_about(network, desired, self()).changes.empty());

  FakeNetwork with_rival(ip("10.77.0.11"), 24);
  NetworkLink rival;
  rival.index = 5;
  rival.name = "flannel.1";
  rival.vxlan = VxlanConfig{1, 8472, 2, ip("10.77.0.11"), false, false};
  with_rival.state().links.push_back(rival);
  const NetworkOutcome blocked = bring_network_about(with_rival, desired, self());
  CHECK_FALSE(blocked.ready);
  CHECK(blocked.message.find("flannel.1") != std::string::npos);
}

TEST_CASE("network pass: what of a former node cannot be removed is not acknowledged", "[agent][network_pass]") {
  proto::DesiredState desired = told();
  desired.cluster.network.backend = "vxlan";
  FakeNetwork network(ip("10.77.0.11"), 24);
  REQUIRE(bring_network_about(network, desired, self()).peers_applied);
  desired.nodes.pop_back();
  const auto entry = network.state().forwarding.at(0);
  network.step_errors.emplace(describe(NetworkStep{RemoveForwarding{0, entry}}), Error{Errc::unavailable, "busy"});
  const NetworkOutcome outcome = bring_network_about(network, desired, self());
  CHECK_FALSE(outcome.peers_applied);
  CHECK(outcome.message.find("busy") != std::string::npos);
}
