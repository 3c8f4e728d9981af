#pragma once
// Nodes with pods in network namespaces, on one or two links joined by a router, each node with its own Network port on the real
// kernel. Needs root.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/net/kernel_network.hpp"
#include "tests/support/cni_plugins.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/side_netns.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

// Lines for "ip -batch", run in `ns`.
void ip_batch(const SideNamespace& ns, const std::string& lines);

// Where nobody waits for a second to see whether an IPv6 address is taken.
struct LabNamespace : SideNamespace {
  LabNamespace() { run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0"); }
};

// Node number n has the addresses 10.(77+link).0.(10+n) and fd(77+link)::(10+n), blocks 10.10.n.0/24 and fd00:10:n::/64, and one
// pod with the second address of each.
struct LabNode {
  int number = 0;
  int link = 0;
  LabNamespace ns;
  LabNamespace pod;
  TempDir folder;
  std::unique_ptr<KernelNetwork> kernel;
  NetworkDesired desired;  // what differs between nodes; the lab fills in the peers
  std::optional<CniPod> by_plugins = {};  // the pod, once the CNI plugins have attached it

  IpAddress address(bool v4 = true) const;
  Cidr block(bool v4 = true) const;
  IpAddress pod_address(bool v4 = true) const { return block(v4).at(2); }
  std::string name() const { return "n" + std::to_string(number); }
};

// Who makes cni0 and attaches the pods: the lab, before the first pass, or the CNI plugins with the rendered list, after it,
// as on a node. There pods keep the MTU that they were made with; in the lab they take what later passes say.
enum class LabPods { by_hand, by_plugins };

enum class LabUnderlay { both, v4, v6 };  // the families of nodes' own addresses

class PodLab {
 public:
  // `links`: of each node, 0 or 1. `dual`: pods of both families, not of IPv4 alone.
  PodLab(const std::vector<int>& links, NetworkDesired settings, bool dual = true,
         LabUnderlay underlay = LabUnderlay::both, LabPods pods = LabPods::by_hand);

  LabNode& node(std::size_t index) { return *nodes_.at(index); }
  std::size_t size() const { return nodes_.size(); }
  std::vector<NetworkPeer> peers_of(const LabNode& node) const;
  // What each node should have, from the nodes' present addresses and `settings`.
  void tell_all();

  NetworkObserved observe(LabNode& node);
  // One pass; the steps that were done. Throws when one fails.
  std::vector<std::string> pass(LabNode& node);
  std::vector<std::string> planned(LabNode& node);
  void pass_all();

  // The CNI configuration that the node is given now; its addresses are in use below cni_state(node).
  std::string conflist(LabNode& node);
  static std::string cni_state(const LabNode& node) { return node.folder / "cni"; }
  static std::string cni_results(const LabNode& node) { return node.folder / "results"; }  // libcni's, for who writes them

  // The pairs of pods between which `size` bytes do not go, as "n1>n2 v4".
  std::vector<std::string> broken(std::size_t size = 56);
  bool reaches(LabNode& from, LabNode& to, bool v4, std::size_t size = 56);
  // From the node itself to a pod.
  bool node_reaches(LabNode& from, LabNode& to, bool v4);
  // The node's link to the underlay, when it has none.
  void plug_in(LabNode& node);
  // Marked objects by the ip programs' word, as "routes 4, neighbours 4, entries 2", and ", link hops 1"
  // where there are some.
  std::string marked(LabNode& node);
  // Our tables and the rules of iptables that are about our chain, in both families.
  std::string marked_rules(LabNode& node);

  bool dual() const { return dual_; }

  NetworkDesired settings;
  IoTest io;

 private:
  void build(LabNode& node);
  void attach_by_hand(LabNode& node);
  void attach_by_plugins(LabNode& node);
  void set_pod_mtu(LabNode& node);

  bool dual_;
  LabUnderlay underlay_;
  LabPods pods_;
  LabNamespace wire_;
  std::vector<std::unique_ptr<LabNode>> nodes_;
};

}  // namespace slipway::test
