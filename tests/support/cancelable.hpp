#pragma once
// A coroutine that a test starts, looks at, and cancels or sees to its end.
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/core/result.hpp"
#include "tests/support/io_test.hpp"

namespace slipway::test {

// Runs the reactor until `done`; real servers on other threads have twenty seconds for their part.
void poll_until(IoTest& io, const std::function<bool()>& done);

// The part that does not depend on the result's type.
class CancelableTask {
 public:
  explicit CancelableTask(IoTest& io) : io_(io) {}

 protected:
  struct State {
    boost::asio::cancellation_signal signal;
    bool ended = false;
    std::exception_ptr failure;
  };
  // The state outlives the coroutine, however the test ends.
  void start(boost::asio::awaitable<void> work);
  void wait_for_end();
  void emit();

  IoTest& io_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

template <class T>
class Cancelable : private CancelableTask {
 public:
  Cancelable(IoTest& io, boost::asio::awaitable<Result<T>> work) : CancelableTask(io) {
    boost::asio::awaitable<void> keeping = keep(std::move(work), result_);
    start(std::move(keeping));
  }

  bool ended() const { return state_->ended; }
  Result<T> wait() {
    wait_for_end();
    return std::move(**result_);
  }
  Result<T> cancel() {
    emit();
    return wait();
  }

 private:
  using Kept = std::shared_ptr<std::optional<Result<T>>>;
  static boost::asio::awaitable<void> keep(boost::asio::awaitable<Result<T>> work, Kept kept) {
    Result<T> result = co_await std::move(work);
    kept->emplace(std::move(result));
  }

  Kept result_ = std::make_shared<std::optional<Result<T>>>();
};

}  // namespace slipway::test
