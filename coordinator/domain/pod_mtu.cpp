#include "coordinator/domain/pod_mtu.hpp"

#include <algorithm>

namespace slipway {

namespace {

constexpr std::uint64_t k_least = 1280;  // RFC 8200, section 5
constexpr std::uint64_t k_most = 65535;

}  // namespace

std::uint32_t pod_mtu_limit(const PodMtuSight& sight, std::uint32_t before) {
  std::uint64_t least = k_most;
  std::uint64_t most = 0;
  for (const std::uint64_t mtu : sight.told) {
    if (mtu < k_least || mtu > k_most) continue;
    least = std::min(least, mtu);
    most = std::max(most, mtu);
  }
  const auto limit = static_cast<std::uint32_t>(least < most ? least : 0);
  if (sight.all) return limit;
  // Of the missing ones any may be the one that the limit is for.
  if (before != 0 && least >= before) return before;
  return least < most || before != 0 ? static_cast<std::uint32_t>(least) : 0;
}

}  // namespace slipway
