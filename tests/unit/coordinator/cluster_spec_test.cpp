#include "coordinator/domain/cluster_spec.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using proto::ClusterSpec;
using test::demo_spec;

std::string problems_of(const std::function<void(ClusterSpec&)>& change) {
  ClusterSpec spec = demo_spec();
  change(spec);
  const auto cluster = validate(spec);
  return cluster ? "" : cluster.error().message;
}

TEST_CASE("the example cluster is valid and its defaults are filled in") {
  const auto cluster = validate(demo_spec());
  REQUIRE(cluster);
  CHECK(cluster->spec.network.dns_ip == "10.0.0.10");
  CHECK(cluster->dns_ip == *IpAddress::parse("10.0.0.10"));
  CHECK(cluster->endpoint_host == "10.77.0.10");
  CHECK(cluster->endpoint_port == 6443);
  CHECK(cluster->endpoint_address);
  CHECK(cluster->node_ttl == Seconds(86400));
  const auto again = validate(cluster->spec);
  REQUIRE(again);
  CHECK(*again == *cluster);
}

struct Wrong {
  const char* name;
  std::function<void(ClusterSpec&)> change;
  std::vector<std::string> said;
};

const std::vector<Wrong> k_wrong = {
    {"upper case name", [](auto& s) { s.metadata.name = "Demo"; }, {"/metadata/name: \"Demo\""}},
    {"long name", [](auto& s) { s.metadata.name = std::string(41, 'a'); }, {"/metadata/name", "1 to 40"}},
    {"no name", [](auto& s) { s.metadata.name = ""; }, {"/metadata/name"}},
    {"plain http", [](auto& s) { s.api_server.endpoint = "http://10.77.0.10:6443"; }, {"HTTPS only", "write https://10.77.0.10:6443"}},
    {"no port", [](auto& s) { s.api_server.endpoint = "https://10.77.0.10"; }, {"/apiServer/endpoint", "https://ADDRESS:PORT"}},
    {"a path", [](auto& s) { s.api_server.endpoint = "https://10.77.0.10:6443/api"; }, {"not a port"}},
    {"a user", [](auto& s) { s.api_server.endpoint = "https://me@api.example:6443"; }, {"neither an IP address nor a DNS name"}},
    {"mistyped address", [](auto& s) { s.api_server.endpoint = "https://10.77.0.256:6443"; }, {"neither an IP address nor a DNS name"}},
    {"loopback endpoint", [](auto& s) { s.api_server.endpoint = "https://127.0.0.1:6443"; }, {"cannot be reached from other hosts"}},
    {"endpoint among pods", [](auto& s) { s.api_server.endpoint = "https://10.10.3.1:6443"; }, {"10.10.3.1 lies in /network/podCIDR 10.10.0.0/16"}},
    {"endpoint among services", [](auto& s) { s.api_server.endpoint = "https://10.0.0.1:6443"; }, {"lies in /network/serviceCIDR"}},
    {"no coordinator", [](auto& s) { s.coordinator.addresses.clear(); }, {"/coordinator/addresses"}},
    {"coordinator port", [](auto& s) { s.coordinator.port = 65536; }, {"/coordinator/port"}},
    {"host bits", [](auto& s) { s.network.pod_cidr = "10.10.1.0/16"; }, {"did you mean 10.10.0.0/16"}},
    {"not a block", [](auto& s) { s.network.pod_cidr = "10.10.0.0"; }, {"/network/podCIDR"}},
    {"overlap", [](auto& s) { s.network.service_cidr = "10.10.128.0/20"; },
     {"/network/serviceCIDR: 10.10.128.0/20 overlaps /network/podCIDR 10.10.0.0/16 in 10.10.128.0/20 (4096 addresses)"}},
    {"no NAT", [](auto& s) { s.network.nat_sources = {"nowhere"}; }, {"/network/natSources/0"}},
    {"host bits of NAT", [](auto& s) { s.network.nat_sources = {"203.0.113.7/28"}; }, {"/network/natSources/0", "did you mean 203.0.113.0/28"}},
    {"anywhere is no NAT", [](auto& s) { s.network.nat_sources = {"0.0.0.0/0"}; }, {"wider than /24"}},
    {"a wide NAT", [](auto& s) { s.network.nat_sources = {"203.0.112.0/23"}; }, {"/network/natSources/0: 203.0.112.0/23 is wider than /24"}},
    {"a wide IPv6 NAT", [](auto& s) { s.network.nat_sources = {"fd00:7::/63"}; }, {"wider than /64"}},
    {"NAT on loopback", [](auto& s) { s.network.nat_sources = {"127.0.0.1/32"}; }, {"loopback"}},
    {"NAT of pods", [](auto& s) { s.network.nat_sources = {"10.10.3.0/24"}; }, {"overlaps /network/podCIDR 10.10.0.0/16: no host comes from there"}},
    {"NAT of services", [](auto& s) { s.network.nat_sources = {"10.0.0.1/32"}; }, {"overlaps /network/serviceCIDR"}},
    {"nodes as NAT", [](auto& s) { s.network.nat_sources = {"10.77.3.0/24"}; },
     {"overlaps /network/nodeCIDRs/0 10.77.0.0/16: of a gateway among the nodes name its one address, 10.77.3.0/32"}},
    {"NAT twice", [](auto& s) { s.network.nat_sources = {"203.0.113.0/24", "203.0.113.7/32"}; }, {"/network/natSources/1", "of the same list"}},
    {"many NATs", [](auto& s) { for (int i = 0; i < 17; ++i) s.network.nat_sources.push_back("203.0.113." + std::to_string(i) + "/32"); },
     {"more than 16"}},
    {"NAT of nodes anywhere", [](auto& s) { s.network.node_cidrs.clear(); s.network.nat_sources = {"203.0.113.7/32"}; },
     {"/network/natSources: needs network.nodeCIDRs"}},
    {"nodes overlap pods", [](auto& s) { s.network.node_cidrs = {"10.10.0.0/20"}; }, {"/network/nodeCIDRs/0: 10.10.0.0/20 overlaps /network/podCIDR"}},
    {"loopback pods", [](auto& s) { s.network.pod_cidr = "127.0.0.0/16"; }, {"127.0.0.0/8 (loopback)"}},
    {"link-local pods", [](auto& s) { s.network.pod_cidr = "169.254.0.0/16"; }, {"link-local"}},
    {"multicast services", [](auto& s) { s.network.service_cidr = "239.0.0.0/16"; }, {"multicast"}},
    {"IPv6", [](auto& s) { s.network.pod_cidr = "fd00::/48"; }, {"is IPv6: in this version", "network.pools"}},
    {"pool overlaps services", [](auto& s) { s.network.pools = {{"blue", {"10.0.4.0/22"}, 24, "", "", false}}; },
     {"/network/pools/0: 10.0.4.0/22 overlaps /network/serviceCIDR 10.0.0.0/16"}},
    {"pool overlaps pool", [](auto& s) { s.network.pools = {{"a", {"10.20.0.0/16"}, 0, "", "", false}, {"b", {"10.20.0.0/17"}, 0, "", "", false}}; },
     {"/network/pools/1: 10.20.0.0/17 overlaps /network/pools/0"}},
    {"pool named default", [](auto& s) { s.network.pools = {{"default", {"10.20.0.0/16"}, 0, "", "", false}}; }, {"choose another name"}},
    {"pool twice", [](auto& s) { s.network.pools = {{"a", {"10.20.0.0/16"}, 0, "", "", false}, {"a", {"10.21.0.0/16"}, 0, "", "", false}}; }, {"pool a stands twice"}},
    {"pool without ranges", [](auto& s) { s.network.pools = {{"a", {}, 0, "", "", false}}; }, {"/network/pools/0/ranges: is empty"}},
    {"pool of both families", [](auto& s) { s.network.pools = {{"a", {"10.20.0.0/16", "fd00::/48"}, 0, "", "", false}}; }, {"of another family"}},
    {"pool role", [](auto& s) { s.network.pools = {{"a", {"10.20.0.0/16"}, 0, "king", "", false}}; }, {"neither node nor master"}},
    {"pool blocks", [](auto& s) { s.network.pools = {{"a", {"10.20.0.0/16"}, 26, "", "", false}}; }, {"kubelet.maxPods 110 do not fit a block of /26"}},
    {"pool of far too many blocks", [](auto& s) { s.network.pools = {{"a", {"fd00::/32"}, 64, "", "", false}}; }, {"more than 2^24 blocks"}},
    {"too short blocks", [](auto& s) { s.network.node_prefix_length = 15; }, {"/network/nodePrefixLength: 15", "from 16"}},
    {"too long blocks", [](auto& s) { s.network.node_prefix_length = 30; }, {"to 29 (5 pods a node)"}},
    {"too many pods", [](auto& s) { s.network.node_prefix_length = 26; },
     {"/kubelet/maxPods: 110 pods do not fit: 10.10.0.0/16 cut in /26 holds 1024 nodes with 61 pods each", "to 25 or less"}},
    {"no pods", [](auto& s) { s.kubelet.max_pods = 0; }, {"/kubelet/maxPods"}},
    {"dns outside", [](auto& s) { s.network.dns_ip = "10.1.0.10"; }, {"not in network.serviceCIDR 10.0.0.0/16: take 10.0.0.10"}},
    {"dns is kubernetes", [](auto& s) { s.network.dns_ip = "10.0.0.1"; }, {"/network/dnsIP: 10.0.0.1 is taken"}},
    {"dns is the network", [](auto& s) { s.network.dns_ip = "10.0.0.0"; }, {"/network/dnsIP"}},
    {"dns is the last", [](auto& s) { s.network.dns_ip = "10.0.255.255"; }, {"/network/dnsIP"}},
    {"huge service range", [](auto& s) { s.network.service_cidr = "172.0.0.0/11"; }, {"kube-apiserver takes /12 to /28"}},
    {"dns domain", [](auto& s) { s.network.dns_domain = "cluster_local"; }, {"/network/dnsDomain"}},
    {"unknown backend", [](auto& s) { s.network.backend = "ipip"; }, {"\"ipip\" is not known: host-gw, vxlan, external or routes"}},
    {"mistyped backend", [](auto& s) { s.network.backend = "hostgw"; }, {"did you mean host-gw?"}},
    {"mistyped admission", [](auto& s) { s.admission = "manuel"; }, {"/admission: \"manuel\" is not known: token or manual; did you mean manual?"}},
    {"tunnel without a number", [](auto& s) { s.network.vxlan.id = 0; }, {"/network/vxlan/id: 0 is out of bounds: 1 to 16777215"}},
    {"tunnel of 25 bits", [](auto& s) { s.network.vxlan.id = 1U << 24; }, {"/network/vxlan/id: 16777216", "1 to 16777215"}},
    {"tunnel without a port", [](auto& s) { s.network.vxlan.port = 0; }, {"/network/vxlan/port: 0 is out of bounds: 1 to 65535"}},
    {"port of 17 bits", [](auto& s) { s.network.vxlan.port = 65536; }, {"/network/vxlan/port: 65536"}},
    {"tunnel across tunnels", [](auto& s) { s.network.backend = "vxlan"; s.network.cross_subnet = true; },
     {"/network/crossSubnet: is for backend host-gw; this one is vxlan"}},
    {"tiny mtu", [](auto& s) { s.network.mtu = 575; }, {"/network/mtu: 575 is out of bounds: 576 to 65535"}},
    {"huge mtu", [](auto& s) { s.network.mtu = 65536; }, {"/network/mtu: 65536"}},
    {"mtu too small for IPv6", [](auto& s) { s.network.mtu = 1279; s.network.pools = {{"six", {"fd00:10::/48"}, 64, "", "", false}}; },
     {"/network/mtu: 1279 is out of bounds: 1280"}},
    {"exception that is none", [](auto& s) { s.network.no_masquerade = {"10.1.0.0/16", "10.2.0.1/16"}; }, {"/network/noMasquerade/1: "}},
    {"too many exceptions", [](auto& s) { s.network.no_masquerade.assign(65, "10.1.0.0/16"); }, {"/network/noMasquerade: has more than 64 entries"}},
    {"rkt", [](auto& s) { s.runtime = "rkt"; }, {"rkt was retired in 2019", "set runtime: containerd"}},
    {"unknown runtime", [](auto& s) { s.runtime = "lxc"; }, {"\"lxc\" is not known"}},
    {"containerd without runc", [](auto& s) { s.runtime = "containerd"; s.versions.containerd = "1.6.20"; },
     {"/versions/runc: is missing: runtime containerd needs it"}},
    {"docker without its version", [](auto& s) { s.versions.docker = ""; }, {"/versions/docker: is missing: runtime docker needs it"}},
    {"no dockershim", [](auto& s) { s.versions.kubernetes = "1.24.0"; },
     {"/runtime: docker with kubelet 1.24 or newer requires cri-dockerd, and this is Kubernetes 1.24.0: set versions.criDockerd, or use runtime: containerd"}},
    {"bad cri-dockerd", [](auto& s) { s.versions.cri_dockerd = "v0.3"; }, {"/versions/criDockerd: \"v0.3\" is not a version"}},
    {"from before", [](auto& s) { s.versions.kubernetes = "1.17.17"; }, {"/versions/kubernetes: 1.17.17 is too old: this Slipway knows 1.18 to 1.37"}},
    {"from the future", [](auto& s) { s.versions.kubernetes = "1.38.0"; s.versions.cri_dockerd = "0.3.17"; },
     {"/versions/kubernetes: 1.38.0 is newer than this Slipway knows"}},
    {"containerd's settings for docker", [](auto& s) { s.containerd.config.text = R"({"debug":{}})"; }, {"/containerd/config: is read with runtime: containerd only"}},
    {"no version", [](auto& s) { s.versions.etcd = ""; }, {"/versions/etcd: is missing"}},
    {"v prefix", [](auto& s) { s.versions.docker = "v20.10.24"; }, {"/versions/docker: \"v20.10.24\" is not a version"}},
    {"two numbers", [](auto& s) { s.versions.cni_plugins = "1.1"; }, {"/versions/cniPlugins"}},
    {"ttl text", [](auto& s) { s.certificates.node_ttl = "a day"; }, {"/certificates/nodeTTL: \"a day\" is not a duration"}},
    {"ttl too short", [](auto& s) { s.certificates.serving_ttl = "59s"; }, {"/certificates/servingTTL: 59s is out of bounds"}},
    {"ttl too long", [](auto& s) { s.certificates.operator_ttl = "367d"; }, {"/certificates/operatorTTL"}},
    {"admins' ttl too long", [](auto& s) { s.certificates.admin_ttl = "367d"; }, {"/certificates/adminTTL"}},
    {"kubeconfigs for a day", [](auto& s) { s.certificates.admin_ttl = "24h"; }, {"/certificates/adminTTL: 24h", "at most 12h", "certificates.operatorTTL"}},
    {"renewal too late", [](auto& s) { s.certificates.renew_at = 0.95; }, {"/certificates/renewAt"}},
    {"renewal at once", [](auto& s) { s.certificates.renew_at = 0.1; }, {"/certificates/renewAt"}},
    {"a loose argument", [](auto& s) { s.kubelet.extra_args = {"-v=2"}; }, {"/kubelet/extraArgs/0"}},
    {"two lines", [](auto& s) { s.kubelet.extra_args = {"--v=2\nExecStart=/bin/sh"}; }, {"/kubelet/extraArgs/0"}},
    {"image", [](auto& s) { s.kubelet.pod_infra_container_image = "pause 1"; }, {"/kubelet/podInfraContainerImage"}},
};

