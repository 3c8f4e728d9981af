#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include "agent/service/drift_watch.hpp"
#include "agent/service/rounds.hpp"
#include "tests/support/fake_firewall.hpp"
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
  w.after(Millis(2'600));  // its timer came late
  CHECK_FALSE(w.state.reconcile.is_set());
  now = "0";
  w.after(Millis(2'400));
  CHECK(w.state.reconcile.take());
  // The repair is a change as well, and then there is quiet.
  now = "1";
  w.after(Millis(2'500));
  CHECK(w.state.reconcile.take());
  w.after(Millis(2'500));
  CHECK_FALSE(w.state.reconcile.is_set());
}

TEST_CASE("what firewalld tells asks for one pass", "[agent][drift]") {
  WatchWorld w;
  FakeFirewall firewall;
  w.spawn(watch_firewall(&firewall, &w.clock, &w.state));
  w.after(Millis(60'000));
  CHECK_FALSE(w.state.reconcile.is_set());
  firewall.tell();
  w.io.poll();
  firewall.tell();
  w.after(Millis(499));
  CHECK_FALSE(w.state.reconcile.is_set());
  w.after(Millis(1));
  CHECK(w.state.reconcile.take());
  // The second came while the first was waited for: looked at once more, and then there is quiet.
  w.after(Millis(500));
  CHECK(w.state.reconcile.take());
  w.after(Millis(60'000));
  CHECK_FALSE(w.state.reconcile.is_set());
}

TEST_CASE("rounds meet, whenever their work began, and none follows another at once", "[agent][rounds]") {
  const auto at = [](std::int64_t millis) { return SteadyTime(Millis(millis)); };
  for (const std::int64_t start : {1'000'000, 1'000'001, 1'001'234, 1'004'999, 1'005'000, 1'009'999}) {
    INFO(start);
    for (const std::int64_t period : {2'500, 10'000, 60'000}) {
      const std::int64_t wait = until_round(at(start), Millis(period)).count();
      CHECK((start + wait) % period == 0);
      CHECK(wait >= period / 2);
      CHECK(wait <= period + period / 2);
    }
  }
  CHECK(until_round(at(10'000), Millis(2'500)) == Millis(2'500));
  CHECK(until_round(at(10'003), Millis(2'500)) == Millis(2'497));
  // Clocks count in nanoseconds: rounded up, for a timer that comes early comes twice.
  CHECK(until_round(SteadyTime(std::chrono::nanoseconds(10'000'000'001)), Millis(2'500)) == Millis(2'500));
}
