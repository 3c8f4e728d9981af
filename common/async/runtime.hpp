#pragma once
// The threads of a daemon. One io_context a thread and one thread an io_context, always (notes in docs/architecture.md):
// coroutines never migrate, only values do.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

// An io_context with its one thread. The thread starts with start() and ends with stop().
class EventThread {
 public:
  explicit EventThread(std::string name);
  ~EventThread();
  EventThread(const EventThread&) = delete;
  EventThread& operator=(const EventThread&) = delete;

  boost::asio::any_io_executor executor() const;
  void start();          // runs the reactor on a new thread
  void run_here();       // runs the reactor on the calling thread until stop()
  void stop();           // from any thread; pending coroutines are destroyed with the context
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Threads for work that blocks: fsync, key generation, signing, hashing, unpacking.
class Workers {
 public:
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void post(std::function<void()> job);
  void join();  // waits for what is queued; later posts are refused silently

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs `job` on a worker and resumes with its value on the caller's executor. Value in, value out: the job must not touch
// what the event threads own. An exception in the job (a bug, bad_alloc) comes back as Errc::internal.
template <class R>
boost::asio::awaitable<Result<R>> offload(Workers& workers, std::function<Result<R>()> job);

// Runs the coroutine made by `job` on `target` and resumes with its value on the caller's executor. When that is `target` already, it
// runs at once.
template <class R>
boost::asio::awaitable<Result<R>> run_on(boost::asio::any_io_executor target, std::function<boost::asio::awaitable<Result<R>>()> job);

}  // namespace slipway

#include "common/async/runtime_impl.hpp"