TEST_CASE("gateways may be listed, also one among the nodes and one of IPv6") {
  ClusterSpec spec = demo_spec();
  spec.network.nat_sources = {"203.0.113.0/28", "10.77.0.1/32", "fd00:7::1/128"};
  const auto cluster = validate(spec);
  REQUIRE(cluster);
  CHECK(cluster->nat_sources.size() == 3);
  CHECK(cluster->nat_sources[1].contains(*IpAddress::parse("10.77.0.1")));
  CHECK(check_change(*validate(demo_spec()), *cluster));  // they may come and go
  CHECK(check_change(*cluster, *validate(demo_spec())));
}

TEST_CASE("each wrong field is refused with its reason") {
  for (const Wrong& wrong : k_wrong) {
    const std::string text = problems_of(wrong.change);
    INFO(wrong.name << ": " << text);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);  // the head and one problem
    for (const std::string& part : wrong.said) CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("a cluster that was stored with one life for operators and kubeconfigs keeps the operators'") {
  ClusterSpec stored = demo_spec();
  stored.certificates.admin_ttl = "720h";
  stored.certificates.operator_ttl = "24h";
  const auto cluster = validate(brought_up_to_date(stored));
  REQUIRE(cluster);
  CHECK(lifetimes_of(*cluster).operators == Seconds(30 * 86400));
  CHECK(lifetimes_of(*cluster).admin == Seconds(12 * 3600));
  stored.certificates.admin_ttl = "8h";
  CHECK(brought_up_to_date(stored) == stored);
}

TEST_CASE("all problems are told at once") {
  const std::string text = problems_of([](ClusterSpec& s) {
    s.metadata.name = "-";
    s.api_server.endpoint = "http://10.77.0.10:6443";
    s.network.service_cidr = "10.10.0.0/24";
    s.runtime = "rkt";
    s.versions.kubernetes = "";
    s.certificates.renew_at = 2;
  });
  for (const char* part : {"/metadata/name", "HTTPS only", "overlaps /network/podCIDR", "rkt", "/versions/kubernetes", "renewAt"}) {
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("names and bracketed addresses are endpoints too") {
  CHECK(problems_of([](ClusterSpec& s) { s.api_server.endpoint = "https://api.example.org:443"; }).empty());
  ClusterSpec spec = demo_spec();
  spec.api_server.endpoint = "https://[2001:db8::1]:6443";
  const auto cluster = validate(spec);
  REQUIRE(cluster);
  CHECK(cluster->endpoint_host == "2001:db8::1");
}

TEST_CASE("pools of both families stand in the settings") {
  ClusterSpec spec = demo_spec();
  spec.network.pools = {{"blue", {"10.20.0.0/16", "10.21.0.0/16"}, 0, "master", "m-*", true}, {"six", {"fd00:10::/48"}, 0, "", "", false}};
  const auto cluster = validate(spec);
  REQUIRE(cluster);
  REQUIRE(cluster->pools.size() == 2);
  CHECK(cluster->pools[0].node_prefix_length == 24);
  CHECK(cluster->pools[0].selector == PoolSelector{NodeRole::master, "m-*", true});
  CHECK(cluster->pools[1].node_prefix_length == 64);
  CHECK(profile_cluster(*cluster, "id").pod_cidrs.size() == 4);
}

TEST_CASE("every way between pods can be asked for") {
  for (const std::string backend : {"host-gw", "vxlan", "external", "routes"}) {
    INFO(backend);
    ClusterSpec spec = demo_spec();
    spec.network.backend = backend;
    CHECK(validate(spec));
  }
}

TEST_CASE("nodes of a living cluster do not get different tunnels") {
  ClusterSpec spec = demo_spec();
  spec.network.cross_subnet = true;
  const auto living = validate(spec);
  REQUIRE(living);
  spec.network.vxlan.port = 4789;
  const auto wanted = validate(spec);
  REQUIRE(wanted);
  const Status refused = check_change(*living, *wanted);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("/network/vxlan: is id 1, port 8472 and cannot become id 1, port 4789") != std::string::npos);
}

TEST_CASE("the capacity is reckoned and shown") {
  const auto cluster = validate(demo_spec());
  REQUIRE(cluster);
  const auto capacity = capacity_of(*cluster);
  CHECK(capacity.max_nodes == 256);
  CHECK(capacity.pods_per_node == 110);
  CHECK(capacity.services == 65534);
  const std::string text = capacity_report(*cluster);
  CHECK(text.find("10.10.0.0/16 cut in /24 holds 256 nodes with 253 pods each") != std::string::npos);
  CHECK(text.find("28160 in all") != std::string::npos);
  CHECK(usable_pods(29) == 5);
  CHECK(usable_pods(31) == 0);
}

TEST_CASE("a living cluster keeps what cannot be moved") {
  const auto changed = [](const std::function<void(ClusterSpec&)>& change) {
    ClusterSpec spec = demo_spec();
    spec.network.service_cidr = "10.96.0.0/16";
    const auto living = validate(spec);
    REQUIRE(living);
    spec = living->spec;
    change(spec);
    const auto wanted = validate(spec);
    REQUIRE(wanted);
    const auto status = check_change(*living, *wanted);
    if (!status) CHECK(status.error().code == Errc::conflict);
    return status ? std::string("ok") : status.error().message;
  };
  CHECK(changed([](auto&) {}) == "ok");
  CHECK(changed([](auto& s) { s.network.service_cidr = "10.96.0.0/12"; }) == "ok");
  CHECK(changed([](auto& s) { s.versions.docker = "20.10.25"; s.kubelet.max_pods = 50; }) == "ok");
  CHECK(changed([](auto& s) { s.versions.kubernetes = "1.24.1"; s.versions.cri_dockerd = "0.3.17"; }) == "ok");
  CHECK(changed([](auto& s) { s.runtime = "containerd"; s.versions.containerd = "1.6.20"; s.versions.runc = "1.1.5"; })
            .find("/runtime: is docker and cannot become containerd") != std::string::npos);
  CHECK(changed([](auto& s) { s.network.backend = "vxlan"; }).find("/network/backend: is host-gw and cannot become vxlan") != std::string::npos);
  // Nothing tunnels yet, or goes on as it did: nobody is lost.
  CHECK(changed([](auto& s) { s.network.vxlan.port = 4789; }) == "ok");
  CHECK(changed([](auto& s) { s.network.cross_subnet = true; s.network.mtu = 1400; s.network.accept_forward = false; }) == "ok");
  CHECK(changed([](auto& s) { s.network.service_cidr = "10.96.0.0/17"; }).find("may only grow") != std::string::npos);
  CHECK(changed([](auto& s) { s.network.service_cidr = "10.97.0.0/16"; s.network.dns_ip = ""; }).find("first address") != std::string::npos);
  CHECK(changed([](auto& s) { s.metadata.name = "other"; }).find("/metadata/name: is demo") != std::string::npos);
  CHECK(changed([](auto& s) { s.network.pod_cidr = "10.12.0.0/16"; }).find("/network/podCIDR") != std::string::npos);
  CHECK(changed([](auto& s) { s.network.node_prefix_length = 23; }).find("/network/nodePrefixLength") != std::string::npos);
  CHECK(changed([](auto& s) { s.api_server.endpoint = "https://10.77.0.11:6443"; }).find("/apiServer/endpoint") != std::string::npos);
}

}  // namespace
}  // namespace slipway
