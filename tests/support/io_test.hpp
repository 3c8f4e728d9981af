#pragma once
// Runs coroutines in tests, with a watchdog on real time: a coroutine that hangs fails its test instead of
// the whole run.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace slipway::test {

class IoTest {
 public:
  using Limit = std::chrono::milliseconds;

  boost::asio::any_io_executor executor() { return context_.get_executor(); }

  // Runs the reactor until `work` ends; returns its value or rethrows its exception.
  // T must be default constructible or void (Result<T> of such a T is).
  template <class T>
  T run(boost::asio::awaitable<T> work, Limit limit = Limit(30'000)) {
    auto outcome = start(std::move(work));
    const auto deadline = std::chrono::steady_clock::now() + limit;
    context_.restart();
    while (!outcome->done) {
      if (context_.run_one_until(deadline) == 0) {
        throw std::runtime_error("the coroutine under test did not end in time");
      }
    }
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*outcome->value);
  }

  template <class T>
  struct Outcome {
    bool done = false;
    std::exception_ptr failure;
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  };

  // Starts `work` without waiting; poll() or another run() lets it go on.
  template <class T>
  std::shared_ptr<Outcome<T>> start(boost::asio::awaitable<T> work) {
    auto outcome = std::make_shared<Outcome<T>>();
    if constexpr (std::is_void_v<T>) {
      boost::asio::co_spawn(context_, std::move(work), [outcome](std::exception_ptr failure) {
        outcome->done = true;
        outcome->failure = failure;
      });
    } else {
      boost::asio::co_spawn(context_, std::move(work), [outcome](std::exception_ptr failure, T value) {
        outcome->done = true;
        outcome->failure = failure;
        outcome->value.emplace(std::move(value));
      });
    }
    return outcome;
  }

  // Runs all that is ready, without waiting for timers or sockets.
  void poll() {
    context_.restart();
    context_.poll();
  }

 private:
  boost::asio::io_context context_{1};
};

}  // namespace slipway::test
