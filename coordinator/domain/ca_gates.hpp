#pragma once
// What a step in replacing a CA waits for, read from the state. Pure.
#include <set>
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"

namespace slipway {

// Which bundles a node gets: those of etcd and the front proxy are the masters' affair.
bool node_trusts(NodeRole role, CaKind kind);

// Names of live nodes that get this bundle and are not among `confirmed` (uids).
std::vector<std::string> nodes_waited_for(const State& state, CaKind kind, const std::set<std::string>& confirmed);

// What depends on `line.other` in replacing and reverting, in words: certificates in use that it signed, nodes whose agent has
// not said that it uses its new ones (`reported`: serials), unused join tokens that pin it. Expired ones depend on nothing.
std::vector<std::string> holders_of(const State& state, const CaLine& line, const std::set<std::string>& reported, WallTime now);

// Ids of tokens that pin `line.other` and could still be used.
std::vector<std::string> tokens_pinning(const State& state, const CaLine& line, WallTime now);

}  // namespace slipway
