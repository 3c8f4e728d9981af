#pragma once
// Commands on the host ask the running agent.
#include <functional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway {

inline constexpr char k_local_socket[] = "/run/slipway/agent.sock";

// Blocks. The body of a 200, into `sink` when there is one. Errc::not_found and Errc::unavailable: no agent
// runs. Errc::denied: the caller may not ask. Other errors are the agent's own, in its words.
Result<std::string> ask_agent(const std::string& socket, const std::string& target,
                              std::function<Status(std::string_view part)> sink = {});

}  // namespace slipway
