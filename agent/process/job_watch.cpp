#include "agent/process/job_watch.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipway {

namespace asio = boost::asio;

namespace {
constexpr std::size_t k_remembered = 256;
}

// Lives in the waiting coroutine's frame.
struct JobWatch::Waiter {
  Waiter(const asio::any_io_executor& executor, Millis limit) : timer(executor, limit) {}
  asio::steady_timer timer;
  std::optional<Result<std::string>> result;

  void finish(Result<std::string> value) {
    result.emplace(std::move(value));
    timer.cancel();
  }
};

JobWatch::JobWatch() : waiters_(std::make_shared<Waiters>()) {}
JobWatch::~JobWatch() = default;

void JobWatch::ended(const std::string& job, const std::string& result) {
  const auto [first, last] = waiters_->equal_range(job);
  for (auto it = first; it != last; ++it) it->second->finish(result);
  // Remembered even so: a merged request's answer may still be on its way to a second waiter.
  recent_.emplace_back(job, result);
  if (recent_.size() > k_remembered) recent_.pop_front();
}

void JobWatch::lost() {
  recent_.clear();
  for (const auto& [job, waiter] : *waiters_)
    waiter->finish(
        make_error(Errc::unavailable, "the connection to systemd was lost while a job was running"));
}

asio::awaitable<Result<std::string>> JobWatch::wait(std::string job, Millis limit) {
  const auto past =
      std::find_if(recent_.begin(), recent_.end(), [&job](const auto& entry) { return entry.first == job; });
  if (past != recent_.end()) co_return past->second;
  const auto executor = co_await asio::this_coro::executor;
  Waiter waiter(executor, limit);
  struct Registration {
    std::shared_ptr<Waiters> waiters;
    Waiters::iterator place;
    ~Registration() { waiters->erase(place); }
  };
  const Registration registration{waiters_, waiters_->emplace(std::move(job), &waiter)};
  const auto waited = co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter.result) co_return std::move(*waiter.result);
  if (std::get<0>(waited)) co_return make_error(Errc::canceled, "waiting for a systemd job: canceled");
  co_return make_error(Errc::timeout, "the job has not ended after " + std::to_string(limit.count() / 1000) +
                                          " s; see systemctl list-jobs");
}

}  // namespace slipway
