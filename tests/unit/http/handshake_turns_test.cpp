#include "common/http/handshake_turns.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

namespace slipway::http {
namespace {

namespace asio = boost::asio;

struct Steps {
  asio::io_context io;
  HandshakeTurns turns{io.get_executor()};
  std::vector<std::string> done;
};

asio::awaitable<void> step(Steps* steps, std::string name, bool known, SteadyTime until) {
  asio::awaitable<bool> waiting = steps->turns.next(known, until);
  const bool mine = co_await std::move(waiting);
  steps->done.push_back(mine ? name : name + " late");
}

void start(Steps& steps, const std::string& name, bool known, SteadyTime until = SteadyTime::max()) {
  asio::co_spawn(steps.io, step(&steps, name, known, until), asio::detached);
}

TEST_CASE("handshakes take turns, and what else is ready goes in between") {
  Steps steps;
  for (const char* name : {"a", "b", "c"}) start(steps, name, false);
  // Ready with each turn, as sockets are: it comes again as long as somebody waits.
  std::function<void()> request = [&] {
    steps.done.push_back("request");
    if (steps.turns.waiting() > 0) asio::post(steps.io, request);
  };
  asio::post(steps.io, request);
  steps.io.run();
  std::vector<std::string> order;  // requests that follow each other taken for one
  for (const std::string& done : steps.done) {
    if (order.empty() || order.back() != done) order.push_back(done);
  }
  CHECK(order == std::vector<std::string>{"a", "request", "b", "request", "c"});
  CHECK(steps.turns.waiting() == 0);
}

TEST_CASE("three known ones go for one of the others, and nobody is forgotten") {
  Steps steps;
  start(steps, "first", false);
  for (const char* name : {"o1", "o2", "o3"}) start(steps, name, false);
  for (const char* name : {"k1", "k2", "k3", "k4", "k5"}) start(steps, name, true);
  steps.io.run();
  CHECK(steps.done == std::vector<std::string>{"first", "k1", "k2", "k3", "o1", "k4", "k5", "o2", "o3"});
}

TEST_CASE("a turn that does not come in time is none, and one that is thrown away leaves the queue") {
  Steps steps;
  start(steps, "first", false);
  start(steps, "second", false, std::chrono::steady_clock::now() - std::chrono::seconds(1));
  start(steps, "third", false);
  steps.io.run();
  CHECK(steps.done.size() == 3);
  CHECK(steps.done.front() == "first");
  CHECK(std::count(steps.done.begin(), steps.done.end(), "third") == 1);
  {
    Steps ended;
    start(ended, "first", false);
    start(ended, "second", true);
    ended.io.poll_one();
    ended.io.poll_one();
    CHECK(ended.done.size() == 1);
    CHECK(ended.turns.waiting() == 1);
  }
}

}  // namespace
}  // namespace slipway::http
