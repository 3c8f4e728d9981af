#include "coordinator/domain/route_plan.hpp"

#include <algorithm>
#include <map>

namespace slipway {

namespace {

constexpr std::size_t k_max_name = 63;

const OwnRoute* find_own(const std::vector<OwnRoute>& own, const Cidr& destination) {
  const auto it = std::find_if(own.begin(), own.end(), [&](const OwnRoute& route) { return route.destination == destination; });
  return it == own.end() ? nullptr : &*it;
}

bool leads_as_we_set(const OwnRoute& own, const FoundRoute& found) {
  return std::find(own.next_hops.begin(), own.next_hops.end(), found.next_hop) != own.next_hops.end();
}

// There may be several of one destination (metrics, ECMP).
using Found = std::multimap<Cidr, FoundRoute>;

void plan_wanted(const OutsideRoute& want, const OwnRoute* own, const Found& found, RoutePlan& plan) {
  const auto [first, last] = found.equal_range(want.destination);
  if (std::any_of(first, last, [&want](const auto& entry) { return entry.second.next_hop == want.next_hop; })) return;
  const auto foreign = std::find_if(first, last, [own](const auto& entry) { return own == nullptr || !leads_as_we_set(*own, entry.second); });
  if (foreign != last) {
    plan.conflicts.push_back({want, foreign->second});
    return;
  }
  plan.set.push_back(want);
  for (auto it = first; it != last; ++it) plan.set.back().replaces.push_back(it->second.next_hop);
}

void plan_unwanted(const OwnRoute& own, const Found& found, RoutePlan& plan) {
  const auto [first, last] = found.equal_range(own.destination);
  bool there = false;
  for (auto it = first; it != last; ++it) {
    if (!leads_as_we_set(own, it->second)) continue;
    there = true;
    plan.remove.push_back({own.destination, it->second.next_hop, ""});
  }
  if (!there) plan.forget.push_back(own.destination);
}

}  // namespace

std::vector<OutsideRoute> wanted_outside(const State& state) {
  std::vector<OutsideRoute> wanted;
  for (const auto& [name, node] : state.nodes()) {
    for (const Cidr& block : blocks_of(node)) {
      if (block.is_v4() == node.address.is_v4()) wanted.push_back({block, node.address, node.name});
    }
  }
  return wanted;
}

RoutePlan plan_outside(const std::vector<OutsideRoute>& wanted, const std::vector<OwnRoute>& own, const std::vector<FoundRoute>& found) {
  Found by_destination;
  for (const FoundRoute& route : found) by_destination.emplace(route.destination, route);
  std::map<Cidr, const OwnRoute*> own_by_destination;
  for (const OwnRoute& route : own) own_by_destination[route.destination] = &route;
  RoutePlan plan;
  for (const OutsideRoute& want : wanted) {
    const auto mine = own_by_destination.find(want.destination);
    plan_wanted(want, mine == own_by_destination.end() ? nullptr : mine->second, by_destination, plan);
    if (mine != own_by_destination.end()) own_by_destination.erase(mine);
  }
  for (const auto& [destination, route] : own_by_destination) plan_unwanted(*route, by_destination, plan);
  return plan;
}

std::vector<OwnRoute> noted_before(std::vector<OwnRoute> own, const RoutePlan& plan) {
  std::erase_if(own, [&plan](const OwnRoute& route) {
    return std::find(plan.forget.begin(), plan.forget.end(), route.destination) != plan.forget.end();
  });
  std::map<Cidr, OwnRoute> notes;
  for (OwnRoute& route : own) notes[route.destination] = std::move(route);
  for (const OutsideRoute& route : plan.set) {
    OwnRoute& note = notes[route.destination];
    note.destination = route.destination;
    const bool known = std::find(note.next_hops.begin(), note.next_hops.end(), route.next_hop) != note.next_hops.end();
    if (!known) note.next_hops.push_back(route.next_hop);
  }
  std::vector<OwnRoute> out;
  out.reserve(notes.size());
  for (auto& [destination, note] : notes) out.push_back(std::move(note));
  return out;
}

void note_set(std::vector<OwnRoute>& own, const OutsideRoute& route) {
  for (OwnRoute& note : own) {
    if (note.destination == route.destination) note.next_hops = {route.next_hop};
  }
  if (find_own(own, route.destination) == nullptr) own.push_back({route.destination, {route.next_hop}});
}

void note_removed(std::vector<OwnRoute>& own, const Cidr& destination) {
  std::erase_if(own, [&destination](const OwnRoute& route) { return route.destination == destination; });
}

std::string outside_name(const std::string& cluster, const Cidr& destination) {
  std::string end = "-" + destination.to_string();
  std::replace_if(end.begin(), end.end(), [](char c) { return c == '.' || c == ':' || c == '/'; }, '-');
  const std::string begin = "slipway-" + cluster;
  // The end tells the routes of a cluster apart.
  return begin.substr(0, k_max_name - std::min(k_max_name, end.size())) + end;
}

}  // namespace slipway
