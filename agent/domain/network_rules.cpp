#include "agent/domain/network_rules.hpp"

#include <algorithm>
#include <iterator>

#include "agent/domain/filter_plan.hpp"
#include "agent/domain/host_dropins.hpp"
#include "agent/domain/link_hop.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/peer_ways.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_named_peers = 4;

NetworkFinding finding(NetworkFindingKind kind, std::string message, bool blocks, std::string node = "") {
  return NetworkFinding{kind, std::move(node), std::move(message), blocks};
}

// One finding for all of them: of thousands the first few tell enough.
void no_way_findings(const PeerWays& ways, std::vector<NetworkFinding>& out) {
  if (ways.none.empty()) return;
  std::string text = "not on this node's own network, so its backend has no way to their pods:";
  for (std::size_t i = 0; i < std::min(ways.none.size(), k_named_peers); ++i) {
    const NoWay& way = ways.none[i];
    text += (i == 0 ? " " : ", ") + way.peer->node + " (" + way.destination.to_string() + ": " + way.why + ")";
  }
  if (ways.none.size() > k_named_peers) text += " and " + std::to_string(ways.none.size() - k_named_peers) + " more";
  out.push_back(finding(NetworkFindingKind::not_adjacent,
                        text + "; set network.crossSubnet or use the backend vxlan, and let each node have an address "
                               "of the network's families",
                        false, ways.none.front().peer->node));
}

void peer_findings(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkFinding>& out) {
  PeerWays ways = peer_ways(desired, observed);
  std::move(ways.conflicts.begin(), ways.conflicts.end(), std::back_inserter(out));
  no_way_findings(ways, out);
}

void overlay_findings(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkFinding>& out) {
  const auto want = wanted_overlay(desired, observed);
  if (!want) return;
  const NetworkLink* device = overlay_of(observed);
  const bool there = device != nullptr && fits(*device, *want);
  if (there && device->up) return;
  const std::string port = "UDP port " + std::to_string(want->config.port);
  const NetworkLink* rival = overlay_rival(observed, want->config);
  if (!there && rival != nullptr) {
    out.push_back(finding(NetworkFindingKind::overlay_conflict,
                          "interface " + rival->name + " takes the packets of VXLAN " + std::to_string(want->config.id) + " on " + port +
                              ", so the tunnel cannot be made: remove it (ip link del " + rival->name +
                              "), or set another network.vxlan.port or id",
                          true));
    return;
  }
  out.push_back(finding(NetworkFindingKind::overlay_missing,
                        std::string("the tunnel device ") + k_overlay_device + (there ? " cannot be set up" : " cannot be made") +
                            ": see whether the kernel has vxlan (modprobe vxlan) and whether a program has " + port + " (ss -ulnp)",
                        true));
}

void mtu_findings(const NetworkDesired& desired, const NetworkLink& underlay, std::vector<NetworkFinding>& out) {
  constexpr int k_least_v6 = 1280;  // RFC 8200, section 5; the kernel has no IPv6 on interfaces with less
  const int left = mtu_left(desired, underlay);
  const std::string why =
      "the " + std::to_string(left) + (left == underlay.mtu ? " of " : " that the tunnel's headers leave of ") + underlay.name;
  if (desired.mtu > left)
    out.push_back(finding(NetworkFindingKind::mtu_too_large,
                          "pod mtu " + std::to_string(desired.mtu) + " is larger than " + why, false));
  const int used = desired.mtu > 0 ? std::min(desired.mtu, left) : left;
  if (own_blocks(desired).v6 && used < k_least_v6)
    out.push_back(finding(NetworkFindingKind::mtu_too_small,
                          "pod mtu " + std::to_string(used) + " is too small for IPv6, which needs 1280: raise it (" + why + ")", false));
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
  mtu_findings(desired, *underlay, out);
}

}  // namespace

const NetworkLink* pod_bridge(const NetworkObserved& observed) {
  for (const NetworkLink& link : observed.links)
    if (link.name == k_pod_bridge) return &link;
  return nullptr;
}

bool has_ports(const NetworkObserved& observed, const NetworkLink& bridge) {
  return std::any_of(observed.links.begin(), observed.links.end(),
                     [&bridge](const NetworkLink& link) { return link.master == bridge.index; });
}

std::optional<IpAddress> foreign_bridge_address(const NetworkLink& bridge, const NetworkDesired& desired) {
  const Blocks own = own_blocks(desired);
  for (const LinkAddress& address : bridge.addresses) {
    const std::optional<Cidr>& block = address.address.is_v4() ? own.v4 : own.v6;
    if (block && !address.address.is_link_local() && !block->contains(address.address)) return address.address;
  }
  return std::nullopt;
}

std::optional<IpAddress> bridge_address(const NetworkObserved& observed, const Cidr& own) {
  const NetworkLink* bridge = pod_bridge(observed);
  if (bridge == nullptr || !bridge->up) return std::nullopt;
  const auto found =
      std::find_if(bridge->addresses.begin(), bridge->addresses.end(),
                   [&own](const LinkAddress& one) { return one.usable && own.contains(one.address); });
  return found == bridge->addresses.end() ? std::nullopt : std::optional(found->address);
}

