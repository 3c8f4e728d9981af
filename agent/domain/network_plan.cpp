#include "agent/domain/network_plan.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "agent/domain/network_rules.hpp"
#include "common/core/text.hpp"

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

void plan_masquerade(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  if (desired.backend == NetworkBackend::external) {
    if (observed.masquerade) steps.push_back(RemoveMasquerade{});
    return;
  }
  if (!desired.own_cidr) return;
  PutMasquerade put = wanted_masquerade(desired);
  if (!observed.masquerade || *observed.masquerade != put.table) steps.push_back(std::move(put));
}

void plan_forward(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  const ForwardState& now = observed.forward;
  if (!now.tool_present) return;
  if (desired.backend == NetworkBackend::external || !desired.accept_forward) {
    if (now.chain_present) steps.push_back(RemoveForward{});
    return;
  }
  const std::vector<Cidr> pools = minimal_v4(desired.pools);
  if (pools.empty()) return;
  if (!now.jump_first || !now.chain_exact || now.accepted != pools) steps.push_back(PutForward{pools});
}

const ObservedSysctl* find_sysctl(const NetworkObserved& observed, const std::string& key) {
  const auto it = std::find_if(observed.sysctls.begin(), observed.sysctls.end(),
                               [&key](const ObservedSysctl& s) { return s.key == key; });
  return it == observed.sysctls.end() ? nullptr : &*it;
}

bool at_least(const std::optional<std::string>& have, const std::string& want) {
  const auto have_number = have ? parse_u64(trim(*have)) : std::nullopt;
  return have_number && *have_number >= parse_u64(want).value_or(0);
}

void plan_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    const ObservedSysctl* now = find_sysctl(observed, want.sysctl.key);
    const bool there = now != nullptr && now->value.has_value();
    // Limits of the whole machine, which a network namespace has not got.
    if (want.optional && (!there || !now->writable)) continue;
    if (there && want.minimum && at_least(now->value, want.sysctl.value)) continue;
    if (there && trim(*now->value) == want.sysctl.value) continue;
    if (!there && !want.module.empty()) steps.push_back(LoadModule{want.module});
    steps.push_back(SetSysctl{want.sysctl});
  }
  const std::string sysctl_file = sysctl_file_content(desired);
  if (observed.sysctl_file != sysctl_file)
    steps.push_back(WriteNetworkFile{NetworkFile::sysctl, sysctl_file});
  const std::string modules_file = modules_file_content();
  if (observed.modules_file != modules_file)
    steps.push_back(WriteNetworkFile{NetworkFile::modules, modules_file});
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
  plan_forward(desired, observed, steps);
  plan_masquerade(desired, observed, steps);
  plan_routes(desired, observed, steps);
  return steps;
}

std::vector<NetworkStep> plan_network_removal(const NetworkObserved& observed) {
  Steps steps;
  for (const MarkedRoute& route : observed.routes) steps.push_back(RemoveRoute{route});
  if (observed.masquerade) steps.push_back(RemoveMasquerade{});
  if (observed.forward.chain_present) steps.push_back(RemoveForward{});
  const NetworkLink* bridge = pod_bridge(observed);
  if (bridge != nullptr && !has_ports(observed, *bridge))
    steps.push_back(RemoveBridge{bridge->index, bridge->name});
  if (observed.sysctl_file) steps.push_back(WriteNetworkFile{NetworkFile::sysctl, ""});
  if (observed.modules_file) steps.push_back(WriteNetworkFile{NetworkFile::modules, ""});
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
