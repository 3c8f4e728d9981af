#include "common/async/runtime.hpp"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace slipway {

namespace asio = boost::asio;

namespace {

// The kernel keeps 15 characters; a longer name would be refused and the thread stay nameless.
void name_this_thread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

struct EventThread::Impl {
  explicit Impl(std::string thread_name) : name(std::move(thread_name)), work(context.get_executor()) {}
  std::string name;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::thread thread;
};

EventThread::EventThread(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {}

EventThread::~EventThread() {
  stop();
  join();
}

asio::any_io_executor EventThread::executor() const {
  return impl_->context.get_executor();
}

void EventThread::start() {
  impl_->thread = std::thread([impl = impl_.get()] {
    name_this_thread(impl->name);
    impl->context.run();
  });
}

void EventThread::run_here() {
  impl_->context.run();
}

void EventThread::stop() {
  impl_->context.stop();
}

void EventThread::join() {
  if (impl_->thread.joinable()) impl_->thread.join();
}

struct Workers::Impl {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  bool closed = false;
  std::vector<std::thread> threads;

  void work() {
    name_this_thread("worker");
    std::unique_lock lock(mutex);
    for (;;) {
      while (jobs.empty() && !closed) changed.wait(lock);
      if (jobs.empty()) return;
      std::function<void()> job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it holds ends outside the lock: that may wake others or post here
      lock.lock();
    }
  }
};

Workers::Workers(int threads) : impl_(std::make_unique<Impl>()) {
  for (int i = 0; i < threads; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
}

Workers::~Workers() {
  join();
}

void Workers::post(std::function<void()> job) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closed) return;
    impl_->jobs.push_back(std::move(job));
  }
  impl_->changed.notify_one();
}

void Workers::join() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
  }
  impl_->changed.notify_all();
  for (std::thread& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
}

namespace detail {

Error error_from_exception(std::exception_ptr failure) {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return make_error(Errc::canceled, "cancelled");
    return make_error(Errc::internal, std::string("unexpected exception: ") + error.what());
  } catch (const std::exception& error) {
    return make_error(Errc::internal, std::string("unexpected exception: ") + error.what());
  } catch (...) {
    return make_error(Errc::internal, "unexpected exception of unknown type");
  }
}

struct WakeUp::Impl {
  explicit Impl(asio::any_io_executor ex) : executor(std::move(ex)) {}
  const asio::any_io_executor executor;
  std::mutex mutex;  // guards waiter_gone against the end of the waiter's io_context
  bool waiter_gone = false;
  bool fired = false;                   // the executor's thread only
  asio::steady_timer* timer = nullptr;  // lives in the waiting frame; the executor's thread only
};

struct WakeUp::Waiter {
  explicit Waiter(WakeUp& wake)
      : impl(*wake.impl_), timer(impl.executor, asio::steady_timer::time_point::max()) {
    impl.timer = &timer;
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() { impl.timer = nullptr; }
  Impl& impl;
  asio::steady_timer timer;
};

WakeUp::WakeUp(asio::any_io_executor executor) : impl_(std::make_unique<Impl>(std::move(executor))) {}
WakeUp::~WakeUp() = default;

void WakeUp::fire(std::shared_ptr<WakeUp> wake) {
  Impl& impl = *wake->impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.waiter_gone) return;
  asio::post(impl.executor, [wake] {
    wake->impl_->fired = true;
    if (wake->impl_->timer != nullptr) wake->impl_->timer->cancel();
  });
}

void WakeUp::give_up() {
  const std::lock_guard lock(impl_->mutex);
  impl_->waiter_gone = true;
}

void start_on(asio::any_io_executor executor, asio::awaitable<void> task) {
  asio::co_spawn(std::move(executor), std::move(task), asio::detached);
}

asio::awaitable<bool> WakeUp::wait(std::shared_ptr<WakeUp> wake) {
  Waiter waiter(*wake);
  boost::system::error_code ec;
  if (!wake->impl_->fired) co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return wake->impl_->fired;
}

}  // namespace detail

}  // namespace slipway
