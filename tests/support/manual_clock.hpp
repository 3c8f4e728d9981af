#pragma once
// Time that moves only when the test says so. One thread.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <list>
#include <optional>

#include "common/async/clock.hpp"

namespace slipway::test {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(Seconds(1'790'000'000))) : wall_(start) {}

  WallTime wall() const override { return std::chrono::floor<Seconds>(wall_); }
  SteadyTime steady() const override { return steady_; }

  boost::asio::awaitable<Status> sleep_until(SteadyTime when) override {
    Sleeper sleeper(*this, co_await boost::asio::this_coro::executor, when);
    boost::system::error_code ec;
    if (when > steady_)
      co_await sleeper.timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    if (sleeper.when > steady_) co_return make_error(Errc::canceled, "sleep was cancelled");
    co_return Status{};
  }

  // Moves both clocks and wakes whoever is due; they run when the io_context next runs (IoTest::poll()).
  void advance(Millis by) {
    wall_ += by;
    steady_ += by;
    for (Sleeper* sleeper : sleepers_) {
      if (sleeper->when <= steady_) sleeper->timer.cancel();
    }
  }
  // The wall clock jumps, as by a hand or by NTP; sleepers do not notice.
  void set_wall(WallTime now) { wall_ = now; }

  std::size_t sleeper_count() const { return sleepers_.size(); }
  // Until the first sleeper is due.
  std::optional<Millis> next_wake() const {
    std::optional<Millis> first;
    for (const Sleeper* sleeper : sleepers_) {
      const Millis left = std::chrono::ceil<Millis>(sleeper->when - steady_);
      if (!first || left < *first) first = left;
    }
    return first;
  }

 private:
  struct Sleeper {
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

  std::chrono::sys_time<Millis> wall_;
  SteadyTime steady_ = SteadyTime(std::chrono::hours(24 * 365));
  std::list<Sleeper*> sleepers_;
};

}  // namespace slipway::test
