#pragma once
// Backend routes: keeps the routes of the network outside as the cluster's nodes need them, through a hook. Observe, plan, apply.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async/backoff.hpp"
#include "common/async/clock.hpp"
#include "common/async/notifier.hpp"
#include "coordinator/ports/route_hook.hpp"

namespace slipway {

// Borrowed: all outlive the task.
struct RouteSyncDeps {
  boost::asio::any_io_executor executor;  // the state thread's
  Clock& clock;
  RouteHook& hook;
  RouteNotes& notes;
  std::function<std::vector<OutsideRoute>()> wanted;  // of the nodes as they are now
  std::size_t concurrency = 4;                        // calls of the hook at once
  Millis period = std::chrono::minutes(1);            // between two looks at what is there
  std::uint64_t seed = 1;                             // of the pauses between tries
};

// What an operator should know of one route.
struct RouteTrouble {
  std::string node;  // empty: of a route that should go
  std::string what;
};

// State thread.
class RouteSync {
 public:
  explicit RouteSync(RouteSyncDeps deps);

  // Until it is cancelled. A failing hook is no error of the task: it shows in trouble() and is tried again.
  boost::asio::awaitable<Status> run();
  // Nodes have come, gone or moved: look now.
  void nodes_changed();

  std::size_t route_count() const { return routes_; }     // that are as they should be
  const std::string& message() const { return message_; }  // why nothing can be told of the routes; empty: they were listed
  std::vector<RouteTrouble> trouble() const;

  // One round. An error: the routes could not be listed, or the notes not kept, and nothing was changed.
  boost::asio::awaitable<Status> pass();

 private:
  struct Job {
    OutsideRoute route;
    bool remove = false;
  };
  struct Retry {
    Backoff backoff;
    SteadyTime not_before{};
    RouteTrouble trouble;
  };

  boost::asio::awaitable<Status> carry_out(std::deque<Job> jobs);
  boost::asio::awaitable<Status> work_off(std::deque<Job>* jobs);
  boost::asio::awaitable<Status> call(Job job);
  void settle(const Job& job, const Status& done);
  std::deque<Job> due_jobs(const RoutePlan& plan);
  void forget_old_retries(const RoutePlan& plan);
  Millis until_next() const;

  RouteSyncDeps deps_;
  Notifier news_;
  bool changed_ = false;
  bool loaded_ = false;
  std::vector<OwnRoute> own_;
  std::map<Cidr, Retry> retries_;
  std::vector<RouteTrouble> conflicts_;
  std::size_t routes_ = 0;
  std::string message_;
};

}  // namespace slipway
