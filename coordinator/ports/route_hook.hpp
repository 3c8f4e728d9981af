#pragma once
// Port: the routes of the network outside, and our notes of which of them are ours.
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "common/core/result.hpp"
#include "coordinator/domain/route_plan.hpp"

namespace slipway {

// Called on the state thread, several calls at once. Each ends within a limit of the adapter's; Errc::timeout then. Errors carry the words
// of whatever refused. Errc::canceled on stop.
class RouteHook {
 public:
  virtual ~RouteHook() = default;

  // All routes of the table, others' too.
  virtual boost::asio::awaitable<Result<std::vector<FoundRoute>>> list() = 0;
  // Creates it, or has one that leads to a hop of `replaces` lead there, in place. Success when it is there already. The hook sees that
  // nothing else stands there, if it can: we looked a moment ago.
  virtual boost::asio::awaitable<Status> create(OutsideRoute route) = 0;
  // Success when it is gone already. The next hop tells which of several of one destination.
  virtual boost::asio::awaitable<Status> remove(OutsideRoute route) = 0;
};

// Durable when save() returns. State thread; one call at a time.
class RouteNotes {
 public:
  virtual ~RouteNotes() = default;
  // Nothing was ever saved: an empty list.
  virtual boost::asio::awaitable<Result<std::vector<OwnRoute>>> load() = 0;
  virtual boost::asio::awaitable<Status> save(std::vector<OwnRoute> routes) = 0;
};

}  // namespace slipway
