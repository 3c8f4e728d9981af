#include "agent/domain/network_rules.hpp"

#include <algorithm>
#include <set>

#include "agent/domain/filter_plan.hpp"
#include "agent/domain/host_dropins.hpp"

namespace slipway {

namespace {

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
    return "put route " + route(s.route) + (s.node.empty() ? "" : " (node " + s.node + ")");
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
