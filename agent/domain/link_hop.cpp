#include "agent/domain/link_hop.hpp"

#include <algorithm>

#include "agent/domain/overlay_plan.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_marked_bytes = 12;

std::string mark_bytes() {
  return std::string("\xfe\x80\0\0\0\0\0\0\0\0\x51\x57", k_marked_bytes);
}

bool has_address(const NetworkLink& link, const IpAddress& address) {
  return std::any_of(link.addresses.begin(), link.addresses.end(),
                     [&address](const LinkAddress& own) { return own.address == address; });
}

// The IPv4 address that it follows from.
IpAddress source_of(const IpAddress& hop) {
  return IpAddress::from_bytes(hop.bytes().substr(k_marked_bytes)).value_or(IpAddress());
}

// A word that is missing takes nothing away: without a block of its own the node has not been told yet.
bool is_settled(const NetworkDesired& desired) {
  return desired.backend == NetworkBackend::external || desired.own_cidr.has_value();
}

void remove_all(const NetworkLink& link, std::vector<NetworkStep>& steps) {
  for (const LinkAddress& own : link.addresses)
    if (is_link_hop(own.address)) steps.push_back(RemoveLinkAddress{link.index, own, link.name});
}

void plan_underlay(const IpAddress& node_address, const NetworkLink& underlay,
                   std::vector<NetworkStep>& steps) {
  const LinkAddress wanted{link_hop(node_address), k_link_hop_prefix};
  const bool there =
      std::find(underlay.addresses.begin(), underlay.addresses.end(), wanted) != underlay.addresses.end();
  for (const LinkAddress& own : underlay.addresses) {
    if (!is_link_hop(own.address) || own == wanted) continue;
    // Of one address the kernel has one entry, whatever the prefix.
    const bool stays = own.address != wanted.address && own.prefix_length == k_link_hop_prefix &&
                       has_address(underlay, source_of(own.address));
    if (!stays) steps.push_back(RemoveLinkAddress{underlay.index, own, underlay.name});
  }
  if (!there && underlay.up && !without_v6(underlay))
    steps.push_back(PutLinkAddress{underlay.index, wanted, underlay.name});
}

}  // namespace

IpAddress link_hop(const IpAddress& v4) {
  return IpAddress::from_bytes(mark_bytes() + v4.bytes()).value_or(IpAddress());
}

bool is_link_hop(const IpAddress& address) {
  return !address.is_v4() && address.bytes().starts_with(mark_bytes());
}

bool uses_link_hop(const NetworkDesired& desired) {
  const bool direct = desired.backend == NetworkBackend::host_gw ||
                      (desired.backend == NetworkBackend::vxlan && desired.cross_subnet);
  return direct && desired.own_second_cidr && !desired.own_second_cidr->is_v4() &&
         desired.node_address.is_v4();
}

bool without_v6(const NetworkLink& link) {
  return link.v6 && link.v6->disabled;
}

void plan_link_hop(const NetworkDesired& desired, const NetworkObserved& observed,
                   std::vector<NetworkStep>& steps) {
  if (!is_settled(desired)) return;
  const bool used = uses_link_hop(desired);
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  // An underlay that lost its address may have it again in a moment.
  if (used && underlay == nullptr) return;
  for (const NetworkLink& link : observed.links)
    if (!used || &link != underlay) remove_all(link, steps);
  if (used) plan_underlay(desired.node_address, *underlay, steps);
}

void plan_link_hop_removal(const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
  for (const NetworkLink& link : observed.links) remove_all(link, steps);
}

void link_hop_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                       std::vector<NetworkFinding>& out) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  if (!uses_link_hop(desired) || underlay == nullptr || !without_v6(*underlay)) return;
  const std::string key = "net.ipv6.conf." + underlay->name + ".disable_ipv6";
  out.push_back({NetworkFindingKind::underlay_without_v6, "",
                 "IPv6 is disabled on " + underlay->name +
                     ", so IPv6 pods of this node and of its neighbours do not reach each other: sysctl -w " +
                     key +
                     "=0, and see what sets it at boot (grep -r disable_ipv6 /etc/sysctl.conf /etc/sysctl.d)",
                 false});
}

}  // namespace slipway
