#include "common/async/spawn.hpp"

#include <catch2/catch.hpp>

#include "common/async/backoff.hpp"
#include "common/async/notifier.hpp"
#include "common/async/system_clock.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

using namespace slipway;
namespace asio = boost::asio;

namespace {

asio::awaitable<Status> sleep_then(Clock& clock, Millis time, Status result, int& ended) {
  asio::awaitable<Status> sleep = clock.sleep_for(time);
  const Status slept = co_await std::move(sleep);
  ++ended;
  if (!slept) co_return slept;
  co_return result;
}

asio::awaitable<Status> loops(Clock& clock) {
  for (;;) {
    asio::awaitable<Status> sleep = clock.sleep_for(Millis(10));
    (void)co_await std::move(sleep);
  }
}

asio::awaitable<Status> throws() {
  throw std::logic_error("a bug");
  co_return Status{};
}

asio::awaitable<Status> count_when_notified(Notifier& notifier, int& woken, int& timed_out) {
  asio::awaitable<bool> wait = notifier.wait(Millis(60'000));
  const bool was_notified = co_await std::move(wait);
  ++(was_notified ? woken : timed_out);
  co_return Status{};
}

asio::awaitable<bool> wait_on(Notifier& notifier, Millis max) {
  asio::awaitable<bool> wait = notifier.wait(max);
  co_return co_await std::move(wait);
}

}  // namespace

TEST_CASE("a group waits for all its tasks") {
  test::IoTest io;
  test::ManualClock clock;
  TaskGroup group(io.executor());
  int ended = 0;
  group.spawn("one", sleep_then(clock, Millis(5), {}, ended));
  group.spawn("two", sleep_then(clock, Millis(9), {}, ended));
  auto waiting = io.start(group.wait());
  io.poll();
  clock.advance(Millis(5));
  io.poll();
  CHECK(ended == 1);
  CHECK_FALSE(waiting->done);
  clock.advance(Millis(4));
  io.poll();
  REQUIRE(waiting->done);
  CHECK(waiting->value->has_value());
}

TEST_CASE("the first failure cancels the other tasks and is remembered") {
  test::IoTest io;
  test::ManualClock clock;
  TaskGroup group(io.executor());
  int ended = 0;
  group.spawn("long", sleep_then(clock, Millis(1000), {}, ended));
  group.spawn("loop", loops(clock));
  group.spawn("bad", sleep_then(clock, Millis(5), make_error(Errc::corrupt, "broken"), ended));
  auto waiting = io.start(group.wait());
  io.poll();
  clock.advance(Millis(5));
  io.poll();
  REQUIRE(waiting->done);
  CHECK(ended == 2);
  CHECK(waiting->value->error().code == Errc::corrupt);
  CHECK(waiting->value->error().message == "bad: broken");
  CHECK(clock.sleeper_count() == 0);
}

TEST_CASE("an exception in a task is a failure of the group") {
  test::IoTest io;
  TaskGroup group(io.executor());
  group.spawn("bug", throws());
  CHECK(io.run(group.wait()).error().code == Errc::internal);
}

TEST_CASE("cancellation is no failure") {
  test::IoTest io;
  test::ManualClock clock;
  TaskGroup group(io.executor());
  int ended = 0;
  group.spawn("long", sleep_then(clock, Millis(1000), {}, ended));
  group.spawn("loop", loops(clock));
  io.poll();
  group.cancel();
  CHECK(io.run(group.wait()).has_value());
  CHECK(ended == 1);
}

TEST_CASE("the end of a group cancels its tasks") {
  test::IoTest io;
  test::ManualClock clock;
  int ended = 0;
  {
    TaskGroup group(io.executor());
    group.spawn("long", sleep_then(clock, Millis(1000), {}, ended));
    io.poll();
  }
  io.poll();
  CHECK(ended == 1);
}

TEST_CASE("a notifier wakes all who wait and nobody later") {
  test::IoTest io;
  Notifier notifier;
  int woken = 0;
  int timed_out = 0;
  for (int i = 0; i < 2000; ++i)
    spawn_detached(io.executor(), "waiter", count_when_notified(notifier, woken, timed_out));
  io.poll();
  CHECK(notifier.waiter_count() == 2000);
  notifier.notify();
  io.poll();
  CHECK(woken == 2000);
  CHECK(timed_out == 0);
  CHECK(notifier.waiter_count() == 0);
  CHECK_FALSE(io.run(wait_on(notifier, Millis(0))));
}

TEST_CASE("the system clock sleeps until a time that is past") {
  test::IoTest io;
  SystemClock clock;
  CHECK(io.run(clock.sleep_until(clock.steady())).has_value());
  CHECK(clock.wall() > WallTime(Seconds(1'700'000'000)));
}

TEST_CASE("back-off doubles, is capped and jittered, and starts again") {
  Backoff backoff(Millis(100), Millis(1000), 7);
  for (const int step : {100, 200, 400, 800, 1000, 1000}) {
    const Millis wait = backoff.next();
    CHECK(wait >= Millis(step / 2));
    CHECK(wait <= Millis(step));
  }
  backoff.reset();
  CHECK(backoff.next() <= Millis(100));
}
