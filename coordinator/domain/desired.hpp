#pragma once
// What agents are told to bring about. Pure.
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"
#include "proto/types.hpp"

namespace slipway {

// Names that artifacts may have.
std::vector<std::string> component_names();
// Every component that the cluster's runtime and versions call for; without artifact until that is imported.
std::vector<proto::ComponentRef> desired_components(const State& state);
// Only when state.has_cluster().
proto::DesiredState desired_state(const State& state);

}  // namespace slipway
