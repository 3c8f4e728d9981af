#pragma once
// What agents are told to bring about. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

// Names that artifacts may have.
std::vector<std::string> component_names();
// Every component that the cluster's runtime and versions call for; without artifact until that is imported.
std::vector<proto::ComponentRef> desired_components(const State& state);
// Only when state.has_cluster().
proto::DesiredState desired_state(const State& state);
// What has become other after that revision, up to the state's desired revision; without pace. Absent: it is no longer remembered, or so
// much that the whole state is as good.
std::optional<proto::DesiredDelta> desired_delta(const State& state, std::uint64_t since);

}  // namespace slipway
