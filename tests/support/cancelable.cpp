#include "tests/support/cancelable.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace slipway::test {

void poll_until(IoTest& io, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("not in time");
    io.poll();
    std::this_thread::yield();
  }
}

void CancelableTask::start(boost::asio::awaitable<void> work) {
  const std::shared_ptr<State> state = state_;
  boost::asio::co_spawn(io_.executor(), std::move(work),
                        boost::asio::bind_cancellation_slot(state->signal.slot(), [state](std::exception_ptr failure) {
                          state->failure = failure;
                          state->ended = true;
                        }));
}

void CancelableTask::wait_for_end() {
  poll_until(io_, [this] { return state_->ended; });
  if (state_->failure) std::rethrow_exception(state_->failure);
}

void CancelableTask::emit() { state_->signal.emit(boost::asio::cancellation_type::terminal); }

}  // namespace slipway::test
