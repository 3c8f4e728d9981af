#include "coordinator/service/restart_budget.hpp"

#include <algorithm>

#include "coordinator/domain/settings_check.hpp"

namespace slipway {

namespace {

constexpr std::chrono::minutes k_leave{5};
constexpr Seconds k_silent{90};  // as in check_single()
constexpr std::uint64_t k_retry_seconds = 10;
constexpr std::uint64_t k_asks_a_second = 100;  // when all nodes wait

std::uint64_t budget_of(const State& state) {
  return max_unavailable(state.cluster().spec.rollout.max_unavailable, state.nodes().size()).value_or(1);
}

const proto::SettingsStatus* settings_of(const NodeContact* contact) {
  return contact != nullptr && contact->report.settings ? &*contact->report.settings : nullptr;
}

}  // namespace

// A host that is not a node yet is nobody's loss while it is made one.
bool RestartBudget::is_down(const Node& node) const {
  if (node.replacing) return false;
  const NodeContact* const contact = board_.find(node.uid);
  if (contact == nullptr || contact->last_contact == WallTime{}) return true;
  return clock_.steady() - contact->last_seen > k_silent || contact->report.phase == "Degraded";
}

void RestartBudget::forget_old(const State& state) {
  const SteadyTime now = clock_.steady();
  std::erase_if(leaves_, [&](const auto& leave) {
    return leave.second <= now || state.node_by_uid(leave.first) == nullptr;
  });
}

RolloutFleet RestartBudget::fleet_without(const State& state, const Node& asker) const {
  RolloutFleet fleet;
  const proto::ClusterSpec& spec = state.cluster().spec;
  fleet.max_unavailable = budget_of(state);
  fleet.kubernetes = spec.versions.kubernetes;
  for (const auto& [name, node] : state.nodes()) {
    if (node.uid == asker.uid) continue;
    const NodeContact* const contact = board_.find(node.uid);
    const proto::SettingsStatus* const settings = settings_of(contact);
    if (settings != nullptr && settings->state == "failed") fleet.failed.push_back(name);
    const bool master = node.role == NodeRole::master;
    const bool counts = master && !node.replacing;
    if (counts && (contact == nullptr || !serves(contact->report, fleet.kubernetes)))
      fleet.masters_behind.push_back(name);
    const bool holds = leaves_.count(node.uid) != 0;
    const bool down = !holds && is_down(node);
    if (holds) fleet.holders.push_back(name);
    if (down) fleet.down.push_back(name);
    if ((holds || down) && master) fleet.master_away = name;
  }
  return fleet;
}

RolloutAsker RestartBudget::asker_of(const State& state, const Node& node) const {
  const NodeContact* const contact = board_.find(node.uid);
  const std::string& wanted = state.cluster().spec.versions.kubernetes;
  const bool behind = contact == nullptr || !runs_at_least(contact->report, "kubelet", wanted);
  return {node.role == NodeRole::master, is_down(node), behind};
}

proto::RestartReply RestartBudget::ask(const State& state, const Node& node) {
  forget_old(state);
  proto::RestartReply reply;
  reply.retry_after_seconds =
      std::max(k_retry_seconds, static_cast<std::uint64_t>(state.nodes().size()) / k_asks_a_second);
  const bool holds = leaves_.count(node.uid) != 0;
  // Most asks of a rollout end in one of these, without a look at every node.
  if (!holds && state.cluster().spec.rollout.paused) {
    RolloutFleet fleet;
    fleet.paused = true;
    reply.reason = why_not_restart(fleet, {});
    return reply;
  }
  if (!holds && leaves_.size() >= budget_of(state)) {
    reply.reason =
        "as many nodes restart as may at once (rollout.maxUnavailable): " + std::to_string(leaves_.size());
    return reply;
  }
  if (!holds) reply.reason = why_not_restart(fleet_without(state, node), asker_of(state, node));
  reply.granted = reply.reason.empty();
  if (reply.granted) leaves_[node.uid] = clock_.steady() + k_leave;
  return reply;
}

proto::RolloutView RestartBudget::view(const State& state) const {
  proto::RolloutView view;
  view.nodes = state.nodes().size();
  view.max_unavailable = budget_of(state);
  view.paused = state.cluster().spec.rollout.paused;
  for (const auto& [name, node] : state.nodes()) {
    const proto::SettingsStatus* const settings = settings_of(board_.find(node.uid));
    if (settings == nullptr) continue;
    view.applied += settings->state == "applied" ? 1 : 0;
    view.waiting += settings->state == "waiting" ? 1 : 0;
    view.restarting += settings->state == "restarting" ? 1 : 0;
    if (settings->state == "failed") view.failed.push_back(name);
  }
  return view;
}

}  // namespace slipway
