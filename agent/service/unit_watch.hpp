#pragma once
// Looks at the components' units as soon as something happens to one: holds back who ends again and again, remembers its last
// words, and has it reported at once.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "agent/domain/restart_policy.hpp"
#include "agent/ports/process_supervisor.hpp"
#include "agent/ports/unit_log.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

// State thread. The supervisor starts processes anew by itself, with or without an agent: this only tells it when.
class UnitWatch {
 public:
  struct Deps {
    ProcessSupervisor& supervisor;
    Clock& clock;
    Workers& workers;
    AgentState& state;
    UnitLog& log;
  };
  explicit UnitWatch(Deps deps) : deps_(deps) {}

  // One look at the unit, if it is a component's.
  boost::asio::awaitable<Status> look(std::string name);
  // At each change, at most five times a second.
  boost::asio::awaitable<Status> run();
  // Every few seconds at those that are held back: a stable run is no change, and somebody may have taken the pause away.
  boost::asio::awaitable<Status> run_rounds();

 private:
  struct Watched {
    RestartBackoff backoff;
    bool known = false;  // the supervisor was told of `pause`
    std::chrono::seconds pause{0};
    std::string last_end;  // whose last words stand in the state
  };
  boost::asio::awaitable<Status> hold_back(std::string name, std::chrono::seconds pause);
  boost::asio::awaitable<Status> read_log(std::string name);
  bool held_any() const;
  bool is_component(const std::string& name) const;

  Deps deps_;
  std::map<std::string, Watched> watched_;  // by unit
  RepeatedError trouble_;
};

}  // namespace slipway
