// The routes, neighbours and forwarding entries of all peers: what there should be against what there is.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "agent/domain/network_rules.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/peer_ways.hpp"

namespace slipway {

namespace {

using RouteKey = std::pair<Cidr, std::uint32_t>;  // what NLM_F_REPLACE goes by

RouteKey key_of(const MarkedRoute& route) {
  return {route.destination, route.metric};
}

MarkedRoute route_to(const Cidr& destination, const IpAddress& gateway, int link, bool onlink) {
  MarkedRoute route;
  route.destination = destination;
  route.gateway = gateway;
  route.link = link;
  route.metric = route_metric(destination);
  route.onlink = onlink;
  return route;
}

MarkedRoute blackhole_for(const Cidr& own) {
  MarkedRoute route;
  route.destination = own;
  route.metric = k_blackhole_metric;
  route.blackhole = true;
  return route;
}

class Planner {
 public:
  Planner(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
          std::vector<NetworkStep>& steps)
      : desired_(desired), observed_(observed), overlay_(overlay), steps_(steps) {}

  void plan() {
    const NetworkLink* underlay = underlay_of(observed_, desired_.node_address);
    underlay_ = underlay != nullptr && underlay->up ? underlay->index : 0;
    const NetworkLink* device = overlay_of(observed_);
    if (device != nullptr && overlay_.renewed) gone_link_ = device->index;
    ways_ = peer_ways(desired_, observed_);
    const Blocks own = own_blocks(desired_);
    if (own.v4) source_.v4 = bridge_address(observed_, *own.v4);
    if (own.v6) source_.v6 = bridge_address(observed_, *own.v6);
    read_observed();
    for (const DirectWay& way : ways_.direct) put_direct(way);
    for (const TunnelWay& way : ways_.tunnel) put_tunnel(way);
    put_blackholes();
    for (const Cidr& block : ways_.undecided) keep(block);
    // After what takes their place: an address that both a wider and a narrower route lead to is never without one.
    remove_routes();
    remove_forwarding();
    remove_neighbours();
  }

 private:
  bool on_overlay_stays() const { return overlay_.link > 0; }  // what was observed there is comparable

  void read_observed() {
    for (const MarkedRoute& route : observed_.routes)
      if (route.link != gone_link_ || route.blackhole) routes_.emplace(key_of(route), &route);
    if (!on_overlay_stays()) return;
    for (const ForwardingEntry& entry : observed_.forwarding) forwarding_.emplace(entry.mac, entry.remote);
    if (overlay_.remac) return;
    for (const Neighbour& neighbour : observed_.neighbours) neighbours_[neighbour.address] = neighbour.mac;
  }

  void keep(const Cidr& destination) { wanted_[{destination, route_metric(destination)}] = nullptr; }

  void put_route(const MarkedRoute& route, const std::string& node) {
    const auto [first, last] = routes_.equal_range(key_of(route));
    const auto same = std::find_if(first, last, [&route](const auto& one) { return *one.second == route; });
    const MarkedRoute* there = same == last ? nullptr : same->second;
    // Of several with one key the kernel replaces the first: the others are removed then.
    if (there == nullptr && first != last) there = first->second;
    wanted_[key_of(route)] = there;
    if (same == last) steps_.push_back(PutRoute{route, node});
  }

  void put_direct(const DirectWay& way) {
    if (underlay_ == 0) return keep(way.destination);
    MarkedRoute route = route_to(way.destination, way.gateway, underlay_, false);
    // On the underlay there may be no address of this family that a peer could answer to. Until the bridge
    // has one the kernel picks.
    if (way.by_other_family) route.source = way.destination.is_v4() ? source_.v4 : source_.v6;
    put_route(route, way.peer->node);
  }

  // The neighbour, where its packets go, and only then the route.
  void put_tunnel(const TunnelWay& way) {
    if (overlay_.link == 0) {
      for (const Cidr& block : way.destinations) keep(block);
      return;
    }
    for (const Cidr& block : way.destinations) {
      const Neighbour neighbour{tunnel_hop(block, way.mac), way.mac};
      wanted_neighbours_.insert(neighbour.address);
      const auto there = neighbours_.find(neighbour.address);
      if (there == neighbours_.end() || there->second != way.mac)
        steps_.push_back(PutNeighbour{overlay_.link, neighbour, way.peer->node});
    }
    wanted_forwarding_[way.mac] = way.remote;
    const auto [first, last] = forwarding_.equal_range(way.mac);
    if (std::none_of(first, last, [&way](const auto& one) { return one.second == way.remote; }))
      steps_.push_back(PutForwarding{overlay_.link, {way.mac, way.remote}, way.peer->node});
    for (const Cidr& block : way.destinations)
      put_route(route_to(block, tunnel_hop(block, way.mac), overlay_.link, true), way.peer->node);
  }

  // So that a packet to an address that no pod has does not go round by the default route.
  void put_blackholes() {
    if (desired_.backend == NetworkBackend::external) return;
    if (desired_.own_cidr) put_route(blackhole_for(*desired_.own_cidr), "");
    if (desired_.own_second_cidr) put_route(blackhole_for(*desired_.own_second_cidr), "");
  }

  // A blackhole whose block is unknown for the moment is kept: the coordinator's word is missing, not changed.
  bool keep_for_now(const MarkedRoute& route) const {
    return desired_.backend != NetworkBackend::external && !desired_.own_cidr && route.blackhole;
  }

  void remove_routes() {
    for (const MarkedRoute& route : observed_.routes) {
      if (route.link == gone_link_ && !route.blackhole) continue;
      const auto wanted = wanted_.find(key_of(route));
      const bool stays = wanted != wanted_.end() && (wanted->second == nullptr || wanted->second == &route);
      if (!stays && !keep_for_now(route)) steps_.push_back(RemoveRoute{route});
    }
  }

  void remove_forwarding() {
    for (const auto& [mac, remote] : forwarding_) {
      const auto wanted = wanted_forwarding_.find(mac);
      const bool replaced = wanted != wanted_forwarding_.end() && forwarding_.count(mac) == 1;
      const bool right = wanted != wanted_forwarding_.end() && remote == wanted->second;
      if (!replaced && !right) steps_.push_back(RemoveForwarding{overlay_.link, {mac, remote}});
    }
  }

  void remove_neighbours() {
    for (const auto& [address, mac] : neighbours_)
      if (wanted_neighbours_.count(address) == 0) steps_.push_back(RemoveNeighbour{overlay_.link, {address, mac}});
  }

  const NetworkDesired& desired_;
  const NetworkObserved& observed_;
  const OverlayUse& overlay_;
  std::vector<NetworkStep>& steps_;
  int underlay_ = 0;    // 0: not usable now
  int gone_link_ = -2;  // index of the device that is made anew
  PeerWays ways_;
  struct {
    std::optional<IpAddress> v4, v6;
  } source_;  // of packets of the node itself
  std::multimap<RouteKey, const MarkedRoute*> routes_;
  std::map<RouteKey, const MarkedRoute*> wanted_;  // key -> the observed one that is it or is replaced; null: any stays
  std::multimap<MacAddress, std::optional<IpAddress>> forwarding_;
  std::map<MacAddress, IpAddress> wanted_forwarding_;
  std::map<IpAddress, MacAddress> neighbours_;
  std::set<IpAddress> wanted_neighbours_;
};

}  // namespace

void plan_peers(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
                std::vector<NetworkStep>& steps) {
  Planner(desired, observed, overlay, steps).plan();
}

}  // namespace slipway
