#pragma once
// Exponential back-off with jitter, so that a fleet does not come back in step.
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace slipway {

class Backoff {
 public:
  using Millis = std::chrono::milliseconds;
  Backoff(Millis first, Millis max, std::uint64_t seed) : first_(first), max_(max), state_(seed | 1) {}

  // The wait before the next try: uniform in [step/2, step], step doubling from `first` to `max`.
  Millis next() {
    const Millis step = std::min(max_, first_ * (std::int64_t{1} << std::min(tries_, 30)));
    tries_ = std::min(tries_ + 1, 30);
    const auto half = static_cast<std::uint64_t>(step.count() / 2);
    return Millis(static_cast<std::int64_t>(half + random() % (half + 1)));
  }
  // Uniform in [0, most]: full jitter, for a fleet that lost the same thing at the same moment.
  Millis within(Millis most) { return Millis(static_cast<std::int64_t>(random() % (static_cast<std::uint64_t>(std::max<std::int64_t>(most.count(), 0)) + 1))); }
  void reset() { tries_ = 0; }

 private:
  // xorshift64*: spreading retries needs no better randomness.
  std::uint64_t random() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL >> 16;
  }
  Millis first_;
  Millis max_;
  std::uint64_t state_;
  int tries_ = 0;
};

}  // namespace slipway
