#include "common/async/system_clock.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/async/timeout.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

asio::awaitable<Status> sleep_on(asio::steady_timer timer) {
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return make_error(Errc::canceled, "sleep was cancelled");
  co_return Status{};
}

}  // namespace

WallTime SystemClock::wall() const {
  return std::chrono::floor<Seconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

asio::awaitable<Status> SystemClock::sleep_until(SteadyTime when) {
  asio::steady_timer timer(co_await asio::this_coro::executor, when);
  asio::awaitable<Status> sleep = sleep_on(std::move(timer));
  co_return co_await std::move(sleep);
}

namespace detail {

asio::awaitable<Status> sleep_on_timer(Millis duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  asio::awaitable<Status> sleep = sleep_on(std::move(timer));
  co_return co_await std::move(sleep);
}

Error timed_out(Millis limit) {
  const bool whole_seconds = limit.count() % 1000 == 0;
  const std::string text =
      whole_seconds ? std::to_string(limit.count() / 1000) + " s" : std::to_string(limit.count()) + " ms";
  return make_error(Errc::timeout, "not finished within " + text);
}

}  // namespace detail

}  // namespace slipway
