#include "coordinator/service/join_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace slipway {

namespace {

double seconds_between(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

JoinLimiter::JoinLimiter(const Clock& clock, JoinLimits limits, const NatSources* nat_sources)
    : clock_(clock), limits_(limits), nat_sources_(nat_sources) {}

JoinLimiter::Allowance JoinLimiter::allowance_of(const IpAddress& peer) const {
  const Allowance one{limits_.address_burst, limits_.address_per_second};
  if (nat_sources_ == nullptr || !nat_sources_->contains(peer)) return one;
  return {std::max(one.burst, limits_.total_burst / 2), std::max(one.per_second, limits_.total_per_second / 2)};
}

void JoinLimiter::leak(Bucket& bucket, double per_second, SteadyTime now) {
  bucket.level = std::max(0.0, bucket.level - seconds_between(bucket.at, now) * per_second);
  bucket.at = now;
}

IpAddress JoinLimiter::key_of(const IpAddress& peer) const {
  if (peer.is_v4()) return peer;
  // One customer has a whole /64 to change addresses in.
  std::string bytes = peer.bytes();
  std::fill(bytes.begin() + 8, bytes.end(), '\0');
  return *IpAddress::from_bytes(bytes);
}

JoinLimiter::Decision JoinLimiter::ask(const IpAddress& peer) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  leak(total_, limits_.total_per_second, now);
  if (const auto found = addresses_.find(key_of(peer)); found != addresses_.end()) {
    const Allowance allowance = allowance_of(peer);
    leak(found->second, allowance.per_second, now);
    if (found->second.level + 1 > allowance.burst) return Decision::show_token_first;
  }
  return total_.level + 1 > limits_.total_burst ? Decision::show_token_first : Decision::go;
}

bool JoinLimiter::take_spare() {
  const std::lock_guard lock(mutex_);
  leak(spare_, limits_.spare_per_second, clock_.steady());
  if (spare_.level + 1 > limits_.spare_burst) return false;
  spare_.level += 1;
  return true;
}

void JoinLimiter::failed(const IpAddress& peer) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  leak(total_, limits_.total_per_second, now);
  total_.level = std::min(total_.level + 1, limits_.total_burst);
  const IpAddress key = key_of(peer);
  if (!addresses_.contains(key)) make_room(now);
  Bucket& bucket = addresses_.try_emplace(key, Bucket{0, now}).first->second;
  const Allowance allowance = allowance_of(peer);
  leak(bucket, allowance.per_second, now);
  bucket.level = std::min(bucket.level + 1, allowance.burst);
}

void JoinLimiter::make_room(SteadyTime now) {
  if (addresses_.size() < limits_.max_addresses) return;
  for (auto entry = addresses_.begin(); entry != addresses_.end();) {
    leak(entry->second, allowance_of(entry->first).per_second, now);
    entry = entry->second.level <= 0 ? addresses_.erase(entry) : std::next(entry);
  }
  if (addresses_.size() < limits_.max_addresses) return;
  // All of them failed lately: the total bucket is what holds then, so whom we forget matters little.
  const auto mildest = std::min_element(addresses_.begin(), addresses_.end(),
                                        [](const auto& a, const auto& b) { return a.second.level < b.second.level; });
  addresses_.erase(mildest);
}

Seconds JoinLimiter::retry_after(const IpAddress& peer) {
  const std::lock_guard lock(mutex_);
  const auto found = addresses_.find(key_of(peer));
  if (found == addresses_.end()) return Seconds(1);
  const Allowance allowance = allowance_of(peer);
  leak(found->second, allowance.per_second, clock_.steady());
  const double over = std::max(0.0, found->second.level + 1 - allowance.burst);
  return Seconds(static_cast<Seconds::rep>(std::ceil(over / allowance.per_second)) + 1);
}

}  // namespace slipway
