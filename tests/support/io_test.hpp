#pragma once
// Runs coroutines in tests, with a watchdog on real time: a coroutine that hangs fails its test instead of
// the whole run.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace slipway::test {

class IoTest {
 public:
  using Limit = std::chrono::milliseconds;

  IoTest();
  ~IoTest();
  IoTest(const IoTest&) = delete;
  IoTest& operator=(const IoTest&) = delete;

  boost::asio::any_io_executor executor();

  struct Ending {
    bool done = false;
    std::exception_ptr failure;
  };
  template <class T>
  struct Outcome : Ending {
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  };

  // Runs the reactor until `work` ends; returns its value or rethrows its exception.
  template <class T>
  T run(boost::asio::awaitable<T> work, Limit limit = Limit(30'000)) {
    const std::shared_ptr<Outcome<T>> outcome = start(std::move(work));
    run_until(*outcome, limit);
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*outcome->value);
  }

  // Starts `work` without waiting; poll() or another run() lets it go on.
  template <class T>
  std::shared_ptr<Outcome<T>> start(boost::asio::awaitable<T> work) {
    auto outcome = std::make_shared<Outcome<T>>();
    if constexpr (std::is_void_v<T>) {
      start_ending(std::move(work), outcome);
    } else {
      boost::asio::awaitable<void> keeping = keep(std::move(work), outcome);
      start_ending(std::move(keeping), outcome);
    }
    return outcome;
  }

  // Runs all that is ready, without waiting for timers or sockets.
  void poll();
  // One handler of what is ready.
  void poll_one();

 private:
  // Templates stay this thin: what they pull in is compiled again for every test file.
  template <class T>
  static boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work, std::shared_ptr<Outcome<T>> outcome) {
    T value = co_await std::move(work);
    outcome->value.emplace(std::move(value));
  }
  void start_ending(boost::asio::awaitable<void> work, std::shared_ptr<Ending> ending);
  void run_until(const Ending& ending, Limit limit);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::test
