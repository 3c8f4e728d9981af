#pragma once
// A desired state from an older one and what has changed since. Pure.
#include "common/core/result.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

// The nodes that are gone go first, each only if it is that generation of it that is held; those that are new or changed come then, by uid,
// and only forwards: the CIDR of one that went is never given to another before it went. Nodes stay in the order of their names.
// Errc::conflict: the changes do not begin where `held` ends, or what came out is not what the coordinator has: the whole state must be
// asked for.
Result<proto::DesiredState> merged(proto::DesiredState held, const proto::DesiredDelta& delta);

// Errc::corrupt: the nodes are not those that the document says it has. One that does not say is taken as it is.
Status check_nodes(const proto::DesiredState& state);

// Whether the coordinator tells more of each node, or of the rest, than it did when `held` came, and this agent would understand it.
bool tells_more(const proto::DesiredState& held, const proto::DesiredDelta& delta);

}  // namespace slipway
