#pragma once
// Operations on nodes that live: cordon, and the rotation of certificates. For operations.cpp only.
#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

Result<Outcome> apply_cordon(State& state, StateEditor& editor, const CordonNode& op);
Result<Outcome> apply_settings(State& state, StateEditor& editor, const SetNodeSettings& op);
Result<Outcome> apply_marks(State& state, StateEditor& editor, const RecordMarks& op);
Result<Outcome> apply_rotation(State& state, StateEditor& editor, const RotateCertificates& op);

// Takes the mark off when none of the node's certificates begins before it.
void end_rotation(const State& state, Node& node);

}  // namespace slipway
