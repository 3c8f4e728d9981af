#include "coordinator/clock_floor.hpp"

#include <algorithm>

#include "slipway_build_date.hpp"

namespace slipway {

WallTime clock_floor(const State& state) {
  return std::max(parse_rfc3339(k_build_date).value_or(WallTime{}), state.clock_floor());
}

Status check_clock(WallTime floor, WallTime now) {
  if (now >= floor) return {};
  return make_error(Errc::unavailable, "the clock says " + to_rfc3339(now) +
                                           ", but this program was built, or issued a certificate, at " +
                                           to_rfc3339(floor) + ": set the clock (timedatectl)");
}

}  // namespace slipway
