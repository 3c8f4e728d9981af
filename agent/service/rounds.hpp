#pragma once
// When work that comes round again is due. What a quiet agent does from time to time it does at common moments: to wake once for four things costs a fraction of
// waking four times. Pure.
#include "common/async/clock.hpp"

namespace slipway {

// Until the multiple of `period` of the steady clock that comes next but not before half a period has gone. Periods that divide one another
// meet at the longer one.
inline Millis until_round(SteadyTime now, Millis period) {
  const auto since = now.time_since_epoch();
  const auto round = (since + period / 2) / period + 1;
  return std::chrono::ceil<Millis>(round * period - since);
}

}  // namespace slipway
