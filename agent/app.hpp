#pragma once
// The agent put together: the only place besides main.cpp that names adapters.
#include <string>

#include "common/core/result.hpp"
#include "proto/file_types.hpp"

namespace slipway {

// Runs until SIGTERM or SIGINT. Units that the agent started go on. Errors: what keeps the agent from
// starting at all.
Status run_agent(const proto::AgentConfig& config);

}  // namespace slipway
