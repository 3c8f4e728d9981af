#pragma once
// Backend routes: which routes the network outside should have for the cluster's nodes, and how to come there. Pure.
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

struct OutsideRoute {
  Cidr destination;    // a node's block
  IpAddress next_hop;  // the node
  std::string node;    // its name; empty: nobody's any more
  std::vector<IpAddress> replaces = {};  // to be set: where it may lead now, for we led it there; whatever leads elsewhere is somebody else's
  bool operator==(const OutsideRoute&) const = default;
};

struct FoundRoute {
  Cidr destination;
  IpAddress next_hop;
  bool operator==(const FoundRoute&) const = default;
};

// That we have set it, or were about to, is known from nothing but our own notes: tables of clouds and routers do not say who put a route
// there, and kube-controller-manager's way, to delete whatever lies in the pods' range, takes routes of others with it.
struct OwnRoute {
  Cidr destination;
  std::vector<IpAddress> next_hops;  // the present one and, while it changes, the coming one
  bool operator==(const OwnRoute&) const = default;
};

// A route of somebody else's that stands where one of ours should.
struct RouteConflict {
  OutsideRoute wanted;
  FoundRoute there;
};

struct RoutePlan {
  std::vector<OutsideRoute> set;     // create, or replace one of ours
  std::vector<OutsideRoute> remove;  // ours, of no node any more
  std::vector<Cidr> forget;          // ours once: gone, or somebody has put another one there
  std::vector<RouteConflict> conflicts;
};

// For each block of each live node the route to the node's address of that family. Blocks whose family the node has no address of are left out.
std::vector<OutsideRoute> wanted_outside(const State& state);

// A route that is there as wanted is left alone, whoever set it.
RoutePlan plan_outside(const std::vector<OutsideRoute>& wanted, const std::vector<OwnRoute>& own, const std::vector<FoundRoute>& found);

// The notes as they have to be before the plan is carried out: all that is there now and all that may be there then.
std::vector<OwnRoute> noted_before(std::vector<OwnRoute> own, const RoutePlan& plan);
// And after one of its changes was made.
void note_set(std::vector<OwnRoute>& own, const OutsideRoute& route);
void note_removed(std::vector<OwnRoute>& own, const Cidr& destination);

// For tables whose entries have names (GCE: [a-z]([-a-z0-9]*[a-z0-9])?, at most 63): a pure function of cluster and destination.
std::string outside_name(const std::string& cluster, const Cidr& destination);

}  // namespace slipway