int mtu_left(const NetworkDesired& desired, const NetworkLink& underlay) {
  return underlay.mtu - (uses_overlay(desired) ? overlay_overhead(desired.node_address) : 0);
}

std::vector<NetworkFinding> network_findings(const NetworkDesired& desired, const NetworkObserved& observed) {
  std::vector<NetworkFinding> out;
  if (desired.backend == NetworkBackend::external) return out;
  underlay_findings(desired, observed, out);
  if (!desired.own_cidr)
    out.push_back(
        finding(NetworkFindingKind::own_cidr_missing, "no pod range has been given to this node yet", true));
  const NetworkLink* bridge = pod_bridge(observed);
  const auto foreign = bridge != nullptr ? foreign_bridge_address(*bridge, desired) : std::nullopt;
  if (foreign && has_ports(observed, *bridge))
    out.push_back(finding(NetworkFindingKind::bridge_in_use,
                          bridge->name + " has address " + foreign->to_string() +
                              " of a former pod range, not of this node's, and pods are attached: drain the node",
                          true));
  link_hop_findings(desired, observed, out);
  overlay_findings(desired, observed, out);
  peer_findings(desired, observed, out);
  filter_findings(desired, observed, out);
  dropin_findings(observed, out);
  return out;
}

namespace {

struct Describe {
  std::string operator()(const RemoveBridge& s) const { return "remove bridge " + s.name; }
  std::string operator()(const LoadModule& s) const { return "load kernel module " + s.name; }
  std::string operator()(const SetSysctl& s) const { return "set " + s.sysctl.key + " = " + s.sysctl.value; }
  std::string operator()(const WriteNetworkFile& s) const {
    return (s.content.empty() ? "remove " : "write ") + describe(s.file);
  }
  std::string operator()(const RemoveRoute& s) const { return "remove route " + route(s.route); }
  std::string operator()(const PutRoute& s) const {
    return "put route " + route(s.route) + of_node(s.node);
  }
  std::string operator()(const PutMasquerade& s) const {
    return describe_in(s.family, "put the masquerade table");
  }
  std::string operator()(const RemoveMasquerade& s) const {
    return describe_in(s.family, "remove the masquerade table");
  }
  std::string operator()(const PutForward& s) const {
    std::string text = describe_in(s.family, "accept in FORWARD") + ":";
    for (const Cidr& block : s.accepted) text += " " + block.to_string();
    return text;
  }
  std::string operator()(const RemoveForward& s) const {
    return describe_in(s.family, "remove the FORWARD rules");
  }
  std::string operator()(const PutOverlay& s) const {
    return std::string("make the tunnel device ") + k_overlay_device + (s.replaces != 0 ? " anew" : "") + " (vxlan " +
           std::to_string(s.config.id) + ", port " + std::to_string(s.config.port) + ", over " + s.beside + ")";
  }
  std::string operator()(const MendOverlay& s) const {
    std::string text = std::string("set ") + k_overlay_device;
    if (s.mac) text += " address " + to_string(*s.mac);
    if (s.mtu) text += " mtu " + std::to_string(*s.mtu);
    return text + (s.up ? " up" : "");
  }
  std::string operator()(const RemoveOverlay&) const { return std::string("remove the tunnel device ") + k_overlay_device; }
  std::string operator()(const PutOverlayAddress& s) const { return "put address " + s.address.to_string() + on_overlay(); }
  std::string operator()(const RemoveOverlayAddress& s) const {
    return "remove address " + s.address.to_string() + "/" + std::to_string(s.prefix_length) + on_overlay();
  }
  std::string operator()(const SetChecksumOffload& s) const {
    return std::string("turn checksum offload ") + (s.on ? "on" : "off") + on_overlay();
  }
  std::string operator()(const PutNeighbour& s) const { return "put " + neighbour(s.neighbour) + of_node(s.node); }
  std::string operator()(const RemoveNeighbour& s) const { return "remove " + neighbour(s.neighbour); }
  std::string operator()(const PutForwarding& s) const { return "put " + entry(s.entry) + of_node(s.node); }
  std::string operator()(const RemoveForwarding& s) const { return "remove " + entry(s.entry); }
  std::string operator()(const PutLinkAddress& s) const { return "put " + address(s.address, s.name); }
  std::string operator()(const RemoveLinkAddress& s) const { return "remove " + address(s.address, s.name); }

  static std::string route(const MarkedRoute& r) {
    if (r.blackhole) return "blackhole " + r.destination.to_string();
    return r.destination.to_string() + (r.gateway ? " via " + r.gateway->to_string() : "");
  }
  static std::string address(const LinkAddress& a, const std::string& link) {
    return "address " + a.address.to_string() + "/" + std::to_string(a.prefix_length) + " on " + link;
  }
  static std::string neighbour(const Neighbour& n) { return "neighbour " + n.address.to_string() + " at " + to_string(n.mac); }
  static std::string entry(const ForwardingEntry& e) {
    return "forwarding entry " + to_string(e.mac) + (e.remote ? " to " + e.remote->to_string() : "");
  }
  static std::string of_node(const std::string& node) { return node.empty() ? "" : " (node " + node + ")"; }
  static std::string on_overlay() { return std::string(" on ") + k_overlay_device; }
};

}  // namespace

std::string describe(const NetworkStep& step) {
  return std::visit(Describe{}, step);
}

}  // namespace slipway
