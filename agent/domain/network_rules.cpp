#include "agent/domain/network_rules.hpp"

#include <algorithm>
#include <bit>
#include <set>

namespace slipway {

namespace {

constexpr char k_gc_thresh[] = "net/ipv4/neigh/default/gc_thresh";
constexpr std::size_t k_default_neighbours = 1024;  // the kernel's gc_thresh3

// Every peer is an ARP entry twice over at worst, and so is every local pod; rounded so that the file seldom
// changes.
std::size_t neighbour_limit(const NetworkDesired& desired) {
  if (desired.backend != NetworkBackend::host_gw) return k_default_neighbours;
  return std::bit_ceil(std::max(k_default_neighbours, desired.peers.size() * 4 + 512));
}

bool own_conflict(const NetworkDesired& desired, const NetworkPeer& peer) {
  if (!desired.own_cidr) return false;
  const bool address = peer.gateway == desired.node_address;
  if (address && peer.cidr == *desired.own_cidr) return false;  // the node itself
  return address || peer.cidr.overlaps(*desired.own_cidr);
}

NetworkFinding finding(NetworkFindingKind kind, std::string message, bool blocks, std::string node = "") {
  return NetworkFinding{kind, std::move(node), std::move(message), blocks};
}

void peer_findings(const NetworkDesired& desired, std::vector<NetworkFinding>& out) {
  std::set<Cidr> taken;
  for (const NetworkPeer& peer : desired.peers) {
    if (own_conflict(desired, peer)) {
      out.push_back(finding(NetworkFindingKind::peer_conflict,
                            "peer " + peer.node + " (" + peer.cidr.to_string() + " via " +
                                peer.gateway.to_string() +
                                ") claims this node's pod range or address; no route is set for it",
                            false, peer.node));
    } else if (!taken.insert(peer.cidr).second) {
      out.push_back(finding(NetworkFindingKind::peer_conflict,
                            "pod range " + peer.cidr.to_string() + " of peer " + peer.node +
                                " belongs to another peer too; the first one listed keeps the route",
                            false, peer.node));
    }
  }
}

void underlay_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                       std::vector<NetworkFinding>& out) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  if (underlay == nullptr) {
    out.push_back(finding(NetworkFindingKind::no_underlay,
                          "no interface has the node's address " + desired.node_address.to_string() +
                              ": bring it up, or set nodeAddress",
                          true));
    return;
  }
  if (!underlay->up)
    out.push_back(
        finding(NetworkFindingKind::underlay_down, "interface " + underlay->name + " is down", true));
  if (desired.mtu > underlay->mtu)
    out.push_back(finding(NetworkFindingKind::mtu_too_large,
                          "pod mtu " + std::to_string(desired.mtu) + " is larger than the " +
                              std::to_string(underlay->mtu) + " of " + underlay->name,
                          false));
}

}  // namespace

std::vector<Cidr> minimal_v4(std::vector<Cidr> blocks) {
  std::erase_if(blocks, [](const Cidr& block) { return !block.is_v4(); });
  std::sort(blocks.begin(), blocks.end());  // by base, then the wider block first
  std::vector<Cidr> out;
  for (const Cidr& block : blocks)
    if (out.empty() || !out.back().contains(block)) out.push_back(block);
  return out;
}

bool usable_peer(const NetworkDesired& desired, const NetworkPeer& peer) {
  if (!peer.cidr.is_v4() || !peer.gateway.is_v4() || peer.gateway == desired.node_address) return false;
  return !desired.own_cidr || !peer.cidr.overlaps(*desired.own_cidr);
}

const NetworkLink* pod_bridge(const NetworkObserved& observed) {
  for (const NetworkLink& link : observed.links)
    if (link.name == k_pod_bridge) return &link;
  return nullptr;
}

bool has_ports(const NetworkObserved& observed, const NetworkLink& bridge) {
  return std::any_of(observed.links.begin(), observed.links.end(),
                     [&bridge](const NetworkLink& link) { return link.master == bridge.index; });
}

std::optional<IpAddress> foreign_bridge_address(const NetworkLink& bridge, const Cidr& own) {
  for (const LinkAddress& address : bridge.addresses)
    if (address.address.is_v4() && !address.address.is_link_local() && !own.contains(address.address))
      return address.address;
  return std::nullopt;
}

std::vector<std::string> masquerade_rules(const Cidr& own) {
  const std::string from = "ip saddr " + own.to_string() + " ";
  return {
      // kube-proxy masquerades what it marked; doing it twice stalls connections on some kernels.
      "meta mark & 0x00004000 == 0x00004000 return",
      from + "ip daddr @local return",
      "fib daddr type local return",
      "ip daddr 224.0.0.0/4 return",
      from + "masquerade fully-random",
  };
}

std::string masquerade_rule_mark(const std::string& rule) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : rule) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  static constexpr char digits[] = "0123456789abcdef";
  std::string mark = "slipway-";
  for (int shift = 60; shift >= 0; shift -= 4) mark += digits[hash >> shift & 15U];
  return mark;
}

