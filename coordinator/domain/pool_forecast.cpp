#include "coordinator/domain/pool_forecast.hpp"

#include <algorithm>

namespace slipway {

namespace {

constexpr Seconds k_day{86400};
constexpr double k_ten_years = 3650.0 * 86400;

// Blocks a second; absent when the samples span less than most of a day.
std::optional<double> slope(const std::vector<PoolSample>& samples) {
  if (samples.size() < 3 || samples.back().at - samples.front().at < k_day * 3 / 4) return std::nullopt;
  const auto count = static_cast<double>(samples.size());
  double mean_time = 0;
  double mean_used = 0;
  for (const PoolSample& sample : samples) {
    mean_time += static_cast<double>((sample.at - samples.front().at).count()) / count;
    mean_used += static_cast<double>(sample.used) / count;
  }
  double product = 0;
  double square = 0;
  for (const PoolSample& sample : samples) {
    const double time = static_cast<double>((sample.at - samples.front().at).count()) - mean_time;
    product += time * (static_cast<double>(sample.used) - mean_used);
    square += time * time;
  }
  return square == 0 ? std::nullopt : std::optional(product / square);
}

}  // namespace

std::string_view to_string(PoolLevel level) {
  switch (level) {
    case PoolLevel::ok: return "ok";
    case PoolLevel::warning: return "warning";
    case PoolLevel::critical: return "critical";
  }
  return "critical";
}

PoolLevel pool_level(double used) {
  if (used >= k_pool_critical) return PoolLevel::critical;
  return used >= k_pool_warning ? PoolLevel::warning : PoolLevel::ok;
}

bool add_sample(std::vector<PoolSample>& history, const PoolSample& sample) {
  if (!history.empty() && sample.at - history.back().at < k_sample_interval) return false;
  history.push_back(sample);
  if (history.size() > k_sample_limit) history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(k_sample_limit));
  return true;
}

std::optional<WallTime> exhaustion(const std::vector<PoolSample>& history, const PoolSample& now, std::uint64_t available) {
  if (available == 0) return now.at;
  std::vector<PoolSample> all = history;
  while (!all.empty() && all.back().at >= now.at) all.pop_back();
  all.push_back(now);
  std::vector<PoolSample> lately;
  std::copy_if(all.begin(), all.end(), std::back_inserter(lately), [&](const PoolSample& sample) { return now.at - sample.at <= k_day; });
  std::optional<double> fastest;
  for (const auto* samples : {&all, &lately}) {
    const auto rate = slope(*samples);
    if (rate && *rate > 0 && (!fastest || *rate > *fastest)) fastest = rate;
  }
  if (!fastest) return std::nullopt;
  const double seconds = static_cast<double>(available) / *fastest;
  if (seconds > k_ten_years) return std::nullopt;
  return now.at + Seconds(static_cast<Seconds::rep>(seconds));
}

}  // namespace slipway
