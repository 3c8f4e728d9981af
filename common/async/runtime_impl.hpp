#pragma once
// The templates of runtime.hpp. The result moves through a slot shared by the waiting coroutine and the job;
// either may go first. Only the executor of the waiting coroutine ever touches its frame.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/async/runtime.hpp"
#include "common/core/result.hpp"

namespace slipway::detail {

// What an exception that ended a job means: asio's operation_aborted is Errc::canceled, all else
// Errc::internal.
Error error_from_exception(std::exception_ptr failure);

// Wakes one coroutine from any thread, once.
class WakeUp {
 public:
  explicit WakeUp(boost::asio::any_io_executor executor);
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  // From any thread. Does nothing when the waiting coroutine is gone (its io_context may be gone with it).
  static void fire(std::shared_ptr<WakeUp> wake);
  // On the executor's thread. False: the wait was cancelled.
  static boost::asio::awaitable<bool> wait(std::shared_ptr<WakeUp> wake);

  // Stands in the waiting coroutine's frame: when the frame ends, however it does, nobody may reach its
  // executor any more.
  class Claim {
   public:
    explicit Claim(std::shared_ptr<WakeUp> wake) : wake_(std::move(wake)) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() { wake_->give_up(); }

   private:
    std::shared_ptr<WakeUp> wake_;
  };

 private:
  struct Impl;
  void give_up();
  struct Waiter;
  std::unique_ptr<Impl> impl_;
};

// Starts `task` on the executor; nobody waits for it. Must not throw.
void start_on(boost::asio::any_io_executor executor, boost::asio::awaitable<void> task);

template <class R>
struct Slot {
  std::optional<Result<R>> value;
  std::shared_ptr<WakeUp> wake;
};

// Held by the job: wakes the waiter when the job ends, or is thrown away unrun.
template <class R>
class Completion {
 public:
  explicit Completion(std::shared_ptr<Slot<R>> slot) : slot_(std::move(slot)) {}
  Completion(Completion&&) noexcept = default;
  Completion& operator=(Completion&&) = delete;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() {
    if (slot_) WakeUp::fire(slot_->wake);
  }
  void set(Result<R> value) { slot_->value.emplace(std::move(value)); }

 private:
  std::shared_ptr<Slot<R>> slot_;
};

template <class R>
struct WorkerJob {
  Completion<R> completion;
  std::function<Result<R>()> work;

  void run() {
    try {
      completion.set(work());
    } catch (...) {
      completion.set(error_from_exception(std::current_exception()));
    }
  }
};

template <class R>
boost::asio::awaitable<void> run_and_complete(Completion<R> completion,
                                              std::function<boost::asio::awaitable<Result<R>>()> job) {
  try {
    boost::asio::awaitable<Result<R>> work = job();
    Result<R> value = co_await std::move(work);
    completion.set(std::move(value));
  } catch (...) {
    completion.set(error_from_exception(std::current_exception()));
  }
}

template <class R>
boost::asio::awaitable<Result<R>> run_here(std::function<boost::asio::awaitable<Result<R>>()> job) {
  try {
    boost::asio::awaitable<Result<R>> work = job();
    co_return co_await std::move(work);
  } catch (...) {
    co_return error_from_exception(std::current_exception());
  }
}

template <class R>
boost::asio::awaitable<Result<R>> take(std::shared_ptr<Slot<R>> slot) {
  boost::asio::awaitable<bool> waiting = WakeUp::wait(slot->wake);
  const bool woken = co_await std::move(waiting);
  if (!woken) co_return make_error(Errc::canceled, "waiting for a job was cancelled");
  if (!slot->value) co_return make_error(Errc::canceled, "the job was dropped because its thread ended");
  co_return std::move(*slot->value);
}

// Apart from run_on(), whose frame is then small for the thousands that wait on their own thread.
template <class R>
boost::asio::awaitable<Result<R>> run_there(boost::asio::any_io_executor own, boost::asio::any_io_executor target,
                                            std::function<boost::asio::awaitable<Result<R>>()> job) {
  auto slot = std::make_shared<Slot<R>>();
  slot->wake = std::make_shared<WakeUp>(std::move(own));
  const WakeUp::Claim claim(slot->wake);
  boost::asio::awaitable<void> running = run_and_complete<R>(Completion<R>(slot), std::move(job));
  start_on(std::move(target), std::move(running));
  boost::asio::awaitable<Result<R>> taking = take<R>(std::move(slot));
  co_return co_await std::move(taking);
}

}  // namespace slipway::detail

namespace slipway {

template <class R>
boost::asio::awaitable<Result<R>> offload(Workers& workers, std::function<Result<R>()> job) {
  auto slot = std::make_shared<detail::Slot<R>>();
  slot->wake = std::make_shared<detail::WakeUp>(co_await boost::asio::this_coro::executor);
  const detail::WakeUp::Claim claim(slot->wake);
  std::shared_ptr<detail::WorkerJob<R>> shared(
      new detail::WorkerJob<R>{detail::Completion<R>(slot), std::move(job)});
  workers.post([shared] { shared->run(); });
  shared.reset();  // the worker's copy must be the last one: its end wakes us
  boost::asio::awaitable<Result<R>> taking = detail::take<R>(std::move(slot));
  co_return co_await std::move(taking);
}

template <class R>
boost::asio::awaitable<Result<R>> run_on(boost::asio::any_io_executor target,
                                         std::function<boost::asio::awaitable<Result<R>>()> job) {
  const boost::asio::any_io_executor own = co_await boost::asio::this_coro::executor;
  boost::asio::awaitable<Result<R>> running =
      own == target ? detail::run_here<R>(std::move(job)) : detail::run_there<R>(own, std::move(target), std::move(job));
  co_return co_await std::move(running);
}

}  // namespace slipway
