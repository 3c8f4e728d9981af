#pragma once
// Port: time. The core gets instants as arguments; only services and adapters hold a Clock.
#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

using SteadyTime = std::chrono::steady_clock::time_point;
using Millis = std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;      // may jump; for certificates and people
  virtual SteadyTime steady() const = 0;  // for intervals and deadlines
  // Resumes on the caller's executor at or after `when`; Errc::canceled when the coroutine is cancelled meanwhile.
  virtual boost::asio::awaitable<Status> sleep_until(SteadyTime when) = 0;

  boost::asio::awaitable<Status> sleep_for(Millis duration) { return sleep_until(steady() + duration); }
};

}  // namespace slipway
