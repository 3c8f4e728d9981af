#pragma once
// Sources of drift that neither inotify nor netlink tells of. State thread.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "agent/ports/process_supervisor.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"

namespace slipway {

// `look` gives the same text as long as nothing changed; asked every two seconds. A change asks for a pass.
boost::asio::awaitable<Status> watch_quiet_state(std::function<std::string()> look, Clock* clock,
                                                 AgentState* state);

// `news` is set when a job of systemd's has ended. A component's unit that somebody has stopped asks for a
// pass.
boost::asio::awaitable<Status> watch_units(ProcessSupervisor* supervisor, Trigger* news, Clock* clock,
                                           AgentState* state);

// Whether the last pass knew a component with this unit.
bool is_component_unit(const AgentState& state, const std::string& unit);

}  // namespace slipway
