#pragma once
// Hands out leave to restart components for new settings, to as many nodes at once as rollout.maxUnavailable
// says. In memory: after a restart of the coordinator nodes count as away until they are heard again, so less
// is granted, never more. State thread only.
#include <map>
#include <string>

#include "common/async/clock.hpp"
#include "coordinator/domain/rollout.hpp"
#include "coordinator/service/node_status.hpp"

namespace slipway {

class RestartBudget {
 public:
  RestartBudget(const Clock& clock, const NodeStatusBoard& board) : clock_(clock), board_(board) {}

  // For a live node, authenticated by the caller. Who has leave already gets it again, and its time anew.
  proto::RestartReply ask(const State& state, const Node& node);
  void done(const std::string& uid) { leaves_.erase(uid); }
  proto::RolloutView view(const State& state) const;

 private:
  bool is_down(const Node& node) const;
  void forget_old(const State& state);
  RolloutFleet fleet_without(const State& state, const Node& asker) const;
  RolloutAsker asker_of(const State& state, const Node& node) const;

  const Clock& clock_;
  const NodeStatusBoard& board_;
  std::map<std::string, SteadyTime>
      leaves_;  // uid -> when they end: an agent that is gone gives nothing back
};

}  // namespace slipway
