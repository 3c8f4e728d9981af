#pragma once
// What operators see of a node's settings. State thread only.
#include "coordinator/service/node_status.hpp"

namespace slipway {

// `contact`: null when the node was not heard.
proto::NodeConfigView node_config_view(const State& state, const Node& node, const NodeContact* contact);

}  // namespace slipway
