#pragma once
// Time that moves only when the test says so. One thread.
#include <boost/asio/awaitable.hpp>
#include <chrono>
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

  boost::asio::awaitable<Status> sleep_until(SteadyTime when) override;

  // Moves both clocks and wakes whoever is due; they run when the io_context next runs (IoTest::poll()).
  void advance(Millis by);
  // The wall clock jumps, as by a hand or by NTP; sleepers do not notice.
  void set_wall(WallTime now) { wall_ = now; }

  std::size_t sleeper_count() const { return sleepers_.size(); }
  // Until the first sleeper is due.
  std::optional<Millis> next_wake() const;

 private:
  struct Sleeper;

  std::chrono::sys_time<Millis> wall_;
  SteadyTime steady_ = SteadyTime(std::chrono::hours(24 * 365));
  std::list<Sleeper*> sleepers_;
};

}  // namespace slipway::test
