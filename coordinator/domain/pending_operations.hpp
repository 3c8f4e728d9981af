#pragma once
// The operations about who waits for an operator's word and who takes another node's place. For operations.cpp only.
#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

Result<Outcome> apply_queue(State& state, StateEditor& editor, const QueueNode& op);
Result<Outcome> apply_decision(State& state, StateEditor& editor, const DecideNode& op);
Result<Outcome> apply_replacement(State& state, StateEditor& editor, const ReplaceNode& op);

// Forgets who came or was decided on before; true: somebody was.
bool sweep_pending(State& state, StateEditor& editor, WallTime before);

// What is left of a registration: its keys stay dead, the count of its name goes on.
void bury(StateEditor& editor, const Node& node, WallTime now);

}  // namespace slipway
