#pragma once
// Operations on what agents install, beside the registration itself. For operations.cpp only.
#include "coordinator/domain/operations.hpp"
#include "coordinator/domain/state_editor.hpp"

namespace slipway {

Result<Outcome> apply_artifact_deletion(State& state, StateEditor& editor, const DeleteArtifact& op);
Result<Outcome> apply_manifest(State& state, StateEditor& editor, const PutManifest& op);

}  // namespace slipway
