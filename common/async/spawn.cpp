#include "common/async/spawn.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <vector>

#include "common/async/notifier.hpp"
#include "common/async/runtime_impl.hpp"
#include "common/log/log.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

// The one catch of a task.
asio::awaitable<Status> stop_exceptions(asio::awaitable<Status> task) {
  try {
    co_return co_await std::move(task);
  } catch (...) {
    co_return detail::error_from_exception(std::current_exception());
  }
}

bool is_failure(const Status& status) {
  return !status && status.error().code != Errc::canceled;
}

void log_failure(const std::string& name, const Status& status) {
  log::error("task failed", {{"task", name}, {"error", status.error()}});
}

asio::awaitable<void> run_detached(std::string name, asio::awaitable<Status> task) {
  asio::awaitable<Status> guarded = stop_exceptions(std::move(task));
  const Status status = co_await std::move(guarded);
  if (is_failure(status)) log_failure(name, status);
}

}  // namespace

struct TaskGroup::Impl {
  explicit Impl(asio::any_io_executor ex) : executor(std::move(ex)) {}

  void cancel_all() {
    std::vector<std::shared_ptr<asio::cancellation_signal>> signals;
    for (const auto& [id, signal] : running) signals.push_back(signal);
    for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
  }

  void finished(std::uint64_t id, const std::string& name, const Status& status) {
    running.erase(id);
    if (is_failure(status)) {
      log_failure(name, status);
      if (!failure) {
        failure = context(status.error(), name);
        cancel_all();
      }
    }
    if (running.empty()) idle.notify();
  }

  const asio::any_io_executor executor;
  std::uint64_t next_id = 0;
  // The signal outlives its task: asio keeps the cancellation handler in it.
  std::map<std::uint64_t, std::shared_ptr<asio::cancellation_signal>> running;
  std::optional<Error> failure;
  Notifier idle;

  static asio::awaitable<Status> wait(std::shared_ptr<Impl> self);
};

asio::awaitable<Status> TaskGroup::Impl::wait(std::shared_ptr<Impl> self) {
  while (!self->running.empty()) {
    asio::awaitable<bool> idle = self->idle.wait(std::chrono::hours(1));
    co_await std::move(idle);
  }
  if (self->failure) co_return *self->failure;
  co_return Status{};
}

TaskGroup::TaskGroup(asio::any_io_executor executor) : impl_(std::make_shared<Impl>(std::move(executor))) {}

TaskGroup::~TaskGroup() {
  cancel();
}

void TaskGroup::spawn(std::string name, asio::awaitable<Status> task) {
  const std::uint64_t id = impl_->next_id++;
  auto signal = std::make_shared<asio::cancellation_signal>();
  impl_->running.emplace(id, signal);
  auto on_end = [impl = impl_, id, signal, task_name = std::move(name)](
                    std::exception_ptr, const Status& status) { impl->finished(id, task_name, status); };
  asio::awaitable<Status> guarded = stop_exceptions(std::move(task));
  asio::co_spawn(impl_->executor, std::move(guarded),
                 asio::bind_cancellation_slot(signal->slot(), std::move(on_end)));
}

void TaskGroup::cancel() {
  impl_->cancel_all();
}

asio::awaitable<Status> TaskGroup::wait() {
  return Impl::wait(impl_);
}

void spawn_detached(asio::any_io_executor executor, std::string name, asio::awaitable<Status> task) {
  asio::co_spawn(executor, run_detached(std::move(name), std::move(task)), asio::detached);
}

}  // namespace slipway
