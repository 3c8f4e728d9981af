#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include "agent/service/drift_watch.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

struct WatchWorld {
  void spawn(boost::asio::awaitable<Status> task) {
    boost::asio::co_spawn(io.executor(), std::move(task), boost::asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr, Status) { ended = true; }));
    io.poll();
  }
  void after(Millis time) {
    clock.advance(time);
    io.poll();
  }
  ~WatchWorld() {
    stop.emit(boost::asio::cancellation_type::terminal);
    io.poll();
    CHECK(ended);
  }

  IoTest io;
  ManualClock clock;
  AgentState state;
  boost::asio::cancellation_signal stop;
  bool ended = false;
};

}  // namespace

TEST_CASE("a setting that changes without an event is noticed within five seconds", "[agent][drift]") {
  WatchWorld w;
  std::string now = "1";
  w.spawn(watch_quiet_state([&now] { return now; }, &w.clock, &w.state));
  w.after(Millis(4'000));
  CHECK_FALSE(w.state.reconcile.is_set());
  now = "0";
  w.after(Millis(2'000));
  CHECK(w.state.reconcile.take());
  // The repair is a change as well, and then there is quiet.
  now = "1";
  w.after(Millis(2'000));
  CHECK(w.state.reconcile.take());
  w.after(Millis(2'000));
  CHECK_FALSE(w.state.reconcile.is_set());
}
