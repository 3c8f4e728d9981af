#pragma once
// Adapter: the operating system's clocks, asleep on a timer of the calling coroutine's executor. Thread safe,
// no state.
#include "common/async/clock.hpp"

namespace slipway {

class SystemClock final : public Clock {
 public:
  WallTime wall() const override;
  SteadyTime steady() const override;
  boost::asio::awaitable<Status> sleep_until(SteadyTime when) override;
};

}  // namespace slipway
