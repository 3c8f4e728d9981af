// The packet filter, the kernel settings and the files of the pod network, as plans.
#include "agent/domain/filter_plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/host_dropins.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/sysctl_plan.hpp"
#include "agent/net/foreign_rules.hpp"
#include "agent/net/host_ports.hpp"
#include "agent/net/masquerade.hpp"
#include "agent/render/traces.hpp"
#include "agent/service/network_pass.hpp"

using namespace slipway;

namespace {

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

NetworkDesired dual_stack() {
  NetworkDesired desired;
  desired.node_address = *IpAddress::parse("10.77.0.11");
  desired.own_cidr = cidr("10.10.1.0/24");
  desired.own_second_cidr = cidr("fd00:10:0:1::/64");
  desired.pools = {cidr("10.10.0.0/16"), cidr("fd00:10::/48")};
  return desired;
}

NetworkObserved bare_host() {
  NetworkObserved observed;
  for (const std::string& key : network_sysctl_keys()) observed.sysctls.push_back({key, "0", true});
  for (const IpFamily family : k_families) observed.filter.forward[family].tool_present = true;
  return observed;
}

void set(NetworkObserved& observed, const std::string& key, std::optional<std::string> value) {
  for (ObservedSysctl& one : observed.sysctls)
    if (one.key == key) one.value = value;
}

template <class T>
std::vector<T> steps_of(const std::vector<NetworkStep>& steps) {
  std::vector<T> out;
  for (const NetworkStep& step : steps)
    if (const auto* one = std::get_if<T>(&step)) out.push_back(*one);
  return out;
}

std::vector<std::string> sysctls_set(const NetworkDesired& desired, const NetworkObserved& observed) {
  std::vector<std::string> out;
  for (const SetSysctl& step : steps_of<SetSysctl>(plan_network(desired, observed)))
    out.push_back(step.sysctl.key + "=" + step.sysctl.value);
  return out;
}

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<NetworkFinding> findings_of(NetworkFindingKind kind, const NetworkDesired& desired,
                                        const NetworkObserved& observed) {
  std::vector<NetworkFinding> all = network_findings(desired, observed);
  std::erase_if(all, [kind](const NetworkFinding& one) { return one.kind != kind; });
  return all;
}

}  // namespace

TEST_CASE("what is polled for is what this node has set and nobody tells of", "[agent][drift]") {
  NetworkDesired desired;
  desired.own_cidr = *Cidr::parse("10.10.1.0/24");
  NetworkObserved observed;
  for (const std::string& key : network_sysctl_keys()) observed.sysctls.push_back({key, "0", true});
  using Keys = std::vector<std::string>;
  CHECK(silent_sysctls(desired, observed) == Keys{"net/bridge/bridge-nf-call-iptables"});
  desired.own_second_cidr = *Cidr::parse("fd00:10:0:1::/64");
  CHECK(silent_sysctls(desired, observed) == Keys{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"});
  desired.own_second_cidr.reset();
  desired.backend = NetworkBackend::vxlan;
  CHECK(silent_sysctls(desired, observed).size() == 5);  // rp_filter as well
}

TEST_CASE("each family has its own table and its own ranges in it", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  desired.no_masquerade = {cidr("192.168.7.0/24"), cidr("fd00:99::/64")};
  const auto puts = steps_of<PutMasquerade>(plan_network(desired, bare_host()));
  REQUIRE(puts.size() == 2);
  CHECK(puts[0].family == IpFamily::v4);
  CHECK(puts[0].table.local == std::vector<Cidr>{cidr("10.10.0.0/16"), cidr("192.168.7.0/24")});
  CHECK(puts[1].family == IpFamily::v6);
  CHECK(puts[1].table.local == std::vector<Cidr>{cidr("fd00:10::/48"), cidr("fd00:99::/64")});
  CHECK(puts[1].rules == std::vector<std::string>{
                             "meta mark & 0x00004000 == 0x00004000 return",
                             "ip6 saddr fd00:10:0:1::/64 ip6 daddr @local return",
                             "fib daddr type local return",
                             "ip6 daddr ff00::/8 return",
                             "ip6 saddr fd00:10:0:1::/64 masquerade fully-random",
                         });
  const std::string commands = net::masquerade_commands(puts[1]);
  CHECK(commands.starts_with("table ip6 slipway\ndelete table ip6 slipway\ntable ip6 slipway {\n"));
  CHECK(commands.find("type ipv6_addr\n") != std::string::npos);
}

TEST_CASE("a node whose first block is of IPv6 is served as well", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  std::swap(desired.own_cidr, desired.own_second_cidr);
  CHECK(own_block(desired, IpFamily::v4) == cidr("10.10.1.0/24"));
  CHECK(own_block(desired, IpFamily::v6) == cidr("fd00:10:0:1::/64"));
  desired.own_second_cidr.reset();
  const auto puts = steps_of<PutMasquerade>(plan_network(desired, bare_host()));
  REQUIRE(puts.size() == 1);
  CHECK(puts[0].family == IpFamily::v6);
}

TEST_CASE("a table goes with the block of its family, not with the coordinator's silence", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  for (const PutMasquerade& put : steps_of<PutMasquerade>(plan_network(desired, observed)))
    observed.filter.masquerade[put.family] = put.table;
  CHECK(steps_of<PutMasquerade>(plan_network(desired, observed)).empty());

  desired.own_second_cidr.reset();
  auto removed = steps_of<RemoveMasquerade>(plan_network(desired, observed));
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].family == IpFamily::v6);
  desired.own_cidr.reset();
  CHECK(steps_of<RemoveMasquerade>(plan_network(desired, observed)).empty());
  desired.backend = NetworkBackend::external;
  CHECK(steps_of<RemoveMasquerade>(plan_network(desired, observed)).size() == 2);
}