PutMasquerade wanted_masquerade(const NetworkDesired& desired) {
  PutMasquerade put;
  put.rules = masquerade_rules(*desired.own_cidr);
  for (const std::string& rule : put.rules) put.table.rule_marks.push_back(masquerade_rule_mark(rule));
  std::vector<Cidr> local = desired.pools;
  local.insert(local.end(), desired.no_masquerade.begin(), desired.no_masquerade.end());
  local.push_back(*desired.own_cidr);
  put.table.local = minimal_v4(std::move(local));
  return put;
}

std::vector<std::string> network_sysctl_keys() {
  const std::string thresh = k_gc_thresh;
  return {"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", thresh + "1", thresh + "2",
          thresh + "3"};
}

std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired) {
  std::vector<WantedSysctl> wanted;
  wanted.push_back({{"net/ipv4/ip_forward", "1"}, false, false, ""});
  // Without it a pod's reply to a pod of the same node skips the service address translation.
  wanted.push_back({{"net/bridge/bridge-nf-call-iptables", "1"}, false, false, "br_netfilter"});
  const std::size_t limit = neighbour_limit(desired);
  if (limit <= k_default_neighbours) return wanted;
  const std::string thresh = k_gc_thresh;
  // The upper limits first: at no time may a lower one be above them.
  wanted.push_back({{thresh + "3", std::to_string(limit)}, true, true, ""});
  wanted.push_back({{thresh + "2", std::to_string(limit / 2)}, true, true, ""});
  wanted.push_back({{thresh + "1", std::to_string(limit / 8)}, true, true, ""});
  return wanted;
}

std::string sysctl_file_content(const NetworkDesired& desired) {
  std::string text =
      "# Written by slipway-agent: what the pod network needs. Changes here are overwritten.\n";
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    std::string key = want.sysctl.key;
    std::replace(key.begin(), key.end(), '/', '.');
    // A leading '-' lets systemd-sysctl go on where the key does not exist.
    text += "-" + key + " = " + want.sysctl.value + "\n";
  }
  return text;
}

std::string modules_file_content() {
  return "# Written by slipway-agent.\nbr_netfilter\n";
}

std::vector<NetworkFinding> network_findings(const NetworkDesired& desired, const NetworkObserved& observed) {
  std::vector<NetworkFinding> out;
  if (desired.backend != NetworkBackend::host_gw) return out;
  underlay_findings(desired, observed, out);
  if (!desired.own_cidr)
    out.push_back(
        finding(NetworkFindingKind::own_cidr_missing, "no pod range has been given to this node yet", true));
  const NetworkLink* bridge = pod_bridge(observed);
  const auto foreign = bridge != nullptr && desired.own_cidr
                           ? foreign_bridge_address(*bridge, *desired.own_cidr)
                           : std::nullopt;
  if (foreign && has_ports(observed, *bridge))
    out.push_back(finding(NetworkFindingKind::bridge_in_use,
                          bridge->name + " has address " + foreign->to_string() +
                              " of a former pod range, not of " + desired.own_cidr->to_string() +
                              ", and pods are attached: drain the node",
                          true));
  peer_findings(desired, out);
  if (desired.accept_forward && !observed.forward.tool_present)
    out.push_back(
        finding(NetworkFindingKind::no_iptables,
                "no iptables program: pod traffic stops when docker sets the FORWARD policy to DROP; "
                "install iptables",
                false));
  return out;
}

namespace {

struct Describe {
  std::string operator()(const RemoveBridge& s) const { return "remove bridge " + s.name; }
  std::string operator()(const LoadModule& s) const { return "load kernel module " + s.name; }
  std::string operator()(const SetSysctl& s) const { return "set " + s.sysctl.key + " = " + s.sysctl.value; }
  std::string operator()(const WriteNetworkFile& s) const {
    const std::string what = s.file == NetworkFile::sysctl ? "the sysctl file" : "the kernel modules file";
    return (s.content.empty() ? "remove " : "write ") + what;
  }
  std::string operator()(const RemoveRoute& s) const { return "remove route " + route(s.route); }
  std::string operator()(const PutRoute& s) const {
    return "put route " + route(s.route) + (s.node.empty() ? "" : " (node " + s.node + ")");
  }
  std::string operator()(const PutMasquerade&) const { return "put the masquerade table"; }
  std::string operator()(const RemoveMasquerade&) const { return "remove the masquerade table"; }
  std::string operator()(const PutForward& s) const {
    std::string text = "accept in FORWARD:";
    for (const Cidr& block : s.accepted) text += " " + block.to_string();
    return text;
  }
  std::string operator()(const RemoveForward&) const { return "remove the FORWARD rules"; }

  static std::string route(const MarkedRoute& r) {
    if (r.blackhole) return "blackhole " + r.destination.to_string();
    return r.destination.to_string() + (r.gateway ? " via " + r.gateway->to_string() : "");
  }
};

}  // namespace

std::string describe(const NetworkStep& step) {
  return std::visit(Describe{}, step);
}

}  // namespace slipway
