#pragma once
// The desired state that the store holds: the whole one with what has changed since. Pure.
#include "agent/ports/node_store.hpp"
#include "common/core/result.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

// Changes that do not follow are left out: they are older than the whole, or were written by a process that was killed before it acted on them.
Result<proto::DesiredState> desired_of(const StoredDesired& stored);

}  // namespace slipway
