#pragma once
// A limit on the time of any coroutine.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>
#include <variant>

#include "common/async/clock.hpp"
#include "common/async/runtime_impl.hpp"
#include "common/core/result.hpp"

namespace slipway {

namespace detail {

// Without this a job that throws would leave the race to the alarm.
template <class T>
boost::asio::awaitable<Result<T>> without_exceptions(boost::asio::awaitable<Result<T>> job) {
  try {
    co_return co_await std::move(job);
  } catch (...) {
    co_return error_from_exception(std::current_exception());
  }
}

boost::asio::awaitable<Status> sleep_on_timer(Millis duration);
Error timed_out(Millis limit);

template <class T>
boost::asio::awaitable<Result<T>> race(boost::asio::awaitable<Result<T>> job,
                                       boost::asio::awaitable<Status> alarm, Millis limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::awaitable<Result<T>> safe_job = without_exceptions<T>(std::move(job));
  boost::asio::awaitable<std::variant<Result<T>, Status>> both = std::move(safe_job) || std::move(alarm);
  std::variant<Result<T>, Status> first = co_await std::move(both);
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  const Status rung = std::get<1>(std::move(first));
  if (!rung) co_return rung.error();
  co_return timed_out(limit);
}

}  // namespace detail

// The job's result, or Errc::timeout after `limit`: the job is then cancelled (asio terminal) and its end
// awaited, so that nothing of it runs on. An exception in the job comes back as Errc::internal.
template <class T>
boost::asio::awaitable<Result<T>> with_timeout(Clock& clock, Millis limit,
                                               boost::asio::awaitable<Result<T>> job) {
  boost::asio::awaitable<Status> alarm = clock.sleep_for(limit);
  boost::asio::awaitable<Result<T>> racing = detail::race<T>(std::move(job), std::move(alarm), limit);
  co_return co_await std::move(racing);
}

// The same by a timer of the calling coroutine's executor: for sockets, where a manual clock would make no
// sense.
template <class T>
boost::asio::awaitable<Result<T>> with_timeout(Millis limit, boost::asio::awaitable<Result<T>> job) {
  boost::asio::awaitable<Status> alarm = detail::sleep_on_timer(limit);
  boost::asio::awaitable<Result<T>> racing = detail::race<T>(std::move(job), std::move(alarm), limit);
  co_return co_await std::move(racing);
}

}  // namespace slipway
