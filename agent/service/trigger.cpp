#include "agent/service/trigger.hpp"

#include <chrono>

namespace asio = boost::asio;

namespace slipway {

namespace {
constexpr std::chrono::minutes k_reminder{10};
}  // namespace

asio::awaitable<bool> Trigger::wait(Millis max) {
  if (!set_) {
    asio::awaitable<bool> waiting = notifier_.wait(max);
    co_await std::move(waiting);
  }
  co_return take();
}

bool RepeatedError::worth_logging(const std::string& message, SteadyTime now) {
  if (message == last_ && now - logged_ < k_reminder) return false;
  last_ = message;
  logged_ = now;
  return true;
}

bool RepeatedError::clear() {
  const bool was = !last_.empty();
  last_.clear();
  return was;
}

}  // namespace slipway
