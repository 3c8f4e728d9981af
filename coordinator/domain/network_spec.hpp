#pragma once
// Whether the settings of the pod network (cluster.yaml's network.backend and what belongs to it) make sense. Pure.
#include "common/core/problems.hpp"
#include "proto/network_types.hpp"

namespace slipway {

// Of a cluster with IPv6 pools too: such pods need an MTU of 1280 at least (RFC 8200 section 5).
void check_pod_network(Problems& problems, const proto::NetworkSettings& network, bool dual_stack);

// What cannot become something else while nodes live: half of them would speak another tongue than the rest.
void check_pod_network_change(Problems& problems, const proto::NetworkSettings& living, const proto::NetworkSettings& wanted);

}  // namespace slipway
