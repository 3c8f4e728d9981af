// The coroutine patterns of this code base, counted: GCC 12 is known to destroy captures twice in others.
#include <catch2/catch.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/async/runtime.hpp"
#include "common/async/timeout.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

using namespace slipway;
namespace asio = boost::asio;

namespace {

struct Counts {
  int made = 0;
  int ended = 0;
};

// Every object made, in whatever way, must end once; a second end of one object would show as ended > made
// (or in ASan).
class Counted {
 public:
  explicit Counted(Counts& counts) : counts_(&counts), text_("longer than the small string buffer holds") {
    ++counts_->made;
  }
  Counted(const Counted& other) : counts_(other.counts_), text_(other.text_) { ++counts_->made; }
  Counted(Counted&& other) noexcept : counts_(other.counts_), text_(std::move(other.text_)) {
    ++counts_->made;
  }
  Counted& operator=(const Counted&) = delete;
  Counted& operator=(Counted&&) = delete;
  ~Counted() { ++counts_->ended; }
  std::size_t size() const { return text_.size(); }

 private:
  Counts* counts_;
  std::string text_;
};

asio::awaitable<Result<std::size_t>> by_value(Counted value) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return value.size();
}

asio::awaitable<Result<std::size_t>> nested(Counted value, int depth) {
  if (depth == 0) {
    asio::awaitable<Result<std::size_t>> last = by_value(std::move(value));
    co_return co_await std::move(last);
  }
  asio::awaitable<Result<std::size_t>> next = nested(value, depth - 1);
  const Result<std::size_t> inner = co_await std::move(next);
  if (!inner) co_return inner.error();
  co_return *inner + value.size();
}

asio::awaitable<Result<std::size_t>> fails(Counted value) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  if (value.size() > 0) co_return make_error(Errc::conflict, "as planned");
  co_return value.size();
}

asio::awaitable<Result<std::size_t>> throws(Counted value) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  if (value.size() > 0) throw std::runtime_error("as planned");
  co_return value.size();
}

asio::awaitable<Result<Counted>> gives(Counts& counts) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return Counted(counts);
}

asio::awaitable<void> takes(Counts& counts) {
  asio::awaitable<Result<Counted>> giving = gives(counts);
  const Result<Counted> got = co_await std::move(giving);
  CHECK(got->size() > 0);
}

asio::awaitable<Result<int>> waits_for_ever(Counted value, Clock& clock) {
  asio::awaitable<Status> sleep = clock.sleep_for(std::chrono::hours(1));
  const Status slept = co_await std::move(sleep);
  if (!slept) co_return slept.error();
  co_return static_cast<int>(value.size());
}

}  // namespace

TEST_CASE("parameters by value end exactly once") {
  Counts counts;
  {
    test::IoTest io;
    CHECK(io.run(by_value(Counted(counts))).has_value());
    CHECK(io.run(nested(Counted(counts), 5)).has_value());
    CHECK(io.run(fails(Counted(counts))).error().code == Errc::conflict);
    CHECK_THROWS(io.run(throws(Counted(counts))));
    io.run(takes(counts));
  }
  CHECK(counts.made > 0);
  CHECK(counts.made == counts.ended);
}

TEST_CASE("a coroutine that never runs ends its parameters once") {
  Counts counts;
  { const asio::awaitable<Result<std::size_t>> unused = by_value(Counted(counts)); }
  CHECK(counts.made == counts.ended);
}

TEST_CASE("coroutines thrown away with their context end what they hold once") {
  Counts counts;
  test::ManualClock clock;
  {
    test::IoTest io;
    auto outcome = io.start(waits_for_ever(Counted(counts), clock));
    io.poll();
    CHECK(clock.sleeper_count() == 1);
    CHECK_FALSE(outcome->done);
  }
  CHECK(clock.sleeper_count() == 0);
  CHECK(counts.made == counts.ended);
}

TEST_CASE("the loser of a race ends what it holds once") {
  Counts counts;
  {
    test::IoTest io;
    test::ManualClock clock;
    auto outcome = io.start(with_timeout<int>(clock, Millis(5), waits_for_ever(Counted(counts), clock)));
    io.poll();
    clock.advance(Millis(5));
    io.poll();
    REQUIRE(outcome->done);
    CHECK(outcome->value->error().code == Errc::timeout);
  }
  CHECK(counts.made == counts.ended);
}

TEST_CASE("jobs on other threads end what they hold once") {
  Counts counts;
  {
    test::IoTest io;
    EventThread other("other");
    other.start();
    Workers workers(1);
    const Counted held(counts);
    std::function<Result<std::size_t>()> work = [held]() -> Result<std::size_t> { return held.size(); };
    CHECK(io.run(offload<std::size_t>(workers, std::move(work))).has_value());
    std::function<asio::awaitable<Result<std::size_t>>()> job = [held] { return by_value(held); };
    CHECK(io.run(run_on<std::size_t>(other.executor(), std::move(job))).has_value());
    workers.join();
    other.stop();
    other.join();
  }
  CHECK(counts.made == counts.ended);
}
