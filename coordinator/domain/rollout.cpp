#include "coordinator/domain/rollout.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

std::string some(std::vector<std::string> names) {
  constexpr std::size_t k_shown = 5;
  const std::size_t count = names.size();
  if (count > k_shown) names.resize(k_shown);
  return join(names, ", ") + (count > k_shown ? " and " + std::to_string(count - k_shown) + " more" : "");
}

}  // namespace

std::string why_not_restart(const RolloutFleet& others, const RolloutAsker& asker) {
  if (!others.failed.empty()) {
    return "the rollout has stopped: " + some(others.failed) +
           " did not come up with new settings and went back; change the settings or mend the node, then "
           "restart its slipway-agent";
  }
  if (asker.master && !others.master_away.empty())
    return "masters restart one at a time, and " + others.master_away + " is away";
  // Who is away already takes nobody else away by coming back.
  const std::size_t away = others.holders.size() + (asker.down ? 0 : others.down.size());
  if (away < others.max_unavailable) return {};
  std::vector<std::string> names = others.holders;
  if (!asker.down) names.insert(names.end(), others.down.begin(), others.down.end());
  return "as many nodes are away as may be (rollout.maxUnavailable " +
         std::to_string(others.max_unavailable) + "): " + some(std::move(names));
}

}  // namespace slipway
