#include "coordinator/domain/artifact_operations.hpp"

#include <algorithm>

#include "coordinator/domain/desired.hpp"

namespace slipway {

namespace {

Outcome outcome_of(const State& state, bool changed) {
  Outcome outcome;
  outcome.changed = changed;
  outcome.revision = state.revision();
  return outcome;
}

bool is_wanted(const State& state, const DeleteArtifact& op) {
  const auto components = desired_components(state);
  return std::any_of(components.begin(), components.end(), [&op](const proto::ComponentRef& component) {
    return component.name == op.component && component.version == op.version;
  });
}

}  // namespace

Result<Outcome> apply_artifact_deletion(State& state, StateEditor& editor, const DeleteArtifact& op) {
  const std::string shown = op.component.substr(0, 64) + " " + op.version.substr(0, 64);
  if (state.artifact(op.component, op.version) == nullptr)
    return make_error(Errc::not_found, "there is no artifact " + shown + " (slipwayctl artifact list)");
  if (is_wanted(state, op)) {
    return make_error(Errc::conflict, Cause::in_use,
                      shown +
                          " is what the cluster's settings ask for: hosts that join need it; change versions "
                          "first (slipwayctl cluster apply)");
  }
  editor.erase_artifact(op.component, op.version);
  editor.finish(false);  // agents are told of what is wanted only
  return outcome_of(state, true);
}

Result<Outcome> apply_manifest(State& state, StateEditor& editor, const PutManifest& op) {
  const auto& old = state.artifact_manifest();
  if (old && *old == op.manifest) return outcome_of(state, false);
  if (old && op.manifest.number <= old->number) {
    return pointing_to("/text", make_error(Errc::conflict,
                                           "the manifest has number " + std::to_string(op.manifest.number) +
                                               ", the cluster has " + std::to_string(old->number) +
                                               " already: agents refuse older ones; sign one with a higher "
                                               "number (slipwayctl artifact manifest create)"));
  }
  editor.put_manifest(op.manifest);
  editor.finish(true);
  return outcome_of(state, true);
}

}  // namespace slipway