TEST_CASE("FORWARD is opened for the families that the cluster's ranges have", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  auto puts = steps_of<PutForward>(plan_network(desired, observed));
  REQUIRE(puts.size() == 2);
  CHECK(puts[1].family == IpFamily::v6);
  CHECK(puts[1].accepted == std::vector<Cidr>{cidr("fd00:10::/48")});
  CHECK(describe(NetworkStep(puts[1])) == "accept in FORWARD of IPv6: fd00:10::/48");

  for (const PutForward& put : puts) {
    ForwardState& now = observed.filter.forward[put.family];
    now.chain_present = now.chain_exact = now.jump_first = true;
    now.accepted = put.accepted;
  }
  CHECK(steps_of<PutForward>(plan_network(desired, observed)).empty());
  desired.pools = {cidr("10.10.0.0/16")};
  const auto removed = steps_of<RemoveForward>(plan_network(desired, observed));
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].family == IpFamily::v6);
  desired.pools.clear();
  CHECK(steps_of<RemoveForward>(plan_network(desired, observed)).empty());
  desired.accept_forward = false;
  CHECK(steps_of<RemoveForward>(plan_network(desired, observed)).size() == 2);
}

TEST_CASE("ip6tables is missed only where the cluster has ranges of IPv6", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  observed.filter.forward.v6.tool_present = false;
  const auto missing = findings_of(NetworkFindingKind::no_iptables, desired, observed);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].message.find("ip6tables") != std::string::npos);
  desired.pools = {cidr("10.10.0.0/16")};
  CHECK(findings_of(NetworkFindingKind::no_iptables, desired, observed).empty());
}

TEST_CASE("IPv6 is forwarded and filtered on bridges only by a node that has a block of it", "[filter_plan][sysctl]") {
  NetworkDesired desired = dual_stack();
  CHECK(sysctls_set(desired, bare_host()) ==
        std::vector<std::string>{"net/ipv4/ip_forward=1", "net/bridge/bridge-nf-call-iptables=1",
                                 "net/ipv6/conf/all/forwarding=1", "net/bridge/bridge-nf-call-ip6tables=1"});
  CHECK(sysctl_file_content(desired, {}).find("-net.ipv6.conf.all.forwarding = 1\n") != std::string::npos);
  desired.own_second_cidr.reset();
  CHECK(sysctls_set(desired, bare_host()) ==
        std::vector<std::string>{"net/ipv4/ip_forward=1", "net/bridge/bridge-nf-call-iptables=1"});
  CHECK(sysctl_file_content(desired, {}).find("ipv6") == std::string::npos);
}

