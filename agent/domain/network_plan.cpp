#include "agent/domain/network_plan.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "agent/domain/filter_plan.hpp"
#include "agent/domain/host_dropins.hpp"
#include "agent/domain/network_rules.hpp"
#include "agent/domain/sysctl_plan.hpp"

namespace slipway {

namespace {

using Steps = std::vector<NetworkStep>;
using RouteKey = std::pair<Cidr, std::uint32_t>;  // what NLM_F_REPLACE goes by

struct WantedRoute {
  MarkedRoute route;
  std::string node;
};

RouteKey key_of(const MarkedRoute& route) {
  return {route.destination, route.metric};
}

MarkedRoute blackhole_for(const Cidr& own) {
  MarkedRoute route;
  route.destination = own;
  route.metric = k_blackhole_metric;
  route.blackhole = true;
  return route;
}

std::map<RouteKey, WantedRoute> wanted_routes(const NetworkDesired& desired, int underlay_index) {
  std::map<RouteKey, WantedRoute> wanted;
  if (desired.backend != NetworkBackend::host_gw) return wanted;
  std::set<Cidr> taken;
  for (const NetworkPeer& peer : desired.peers) {
    if (!usable_peer(desired, peer) || !taken.insert(peer.cidr).second) continue;
    MarkedRoute route;
    route.destination = peer.cidr;
    route.gateway = peer.gateway;
    route.link = underlay_index;
    route.metric = route_metric(peer.cidr);
    wanted[key_of(route)] = WantedRoute{route, peer.node};
  }
  if (desired.own_cidr) {
    const MarkedRoute route = blackhole_for(*desired.own_cidr);
    wanted[key_of(route)] = WantedRoute{route, ""};
  }
  return wanted;
}

// A blackhole whose CIDR is unknown for the moment is kept: the coordinator's word is missing, not changed.
bool keep_for_now(const NetworkDesired& desired, const MarkedRoute& route) {
  return desired.backend == NetworkBackend::host_gw && !desired.own_cidr && route.blackhole;
}

void plan_routes(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  const bool usable = underlay != nullptr && underlay->up;
  const auto wanted = wanted_routes(desired, underlay == nullptr ? 0 : underlay->index);

  std::set<RouteKey> satisfied;
  for (const MarkedRoute& route : observed.routes) {
    const auto it = wanted.find(key_of(route));
    if (it != wanted.end() && it->second.route == route) satisfied.insert(it->first);
  }
  for (const MarkedRoute& route : observed.routes) {
    const auto it = wanted.find(key_of(route));
    if (it != wanted.end() && it->second.route == route) continue;
    // Without an underlay a wanted route cannot be compared; with one, an unsatisfied key is replaced in
    // place below.
    const bool replaced = it != wanted.end() && (!usable || satisfied.count(it->first) == 0);
    if (!replaced && !keep_for_now(desired, route)) steps.push_back(RemoveRoute{route});
  }
  for (const auto& [key, want] : wanted) {
    if (satisfied.count(key) != 0) continue;
    if (usable || want.route.blackhole) steps.push_back(PutRoute{want.route, want.node});
  }
}

void plan_bridge(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  if (desired.backend != NetworkBackend::host_gw || !desired.own_cidr) return;
  const NetworkLink* bridge = pod_bridge(observed);
  if (bridge != nullptr && foreign_bridge_address(*bridge, *desired.own_cidr) &&
      !has_ports(observed, *bridge))
    steps.push_back(RemoveBridge{bridge->index, bridge->name});
}

}  // namespace

std::vector<NetworkStep> plan_network(const NetworkDesired& desired, const NetworkObserved& observed) {
  Steps steps;
  plan_bridge(desired, observed, steps);
  plan_sysctls(desired, observed, steps);
  plan_files(desired, observed, steps);
  plan_forward(desired, observed, steps);
  plan_masquerade(desired, observed, steps);
  plan_routes(desired, observed, steps);
  plan_device_sysctls(desired, observed, steps);
  return steps;
}

std::vector<NetworkStep> plan_network_removal(const NetworkObserved& observed) {
  Steps steps;
  for (const MarkedRoute& route : observed.routes) steps.push_back(RemoveRoute{route});
  plan_filter_removal(observed, steps);
  const NetworkLink* bridge = pod_bridge(observed);
  if (bridge != nullptr && !has_ports(observed, *bridge))
    steps.push_back(RemoveBridge{bridge->index, bridge->name});
  for (const auto& [file, content] : observed.files) steps.push_back(WriteNetworkFile{file, ""});
  return steps;
}

const NetworkLink* underlay_of(const NetworkObserved& observed, const IpAddress& node_address) {
  for (const NetworkLink& link : observed.links)
    for (const LinkAddress& own : link.addresses)
      if (own.address == node_address) return &link;
  return nullptr;
}

int pod_mtu(const NetworkDesired& desired, const NetworkObserved& observed) {
  if (desired.mtu > 0) return desired.mtu;
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  return underlay == nullptr ? 0 : underlay->mtu;
}

std::uint32_t route_metric(const Cidr& prefix) {
  // The prefix's place in the tree of all prefixes, counted from the root as 1: level n holds 2^n to
  // 2^(n+1)-1.
  const int length = std::min(prefix.prefix_length(), 31);
  if (length == 0) return 1;
  return (std::uint32_t{1} << length) + (prefix.base().to_u32() >> (32 - length));
}

}  // namespace slipway
