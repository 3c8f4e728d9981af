#include "tests/support/manual_clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipway::test {

struct ManualClock::Sleeper {
  Sleeper(ManualClock& owner, const boost::asio::any_io_executor& executor, SteadyTime due)
      : clock(owner),
        timer(executor, SteadyTime::max()),
        when(due),
        place(owner.sleepers_.insert(owner.sleepers_.end(), this)) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() { clock.sleepers_.erase(place); }
  ManualClock& clock;
  boost::asio::steady_timer timer;
  SteadyTime when;
  std::list<Sleeper*>::iterator place;
};

boost::asio::awaitable<Status> ManualClock::sleep_until(SteadyTime when) {
  Sleeper sleeper(*this, co_await boost::asio::this_coro::executor, when);
  boost::system::error_code ec;
  if (when > steady_)
    co_await sleeper.timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
  if (sleeper.when > steady_) co_return make_error(Errc::canceled, "sleep was cancelled");
  co_return Status{};
}

void ManualClock::advance(Millis by) {
  wall_ += by;
  steady_ += by;
  for (Sleeper* sleeper : sleepers_) {
    if (sleeper->when <= steady_) sleeper->timer.cancel();
  }
}

std::optional<Millis> ManualClock::next_wake() const {
  std::optional<Millis> first;
  for (const Sleeper* sleeper : sleepers_) {
    const Millis left = std::chrono::ceil<Millis>(sleeper->when - steady_);
    if (!first || left < *first) first = left;
  }
  return first;
}

}  // namespace slipway::test
