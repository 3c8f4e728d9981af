#pragma once
// A node as all agents are told of it. Pure.
#include "coordinator/domain/node.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

proto::PeerNode peer_node(const Node& node);

// Whether agents need not hear of it when one becomes the other: a renewal of certificates is nothing to them. What its groups give a node
// rests on name, role and block, which are among what is compared.
bool same_to_agents(const Node& before, const Node& after);

}  // namespace slipway
