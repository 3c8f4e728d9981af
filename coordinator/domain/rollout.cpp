#include "coordinator/domain/rollout.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "common/kube/versions.hpp"

namespace slipway {

namespace {

std::string some(std::vector<std::string> names) {
  constexpr std::size_t k_shown = 5;
  const std::size_t count = names.size();
  if (count > k_shown) names.resize(k_shown);
  return join(names, ", ") + (count > k_shown ? " and " + std::to_string(count - k_shown) + " more" : "");
}

const proto::ComponentStatus* find(const proto::NodeStatusReport& report, std::string_view component) {
  const auto found = std::find_if(report.components.begin(), report.components.end(),
                                  [&](const auto& one) { return one.name == component; });
  return found == report.components.end() ? nullptr : &*found;
}

bool is_at_least(const std::string& text, const std::string& wanted) {
  const auto version = kube::parse_version(text);
  const auto least = kube::parse_version(wanted);
  return version && least && *version >= *least;
}

}  // namespace

std::string why_not_restart(const RolloutFleet& others, const RolloutAsker& asker) {
  if (others.paused) return "the rollout is paused; slipwayctl upgrade resume lets it go on";
  if (!others.failed.empty()) {
    return "the rollout has stopped: " + some(others.failed) +
           " did not come up with new settings and went back; change the settings or mend the node, then "
           "restart its slipway-agent";
  }
  if (asker.master && !others.master_away.empty())
    return "masters restart one at a time, and " + others.master_away + " is away";
  // A kubelet must not be newer than the kube-apiserver it speaks to (kubernetes.io, version skew policy).
  if (!asker.master && asker.behind && !others.masters_behind.empty()) {
    return "the control plane comes first: kube-apiserver of " + some(others.masters_behind) +
           " is not up with Kubernetes " + others.kubernetes +
           " yet; slipwayctl upgrade status says why, and a master that is gone for good is to be deleted";
  }
  // Who is away already takes nobody else away by coming back.
  const std::size_t away = others.holders.size() + (asker.down ? 0 : others.down.size());
  if (away < others.max_unavailable) return {};
  std::vector<std::string> names = others.holders;
  if (!asker.down) names.insert(names.end(), others.down.begin(), others.down.end());
  return "as many nodes are away as may be (rollout.maxUnavailable " +
         std::to_string(others.max_unavailable) + "): " + some(std::move(names));
}

bool runs_at_least(const proto::NodeStatusReport& report, std::string_view component,
                   const std::string& wanted) {
  const proto::ComponentStatus* const told = find(report, component);
  return told != nullptr && is_at_least(told->version, wanted);
}

bool serves(const proto::NodeStatusReport& master, const std::string& wanted) {
  if (master.settings && master.settings->state == "restarting") return false;
  const proto::ComponentStatus* const told = find(master, "kube-apiserver");
  return told != nullptr && told->state == "running" && is_at_least(told->version, wanted);
}

}  // namespace slipway
