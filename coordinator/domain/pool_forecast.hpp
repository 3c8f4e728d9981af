#pragma once
// How full a pool is and when it will be, from a few samples of its use. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/core/time.hpp"

namespace slipway {

inline constexpr double k_pool_warning = 0.80;
inline constexpr double k_pool_critical = 0.95;
enum class PoolLevel { ok, warning, critical };
std::string_view to_string(PoolLevel level);  // "ok", "warning", "critical"
PoolLevel pool_level(double used);

// Blocks of a pool that could not be given out at a time.
struct PoolSample {
  WallTime at{};
  std::uint64_t used = 0;
  bool operator==(const PoolSample&) const = default;
};

inline constexpr Seconds k_sample_interval{4 * 3600};
inline constexpr std::size_t k_sample_limit = 43;  // a week

// Oldest first; at most one a k_sample_interval and k_sample_limit in all. False when it is not time for another one, or when the
// clock went back.
bool add_sample(std::vector<PoolSample>& history, const PoolSample& sample);

// When `available` blocks are used up if use goes on as it did: a straight line through the samples and the present (least
// squares), over the last day and over all, the sooner of the two. Absent: use does not grow, less than a day is known, or it is more
// than ten years.
std::optional<WallTime> exhaustion(const std::vector<PoolSample>& history, const PoolSample& now, std::uint64_t available);

}  // namespace slipway
