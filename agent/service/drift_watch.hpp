#pragma once
// Drift that neither inotify nor netlink tells of, and what firewalld tells. State thread.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "agent/ports/firewall.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"

namespace slipway {

// `look` gives the same text as long as nothing changed; asked every two and a half seconds. A change asks for a pass.
boost::asio::awaitable<Status> watch_quiet_state(std::function<std::string()> look, Clock* clock,
                                                 AgentState* state);

// A change that firewalld tells of asks for a pass, half a second later: whoever changes one setting changes more.
boost::asio::awaitable<Status> watch_firewall(Firewall* firewall, Clock* clock, AgentState* state);

}  // namespace slipway