TEST_CASE("neighbour limits follow peers that are reached without a tunnel", "[filter_plan][sysctl]") {
  NetworkDesired desired = dual_stack();
  for (std::uint32_t i = 0; i < 1000; ++i)
    desired.peers.push_back({"p", *Cidr::make(IpAddress::v4(0x0b000000U + i * 256), 24), *IpAddress::parse("10.77.0.12")});
  auto done = sysctls_set(desired, bare_host());
  CHECK(has(done, "net/ipv4/neigh/default/gc_thresh3=8192"));
  CHECK(has(done, "net/ipv6/neigh/default/gc_thresh3=8192"));
  CHECK(has(done, "net/ipv6/neigh/default/gc_thresh1=1024"));
  desired.backend = NetworkBackend::vxlan;  // permanent entries: no limit counts them
  CHECK_FALSE(has(sysctls_set(desired, bare_host()), "net/ipv4/neigh/default/gc_thresh3=8192"));
  desired.cross_subnet = true;
  CHECK(has(sysctls_set(desired, bare_host()), "net/ipv4/neigh/default/gc_thresh3=8192"));
}

TEST_CASE("a strict return path is made loose on the tunnel and the bridge, and nowhere else", "[filter_plan][sysctl]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  const std::string tunnel = std::string("net/ipv4/conf/") + k_overlay_device + "/rp_filter";
  const std::string bridge = "net/ipv4/conf/cni0/rp_filter";
  OverlayUse use{7, false, false};
  const auto loosened = [&] {
    std::vector<NetworkStep> steps;
    plan_device_sysctls(desired, observed, use, steps);
    std::vector<std::string> done;
    for (const SetSysctl& step : steps_of<SetSysctl>(steps)) done.push_back(step.sysctl.key + "=" + step.sysctl.value);
    return done;
  };
  set(observed, "net/ipv4/conf/all/rp_filter", "1");
  CHECK(loosened().empty());  // host-gw alone: what comes by a link is answered by it
  desired.cross_subnet = true;
  CHECK(loosened() == std::vector<std::string>{tunnel + "=2", bridge + "=2"});
  desired.cross_subnet = false;
  desired.backend = NetworkBackend::vxlan;
  CHECK(loosened() == std::vector<std::string>{tunnel + "=2", bridge + "=2"});
  set(observed, tunnel, "2");
  CHECK(loosened() == std::vector<std::string>{bridge + "=2"});
  set(observed, "net/ipv4/conf/all/rp_filter", "0");
  CHECK(loosened().empty());
  // Devices that are not there yet: the tunnel is made in this plan, with the default.
  use = {k_overlay_to_come, true, false};
  set(observed, bridge, std::nullopt);
  set(observed, "net/ipv4/conf/default/rp_filter", "1");
  CHECK(loosened() == std::vector<std::string>{tunnel + "=2"});
  use = {};  // it cannot be made now
  CHECK(loosened().empty());
}

TEST_CASE("what a chain of somebody else's refuses is found through jumps and past counters", "[filter_plan][parse]") {
  const net::NftTable table{"inet", "filter"};
  const auto found = [&table](const std::string& chains) {
    return net::parse_refusals(table, "table inet filter {\n" + chains + "}\n");
  };
  const std::string hook = "\tchain fwd {\n\t\ttype filter hook forward priority 0; policy accept;\n";
  CHECK(found(hook + "\t\tct state invalid drop\n\t}\n").empty());
  CHECK(found(hook + "\t\taccept\n\t\treject\n\t}\n").empty());
  auto refusals = found(hook + "\t\tct state established accept\n\t\tcounter log prefix \"no: \" reject with icmpx admin-prohibited\n\t}\n");
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].chain == "fwd");
  CHECK(refusals[0].how == "reject with icmpx admin-prohibited");
  CHECK(refusals[0].accepts == "ct state established accept\n");
  refusals = found(hook + "\t\tjump more\n\t}\n\tchain more {\n\t\tiifname \"cni0\" accept\n\t\tdrop comment \"the end\"\n\t}\n");
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].how == "drop in chain more");
  refusals = found("\tchain fwd {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n");
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].how == "policy drop");
  CHECK(found("\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n").empty());
  // Chains that lead to each other, and text that is none of nft's.
  CHECK(found(hook + "\t\tjump a\n\t}\n\tchain a {\n\t\tjump b\n\t}\n\tchain b {\n\t\tjump a\n\t}\n").empty());
  CHECK(net::parse_refusals(table, "chain\nchain \n}\n}{ type").empty());
}

