#include "coordinator/service/nat_sources.hpp"

#include <algorithm>
#include <utility>

namespace slipway {

bool in_any(const std::vector<Cidr>& blocks, const IpAddress& from) {
  return std::any_of(blocks.begin(), blocks.end(), [&from](const Cidr& block) { return block.contains(from); });
}

void NatSources::set(std::vector<Cidr> blocks) {
  const std::lock_guard lock(mutex_);
  blocks_ = std::move(blocks);
}

bool NatSources::contains(const IpAddress& from) const {
  const std::lock_guard lock(mutex_);
  return in_any(blocks_, from);
}

}  // namespace slipway
