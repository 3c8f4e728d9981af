#include "common/async/runtime.hpp"

#include <catch2/catch.hpp>

#include <boost/asio/this_coro.hpp>
#include <future>
#include <thread>

#include "common/async/timeout.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

using namespace slipway;
namespace asio = boost::asio;

namespace {

asio::awaitable<Result<std::thread::id>> thread_here() {
  co_return std::this_thread::get_id();
}

asio::awaitable<Result<bool>> resumes_here(asio::any_io_executor target) {
  const std::thread::id before = std::this_thread::get_id();
  asio::awaitable<Result<std::thread::id>> job = run_on<std::thread::id>(target, thread_here);
  const Result<std::thread::id> there = co_await std::move(job);
  if (!there) co_return there.error();
  co_return before == std::this_thread::get_id() && *there != before;
}

asio::awaitable<Result<int>> throws_there() {
  throw std::runtime_error("broken");
  co_return 1;
}

asio::awaitable<Status> sleeps(Clock& clock, Millis time) {
  asio::awaitable<Status> sleep = clock.sleep_for(time);
  co_return co_await std::move(sleep);
}

asio::awaitable<Result<std::string>> answers() {
  co_return std::string("done");
}

}  // namespace

TEST_CASE("offload brings the worker's value back") {
  test::IoTest io;
  Workers workers(2);
  const Result<int> value = io.run(offload<int>(workers, [] { return Result<int>(42); }));
  CHECK(value.value() == 42);
  const Result<int> error =
      io.run(offload<int>(workers, [] { return Result<int>(make_error(Errc::corrupt, "bad")); }));
  CHECK(error.error().code == Errc::corrupt);
  const Status nothing = io.run(offload<void>(workers, [] { return Status{}; }));
  CHECK(nothing.has_value());
}

TEST_CASE("offload turns an exception into an internal error") {
  test::IoTest io;
  Workers workers(1);
  const Result<int> value =
      io.run(offload<int>(workers, []() -> Result<int> { throw std::runtime_error("broken"); }));
  CHECK(value.error().code == Errc::internal);
  CHECK(value.error().message.find("broken") != std::string::npos);
}

TEST_CASE("offload to workers that have ended is cancelled, not lost") {
  test::IoTest io;
  Workers workers(1);
  workers.join();
  const Result<int> value = io.run(offload<int>(workers, [] { return Result<int>(1); }));
  CHECK(value.error().code == Errc::canceled);
}

TEST_CASE("a worker may finish after the waiter's context is gone") {
  Workers workers(1);
  std::promise<void> release;
  {
    test::IoTest io;
    auto outcome = io.start(offload<int>(workers, [&release]() -> Result<int> {
      release.get_future().wait();
      return 1;
    }));
    io.poll();
    CHECK_FALSE(outcome->done);
  }
  release.set_value();
  workers.join();
}

TEST_CASE("run_on runs there and resumes here") {
  test::IoTest io;
  EventThread other("other");
  other.start();
  CHECK(io.run(resumes_here(other.executor())).value());
  const Result<int> broken = io.run(run_on<int>(other.executor(), throws_there));
  CHECK(broken.error().code == Errc::internal);
}

template <class T>
int steps_of(test::IoTest& io, boost::asio::awaitable<T> work) {
  const auto outcome = io.start(std::move(work));
  int steps = 0;
  for (; !outcome->done && steps < 100; ++steps) io.poll_one();
  return steps;
}

TEST_CASE("run_on runs at once where it already is") {
  test::IoTest io;
  CHECK(io.run(run_on<std::thread::id>(io.executor(), thread_here)).value() == std::this_thread::get_id());
  CHECK(io.run(run_on<int>(io.executor(), throws_there)).error().code == Errc::internal);
  // A hop to another executor would be further steps of this one.
  CHECK(steps_of(io, run_on<std::thread::id>(io.executor(), thread_here)) == steps_of(io, thread_here()));
}

TEST_CASE("run_on is cancelled when the target's context ends") {
  test::IoTest io;
  auto other = std::make_unique<EventThread>("other");  // never started
  auto outcome = io.start(run_on<std::thread::id>(other->executor(), thread_here));
  io.poll();
  CHECK_FALSE(outcome->done);
  other.reset();
  io.poll();
  REQUIRE(outcome->done);
  CHECK(outcome->value->error().code == Errc::canceled);
}

TEST_CASE("with_timeout gives the result, the error or a timeout") {
  test::IoTest io;
  test::ManualClock clock;
  CHECK(io.run(with_timeout<std::string>(clock, Millis(10), answers())).value() == "done");
  CHECK(io.run(with_timeout<int>(clock, Millis(10), throws_there())).error().code == Errc::internal);
  auto slow = io.start(with_timeout<void>(clock, Millis(1500), sleeps(clock, Millis(9000))));
  io.poll();
  CHECK(clock.next_wake() == Millis(1500));
  clock.advance(Millis(1499));
  io.poll();
  CHECK_FALSE(slow->done);
  clock.advance(Millis(1));
  io.poll();
  REQUIRE(slow->done);
  CHECK(slow->value->error().code == Errc::timeout);
  CHECK(slow->value->error().message == "not finished within 1500 ms");
  CHECK(clock.sleeper_count() == 0);
}
