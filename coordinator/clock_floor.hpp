#pragma once
// What the coordinator's clock cannot rightly be behind of (T12): a clock before it is wrong, and what we
// signed by it would be, too.
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

// The latest NotBefore that was recorded, be its certificate forgotten or not, or the day of the build.
WallTime clock_floor(const State& state);

// Errc::unavailable with both times and the cure.
Status check_clock(WallTime floor, WallTime now);

}  // namespace slipway