TEST_CASE("a refusal is told with its place and the rules that cure it", "[filter_plan]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  observed.filter.refusals = {{"inet", "filter", "forward", "policy drop", ""}};
  auto told = findings_of(NetworkFindingKind::foreign_refusal, desired, observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("inet filter forward (policy drop)") != std::string::npos);
  CHECK(told[0].message.find("nft insert rule inet filter forward ip6 daddr fd00:10::/48 accept") != std::string::npos);
  CHECK_FALSE(told[0].blocks_pods);
  observed.filter.refusals = {{"ip", "mine", "forward", "policy drop", ""}};
  told = findings_of(NetworkFindingKind::foreign_refusal, desired, observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("ip6") == std::string::npos);
  // The operator has seen to it.
  observed.filter.refusals = {{"ip", "mine", "forward", "policy drop", "ip saddr 10.10.0.0/16 accept\n"},
                              {"inet", "filter", "forward", "policy drop", "iifname \"cni0\" accept\n"}};
  CHECK(findings_of(NetworkFindingKind::foreign_refusal, desired, observed).empty());
}

TEST_CASE("both variants of iptables at once are told, one alone is not", "[filter_plan]") {
  NetworkObserved observed = bare_host();
  observed.filter.iptables.legacy = {"ip filter"};
  CHECK(findings_of(NetworkFindingKind::mixed_iptables, dual_stack(), observed).empty());
  observed.filter.iptables.nf_tables = {"ip nat"};
  const auto told = findings_of(NetworkFindingKind::mixed_iptables, dual_stack(), observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("iptables-legacy in ip filter, iptables-nft in ip nat") != std::string::npos);
  CHECK(told[0].message.find("update-alternatives --set iptables") != std::string::npos);
}

TEST_CASE("pods whose host ports lead nowhere are named with the cure, the first few of many", "[filter_plan]") {
  NetworkObserved observed = bare_host();
  CHECK(findings_of(NetworkFindingKind::host_ports_lost, dual_stack(), observed).empty());
  observed.filter.lost_host_ports = {"default/a", "default/b"};
  auto told = findings_of(NetworkFindingKind::host_ports_lost, dual_stack(), observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("hostPort of default/a, default/b. They come with a new pod only") != std::string::npos);
  CHECK(told[0].message.find("kubectl delete pod") != std::string::npos);
  CHECK_FALSE(told[0].blocks_pods);
  observed.filter.lost_host_ports = {"d/1", "d/2", "d/3", "d/4", "d/5", "d/6"};
  told = findings_of(NetworkFindingKind::host_ports_lost, dual_stack(), observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("d/1, d/2, d/3, d/4 and 2 more.") != std::string::npos);
}

TEST_CASE("a container's host ports are found in portmap's chain", "[filter_plan][parse]") {
  const std::string chain =
      "-N CNI-HOSTPORT-DNAT\n-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"slipway\\\" id: \\\"abc1\\\"\" "
      "-m multiport --dports 8080 -j CNI-DN-259a669dab897c049224b\n";
  CHECK(net::has_host_ports(chain, "abc1"));
  CHECK_FALSE(net::has_host_ports(chain, "abc2"));
  CHECK_FALSE(net::has_host_ports(chain, "CNI-HOSTPORT-NAT"));
  CHECK_FALSE(net::has_host_ports("-N CNI-HOSTPORT-DNAT\n", "abc1"));
  CHECK_FALSE(net::has_host_ports("", "abc1"));
}

TEST_CASE("other managers of devices are kept off by files, which go with the pod network", "[filter_plan][dropins]") {
  NetworkDesired desired = dual_stack();
  NetworkObserved observed = bare_host();
  const auto writes = steps_of<WriteNetworkFile>(plan_network(desired, observed));
  CHECK(writes.size() == 6);
  for (const WriteNetworkFile& write : writes) {
    CHECK_FALSE(write.content.empty());
    observed.files[write.file] = write.content;
  }
  CHECK(steps_of<WriteNetworkFile>(plan_network(desired, observed)).empty());
  const auto says = [&observed](NetworkFile file, const std::string& line) {
    return observed.files[file].find("\n" + line + "\n") != std::string::npos;
  };
  const std::string devices = std::string(k_overlay_device) + " cni0 veth*";
  CHECK(says(NetworkFile::udev_link, "[Match]\nOriginalName=" + devices));
  CHECK(says(NetworkFile::udev_link, "MACAddressPolicy=none"));
  CHECK(says(NetworkFile::networkd_device, "[Match]\nName=" + devices));
  CHECK(says(NetworkFile::networkd_device, "[Link]\nUnmanaged=yes"));
  CHECK(says(NetworkFile::networkd_routes, "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no"));
  CHECK(says(NetworkFile::network_manager, "[keyfile]\nunmanaged-devices+=interface-name:" + std::string(k_overlay_device) +
                                               ";interface-name:cni0;interface-name:veth*"));

  observed.files[NetworkFile::udev_link] += "# touched\n";
  CHECK(steps_of<WriteNetworkFile>(plan_network(desired, observed)).size() == 1);
  desired.backend = NetworkBackend::external;
  const auto removals = steps_of<WriteNetworkFile>(plan_network(desired, observed));
  CHECK(std::count_if(removals.begin(), removals.end(), [](const WriteNetworkFile& one) { return one.content.empty(); }) == 4);
}

