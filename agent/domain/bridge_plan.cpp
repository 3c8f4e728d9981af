#include "agent/domain/bridge_plan.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "agent/domain/link_hop.hpp"
#include "agent/domain/network_rules.hpp"
#include "agent/domain/peer_ways.hpp"

namespace slipway {

namespace {

// Empty: nothing is to be done. Else the address to put; it is removed before where it is there without its route.
struct Repair {
  LinkAddress put;
  std::optional<LinkAddress> remove;
};

std::optional<Repair> repair_of(const NetworkLink& bridge, const Cidr& block) {
  std::optional<LinkAddress> without_route;
  for (const LinkAddress& own : bridge.addresses) {
    if (!block.contains(own.address)) continue;
    if (own.connected) return std::nullopt;
    if (!without_route) without_route = own;
  }
  if (!without_route) return Repair{{block.at(1), block.prefix_length()}, std::nullopt};
  // The kernel makes the route when the address comes, and at no other time. A bridge without carrier may have none.
  if (!bridge.carrier) return std::nullopt;
  return Repair{{without_route->address, block.prefix_length()}, without_route};
}

// As the kernel makes it of an interface's MAC (RFC 4291, appendix A).
IpAddress link_local_of(const MacAddress& mac) {
  const std::array<std::uint8_t, 16> bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(mac[0] ^ 2), mac[1], mac[2],
                                           0xff, 0xfe, mac[3], mac[4], mac[5]};
  return *IpAddress::from_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// The kernel looks for a pod with it when a packet from elsewhere is to go there (ndisc_ns_create() in net/ipv6/ndisc.c), and looks for
// none without it: half a minute after it went, IPv6 pods are lost. It makes one when an interface goes up, and at no other time.
bool lacks_link_local(const NetworkLink& bridge) {
  return bridge.mac != MacAddress{} && std::none_of(bridge.addresses.begin(), bridge.addresses.end(), [](const LinkAddress& own) {
           return own.address.is_link_local();
         });
}

// The kernel takes away all routes that have an address as their source when it goes.
void carry_out(const Repair& repair, int bridge, NetworkObserved& observed) {
  for (NetworkLink& link : observed.links) {
    if (link.index != bridge) continue;
    if (repair.remove) std::erase(link.addresses, *repair.remove);
    link.addresses.push_back(repair.put);
  }
  std::erase_if(observed.routes, [&repair](const MarkedRoute& route) { return route.source == repair.put.address; });
}

}  // namespace

std::optional<NetworkObserved> plan_bridge(const NetworkDesired& desired, const NetworkObserved& observed,
                                           std::vector<NetworkStep>& steps) {
  const NetworkLink* bridge = pod_bridge(observed);
  if (desired.backend == NetworkBackend::external || bridge == nullptr) return std::nullopt;
  const bool used = has_ports(observed, *bridge);
  const bool former = foreign_bridge_address(*bridge, desired).has_value();
  if (former && !used) steps.push_back(RemoveBridge{bridge->index, bridge->name});
  // Without a port the plugin comes first; pods of a former block are drained before this block has any.
  if (former || !used || !bridge->up) return std::nullopt;
  std::optional<NetworkObserved> after;
  const Blocks own = own_blocks(desired);
  for (const std::optional<Cidr>& block : {own.v4, own.v6}) {
    if (!block || (!block->is_v4() && without_v6(*bridge))) continue;
    const auto repair = repair_of(*bridge, *block);
    if (!repair) continue;
    if (repair->remove) steps.push_back(RemoveLinkAddress{bridge->index, *repair->remove, bridge->name});
    steps.push_back(PutLinkAddress{bridge->index, repair->put, bridge->name});
    if (!after) after = observed;
    carry_out(*repair, bridge->index, *after);
  }
  if (own.v6 && !without_v6(*bridge) && lacks_link_local(*bridge))
    steps.push_back(PutLinkAddress{bridge->index, {link_local_of(bridge->mac), 64}, bridge->name});
  return after;
}

}  // namespace slipway
