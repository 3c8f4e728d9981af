#pragma once
// Asks the components that run whether they are well, and has those that are not started anew.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <string>

#include "agent/domain/liveness.hpp"
#include "agent/render/component.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"

namespace slipway {

// State thread. It only finds out: what it finds stands in state.ill, and the reconciler, which alone starts and stops units, acts on it.
class LivenessKeeper {
 public:
  struct Deps {
    Clock& clock;
    AgentState& state;
    std::function<boost::asio::awaitable<Status>(HealthProbe probe)> probe;
  };
  explicit LivenessKeeper(Deps deps) : deps_(std::move(deps)) {}

  // One question to each component of the last pass that has a unit that runs and something to ask.
  boost::asio::awaitable<Status> round();
  boost::asio::awaitable<Status> run();  // a round every ten seconds

 private:
  Deps deps_;
  std::map<std::string, LivenessWatch> watches_;  // by unit
};

}  // namespace slipway