TEST_CASE("all that the pod network writes and sets is noted before", "[filter_plan][dropins]") {
  const auto intents = network_intents("/e");
  const auto noted = [&intents](ChangeKind kind, const std::string& name) {
    return std::any_of(intents.begin(), intents.end(), [&](const Intent& one) { return one.kind == kind && one.name == name; });
  };
  for (const NetworkFile file : k_network_files) CHECK(noted(ChangeKind::file, "/e/" + network_file_path(file)));
  for (const Sysctl& sysctl : network_sysctls()) CHECK(noted(ChangeKind::sysctl, sysctl.key));
  CHECK(noted(ChangeKind::table, "slipway"));
  CHECK(noted(ChangeKind::table, "ip6 slipway"));
  CHECK(describe(ChangeKind::table, "ip6 slipway") == "packet filter table ip6 slipway");
  CHECK(describe(ChangeKind::table, "slipway") == "packet filter table ip slipway");
  for (const Intent& intent : intents)
    CHECK(check_change({intent.kind, intent.name, intent.wanted, Former::absent, ""}));
}

TEST_CASE("the operator's word on ranges and on FORWARD comes with the desired state", "[filter_plan]") {
  proto::DesiredState state;
  state.pod_ranges = {"10.10.0.0/16"};
  NodeIdentity self;
  self.address = "10.77.0.11";
  self.pod_cidr = "10.10.1.0/24";
  std::vector<std::string> problems;
  auto network = network_desired(state, self, problems);
  REQUIRE(network);
  CHECK(network->accept_forward);
  CHECK(network->no_masquerade.empty());
  state.cluster.network.no_masquerade = {"192.168.7.0/24", "fd00:99::/64"};
  state.cluster.network.accept_forward = false;
  network = network_desired(state, self, problems);
  REQUIRE(network);
  CHECK_FALSE(network->accept_forward);
  CHECK(network->no_masquerade == std::vector<Cidr>{cidr("192.168.7.0/24"), cidr("fd00:99::/64")});
  state.cluster.network.no_masquerade = {"192.168.7.1/24"};
  network = network_desired(state, self, problems);
  REQUIRE_FALSE(network);
  CHECK(network.error().message.find("network.noMasquerade") != std::string::npos);
}

TEST_CASE("dhcpcd's configuration is read for what it leaves alone", "[filter_plan][dropins]") {
  CHECK_FALSE(dhcpcd_leaves_pods(""));
  CHECK_FALSE(dhcpcd_leaves_pods("hostname\ndenyinterfaces veth*\n"));
  CHECK_FALSE(dhcpcd_leaves_pods("#denyinterfaces *\n"));
  CHECK(dhcpcd_leaves_pods("denyinterfaces slipway* cni0 veth*\n"));
  CHECK(dhcpcd_leaves_pods("denyinterfaces slipway*,cni0\ndenyinterfaces veth*\n"));
  CHECK(dhcpcd_leaves_pods("allowinterfaces eth* wlan0\n"));
  CHECK_FALSE(dhcpcd_leaves_pods("interface eth0\ndenyinterfaces *\n"));
  NetworkObserved observed = bare_host();
  CHECK(findings_of(NetworkFindingKind::dhcpcd, dual_stack(), observed).empty());
  observed.dhcpcd = true;
  const auto told = findings_of(NetworkFindingKind::dhcpcd, dual_stack(), observed);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message.find("denyinterfaces slipway-vx cni0 veth*") != std::string::npos);
}
