#pragma once
// RouteHook and RouteNotes in memory.
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/notifier.hpp"
#include "coordinator/ports/route_hook.hpp"

namespace slipway::test {

// A table with one route for each destination, as routers and clouds have it.
class FakeRouteHook final : public RouteHook {
 public:
  std::map<Cidr, IpAddress> table;
  std::map<Cidr, std::string> failing;    // destinations whose changes fail, with the reason
  std::optional<Error> list_fails;
  bool held = false;                      // changes wait for release()
  std::vector<std::string> calls;         // "create 10.10.1.0/24 10.77.0.11"
  std::size_t running = 0, most_running = 0;

  void release() {
    held = false;
    released_.notify();
  }

  boost::asio::awaitable<Result<std::vector<FoundRoute>>> list() override {
    if (list_fails) co_return *list_fails;
    std::vector<FoundRoute> found;
    for (const auto& [destination, hop] : table) found.push_back({destination, hop});
    co_return found;
  }
  boost::asio::awaitable<Status> create(OutsideRoute route) override {
    boost::asio::awaitable<Status> entering = enter("create", route);
    const Status may = co_await std::move(entering);
    if (may) table[route.destination] = route.next_hop;
    co_return may;
  }
  boost::asio::awaitable<Status> remove(OutsideRoute route) override {
    boost::asio::awaitable<Status> entering = enter("remove", route);
    const Status may = co_await std::move(entering);
    const auto there = table.find(route.destination);
    if (may && there != table.end() && there->second == route.next_hop) table.erase(there);
    co_return may;
  }

 private:
  boost::asio::awaitable<Status> enter(std::string what, OutsideRoute route) {
    calls.push_back(what + " " + route.destination.to_string() + " " + route.next_hop.to_string());
    most_running = std::max(most_running, ++running);
    while (held) {
      boost::asio::awaitable<bool> waiting = released_.wait(std::chrono::seconds(30));
      (void)co_await std::move(waiting);
    }
    --running;
    const auto failure = failing.find(route.destination);
    if (failure != failing.end()) co_return make_error(Errc::unavailable, failure->second);
    co_return Status{};
  }
  Notifier released_;
};

class MemoryRouteNotes final : public RouteNotes {
 public:
  std::vector<OwnRoute> kept;
  std::optional<Error> save_fails;
  std::size_t saves = 0;

  boost::asio::awaitable<Result<std::vector<OwnRoute>>> load() override { co_return kept; }
  boost::asio::awaitable<Status> save(std::vector<OwnRoute> routes) override {
    if (save_fails) co_return *save_fails;
    ++saves;
    kept = std::move(routes);
    co_return Status{};
  }
};

}  // namespace slipway::test
