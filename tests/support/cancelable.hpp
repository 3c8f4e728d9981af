#pragma once
// A coroutine that a test starts, looks at, and cancels or sees to its end.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "common/core/result.hpp"
#include "tests/support/io_test.hpp"

namespace slipway::test {

// Runs the reactor until `done`; real servers on other threads have twenty seconds for their part.
inline void poll_until(IoTest& io, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("not in time");
    io.poll();
    std::this_thread::yield();
  }
}

template <class T>
class Cancelable {
 public:
  Cancelable(IoTest& io, boost::asio::awaitable<Result<T>> work) : io_(io) {
    // The state outlives the coroutine, however the test ends.
    const std::shared_ptr<State> state = state_;
    boost::asio::co_spawn(io.executor(), std::move(work),
                          boost::asio::bind_cancellation_slot(
                              state->signal.slot(), [state](std::exception_ptr failure, Result<T> result) {
                                state->failure = failure;
                                state->result.emplace(std::move(result));
                              }));
  }

  bool ended() const { return state_->result.has_value(); }
  Result<T> wait() {
    poll_until(io_, [this] { return ended(); });
    if (state_->failure) std::rethrow_exception(state_->failure);
    return std::move(*state_->result);
  }
  Result<T> cancel() {
    state_->signal.emit(boost::asio::cancellation_type::terminal);
    return wait();
  }

 private:
  struct State {
    boost::asio::cancellation_signal signal;
    std::exception_ptr failure;
    std::optional<Result<T>> result;
  };
  IoTest& io_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace slipway::test
