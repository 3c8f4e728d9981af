#pragma once
// Whether this node is well, as `slipway-agent health` shows it: every finding with its cause and cure. Pure.
#include <map>
#include <string>

#include "agent/service/agent_state.hpp"
#include "common/core/result.hpp"
#include "proto/preflight.hpp"

namespace slipway {

struct HealthEvidence {
  std::map<std::string, Status>
      probes;  // by component: what asking it came to just now; absent: there is nothing to ask
  proto::PreflightReport host;  // of which disk, clock, reach and whatever else is not well counts here
};

// `report.ok` is false when any check is not. A warning is ok, with a message and a cure.
proto::HealthReport agent_health(const AgentState& state, const HealthEvidence& evidence, WallTime now);

}  // namespace slipway
