// The pod network of all backends, under the real kubelet: of the cluster that packaging/quickstart made, and
// of clusters of a master and one or two nodes that are made and removed here.
#include <catch2/catch.hpp>

#include "cluster.hpp"
#include "common/core/ip.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;
using lab::k_web;
using Cluster = lab::OwnCluster;

namespace {

// As a JSON string: no control characters are in it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}

// The bridge plugin gave the pod an address of the node's block of IPv6, and the tunnel carries both families.
void check_ipv6(const Cluster& cluster) {
  const std::string addresses = cluster.must("master", {"kubectl", "exec", "check-web", "--", "/bin/busybox", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"});
  const auto begin = addresses.find("inet6 fd00:10:10:");
  REQUIRE(begin != std::string::npos);
  const std::string address = addresses.substr(begin + 6, addresses.find('/', begin) - begin - 6);
  lab::eventually("an answer by IPv6 from " + address, 30s, [&] { return cluster.fetched_in_pod("http://[" + address + "]:8080/") == k_web; }, {});
}

// A table of somebody else's that drops all that a host forwards.
class ForwardsNothing {
 public:
  ForwardsNothing(const lab::Cluster& cluster, std::string host) : cluster_(cluster), host_(std::move(host)) {
    cluster_.must(host_, {"nft", "add", "table", "inet", "other"});
    cluster_.must(host_, {"nft", "add", "chain", "inet", "other", "forward",
                          "{ type filter hook forward priority 0; policy drop; }"});
  }
  ~ForwardsNothing() { cluster_.on(host_, {"nft", "delete", "table", "inet", "other"}); }
  ForwardsNothing(const ForwardsNothing&) = delete;
  ForwardsNothing& operator=(const ForwardsNothing&) = delete;

 private:
  const lab::Cluster& cluster_;
  std::string host_;
};

}  // namespace

TEST_CASE("system 83: pods of a vxlan cluster reach each other in both families, services, node ports and the world", "[system][network]") {
  const Cluster cluster("sysvx", "10.83.0", {"--backend", "vxlan", "--dual-stack"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  // The quickstart has asked a pod on the other host by its address and by its service's.
  REQUIRE(cluster.made().out.find("pod to pod:") != std::string::npos);
  REQUIRE(cluster.made().out.find("pod to service:") != std::string::npos);
  lab::check_node_port(cluster);
  lab::check_sources(cluster);
  check_ipv6(cluster);
  cluster.must("node1", {"ip", "link", "show", "dev", "slipway-vx"});
  cluster.remove();
}

namespace {

// As the installers of network plugins do it: a pod with the host's network and folders, on each node, that lays down a program and then,
// by a rename, the configuration. The plugin is Debian's ptp, under another name so that it cannot be taken for one of ours.
std::string installer(const std::string& node, const std::string& block) {
  const std::string config =
      R"({"cniVersion":"0.4.0","name":"foreign","plugins":[{"type":"foreign-ptp","ipMasq":true,"ipam":{"type":"host-local","subnet":")" + block +
      R"(","routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]})";
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"install-)" + node +
         R"("},"spec":{"hostNetwork":true,"nodeName":")" + node +
         R"(","tolerations":[{"operator":"Exists"}],"restartPolicy":"Never","containers":[{"name":"install","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
         R"("command":["/bin/busybox","sh","-ec","/bin/busybox cp /theirs/ptp /opt-cni-bin/foreign-ptp; echo \"$CONFIG\" >/net.d/.foreign; /bin/busybox mv /net.d/.foreign /net.d/10-foreign.conflist"],)"
         R"("env":[{"name":"CONFIG","value":)" + quoted(config) +
         R"(}],"volumeMounts":[{"name":"bin","mountPath":"/opt-cni-bin"},{"name":"conf","mountPath":"/net.d"},{"name":"theirs","mountPath":"/theirs"}]}],)"
         R"("volumes":[{"name":"bin","hostPath":{"path":"/opt/cni/bin","type":"DirectoryOrCreate"}},{"name":"conf","hostPath":{"path":"/etc/cni/net.d","type":"DirectoryOrCreate"}},)"
         R"({"name":"theirs","hostPath":{"path":"/opt/slipway/cni-plugins/current"}}]}})";
}

// The nodes are not Ready until the plugin is there; then its pods answer each other, with addresses of the
// nodes' blocks.
void check_foreign_plugin(const Cluster& cluster) {
  const auto ready = [&cluster](const std::string& node) {
    return cluster.on("master", {"kubectl", "get", "node", node, "-o", R"(jsonpath={.status.conditions[?(@.type=="Ready")].status})"}).out;
  };
  lab::eventually("both nodes to be registered", 120s, [&] { return !ready("master").empty() && !ready("node1").empty(); }, {});
  REQUIRE(ready("node1") == "False");
  for (const char* node : {"master", "node1"}) {
    // Nothing of our own network is there, and the block is published for the plugin.
    CHECK(cluster.must(node, {"ip", "route", "show", "proto", "77"}).empty());
    CHECK_FALSE(cluster.on(node, {"nft", "list", "table", "ip", "slipway"}).ok());
    std::string block;
    lab::eventually("the pod range of " + std::string(node), 60s, [&] {
      block = cluster.on("master", {"kubectl", "get", "node", node, "-o", "jsonpath={.spec.podCIDR}"}).out;
      return !block.empty();
    }, {});
    cluster.apply(installer(node, block));
  }
  lab::eventually("both nodes to be Ready", 120s, [&] { return ready("master") == "True" && ready("node1") == "True"; }, {});
  cluster.apply(
      R"({"apiVersion":"v1","kind":"List","items":[)"
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"nodeName":"node1","containers":[{"name":"main","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
      R"("command":["/bin/busybox","sh","-c","echo hello from check-web >/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"]}]}},)"
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"check-client"},"spec":{"nodeName":"node1","containers":[{"name":"main","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
      R"("command":["/bin/busybox","sleep","2147483647"]}]}}]})");
  std::string web;
  lab::eventually("an answer from pod to pod through the foreign plugin", 120s, [&] {
    web = cluster.on("master", {"kubectl", "get", "pod", "web", "-o", "jsonpath={.status.podIP}"}).out;
    return !web.empty() && cluster.fetched_in_pod("http://" + web + ":8080/") == k_web;
  }, {});
  const auto block = slipway::Cidr::parse(cluster.must("master", {"kubectl", "get", "node", "node1", "-o", "jsonpath={.spec.podCIDR}"}));
  const auto address = slipway::IpAddress::parse(web);
  REQUIRE(block);
  REQUIRE(address);
  CHECK(block->contains(*address));
  // A pass of ours later the plugin's files are as it left them.
  CHECK(cluster.must("node1", {"ls", "/etc/cni/net.d"}) == "10-foreign.conflist");
}

}  // namespace

TEST_CASE(
    "system 84: somebody else's network plugin, installed by a pod, carries the pods of an external cluster",
    "[system][network]") {
  const Cluster cluster("sysext", "10.84.0", {"--backend", "external", "--nodes", "1"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  check_foreign_plugin(cluster);
  CHECK(cluster.must("node1", {"ls", "/opt/cni/bin"}) == "foreign-ptp");
  cluster.remove();
}

TEST_CASE(
    "system 85: a probe of the network finds a cluster whole, and then the node that forwards nothing to its "
    "pods",
    "[system][network]") {
  const lab::Cluster cluster = lab::shared_cluster();
  const auto whole = cluster.on("master", {"slipwayctl", "health", "network"});
  INFO(whole.out << whole.err);
  CHECK(whole.ok());
  CHECK(whole.out.find(" nodes took part") != std::string::npos);
  CHECK(whole.out.find("all answered") != std::string::npos);
  {
    // node1 has the pod check-web, node2 the pod check-client.
    const ForwardsNothing node1(cluster, "node1");
    const auto broken = cluster.on("master", {"slipwayctl", "health", "network", "-o", "wide"});
    INFO(broken.out << broken.err);
    CHECK(broken.status == 1);
    CHECK(broken.out.find("node1  pod IPv4") != std::string::npos);
    CHECK(broken.out.find("LIKELY CAUSE") != std::string::npos);
    const auto last = cluster.on("master", {"slipwayctl", "health", "network", "--last", "-o", "json"});
    CHECK(last.status == 1);
    CHECK(last.out.find("\"to\": \"node1\"") != std::string::npos);
  }
  CHECK(cluster.on("master", {"slipwayctl", "health", "network"}).ok());
}

TEST_CASE(
    "system 84b: a containerd that knows one folder of plugins finds ours beside somebody else's, which a "
    "reset leaves",
    "[system][network][containerd]") {
  const Cluster cluster("sysextc", "10.88.0",
                        {"--backend", "external", "--runtime", "containerd", "--nodes", "1"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  // The plugin's configuration calls portmap, which it does not bring, and host-local.
  check_foreign_plugin(cluster);
  const std::string folder = "/opt/cni/bin/";
  for (const std::string program : {"bridge", "host-local", "loopback", "portmap"}) {
    INFO(program);
    CHECK(cluster.on("node1", {"cmp", folder + program, "/opt/slipway/cni-plugins/current/" + program}).ok());
  }
  cluster.must("node1", {"rm", folder + "loopback"});
  lab::eventually("the deleted copy to be back", 10s,
                  [&] {
                    return cluster.on("node1", {"test", "-x", folder + "loopback"}).ok();
                  },
                  {});
  // Somebody else's version of one of ours stays.
  cluster.must("node1", {"cp", folder + "foreign-ptp", folder + "bridge"});
  const lab::Outcome reset = cluster.on("node1", {"slipway-agent", "reset", "--yes"});
  INFO(reset.out << reset.err);
  CHECK(reset.status == 1);  // what is not Slipway's is left and told
  CHECK(reset.out.find(folder.substr(0, folder.size() - 1) +
                       ": it holds what is not Slipway's: bridge, foreign-ptp") != std::string::npos);
  CHECK(cluster.must("node1", {"ls", folder}) == "bridge\nforeign-ptp");
  cluster.remove();
}

TEST_CASE("system 86: pods of a host-gw cluster reach each other, services, node ports and the world",
          "[system][network]") {
  const lab::Cluster cluster = lab::shared_cluster();
  lab::eventually("pods to reach each other by address and by service", 60s, [] { return lab::pods_talk(); },
                  {"node1", "node2"});
  lab::check_node_port(cluster);
  lab::check_sources(cluster);
  // Straight to the other node, without a tunnel.
  const std::string way = cluster.must("node2", {"ip", "route", "get", cluster.pod_address("check-web")});
  INFO(way);
  CHECK(way.find("via " + cluster.address_of("node1") + " dev host0") != std::string::npos);
  CHECK_FALSE(cluster.on("node2", {"ip", "link", "show", "dev", "slipway-vx"}).ok());
}

TEST_CASE(
    "system 87: with crossSubnet a node behind a router is reached through the tunnel, neighbours directly",
    "[system][network]") {
  const Cluster cluster("sysxs", "10.86.0", {"--cross-subnet"});
  INFO(cluster.made().out << cluster.made().err);
  REQUIRE(cluster.made().ok());
  // node2, with the client, is the one behind the router.
  REQUIRE(cluster.address_of("node2").find("10.86.1.") == 0);
  REQUIRE(cluster.made().out.find("pod to pod:") != std::string::npos);
  REQUIRE(cluster.made().out.find("pod to service:") != std::string::npos);
  lab::check_node_port(cluster);
  lab::check_sources(cluster);
  const auto way = [&cluster](const std::string& from, const std::string& to) {
    // Of a node's block the first address is its bridge's.
    std::string block =
        cluster.must("master", {"kubectl", "get", "node", to, "-o", "jsonpath={.spec.podCIDR}"});
    block.replace(block.rfind(".0/"), std::string::npos, ".1");
    return cluster.must(from, {"ip", "route", "get", block});
  };
  CHECK(way("node1", "master").find("via " + cluster.address_of("master") + " dev host0") !=
        std::string::npos);
  for (const char* near : {"master", "node1"}) {
    CHECK(way(near, "node2").find("dev slipway-vx") != std::string::npos);
    CHECK(way("node2", near).find("dev slipway-vx") != std::string::npos);
  }
  cluster.remove();
}
