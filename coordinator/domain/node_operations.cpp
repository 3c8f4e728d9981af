#include "coordinator/domain/node_operations.hpp"

#include <algorithm>

#include "coordinator/domain/settings_check.hpp"
#include "common/kube/component_settings.hpp"
#include "common/kube/versions.hpp"

namespace slipway {

namespace {

Error no_node(const std::string& name) {
  return make_error(Errc::not_found, "there is no node named \"" + name.substr(0, 64) + "\" (slipwayctl node list)");
}

Outcome outcome_of(const State& state, bool changed, const Node* node) {
  Outcome outcome{changed, state.revision(), std::nullopt};
  if (node != nullptr) outcome.node = *node;
  return outcome;
}

// False: the mark stood already.
bool mark(StateEditor& editor, Node node, WallTime before) {
  if (node.renew_before >= before) return false;
  node.renew_before = before;
  editor.put_node(std::move(node));
  return true;
}

}  // namespace

Result<Outcome> apply_cordon(State& state, StateEditor& editor, const CordonNode& op) {
  const Node* found = state.node(op.name);
  if (found == nullptr) return no_node(op.name);
  const bool changed = found->unschedulable != op.unschedulable;
  if (changed) {
    Node node = *found;
    node.unschedulable = op.unschedulable;
    editor.put_node(std::move(node));
    editor.finish(false);  // agents need not know: kube-apiserver is told
  }
  return outcome_of(state, changed, state.node(op.name));
}

Result<Outcome> apply_settings(State& state, StateEditor& editor, const SetNodeSettings& op) {
  const Node* found = state.node(op.name);
  if (found == nullptr) return no_node(op.name);
  Problems problems;
  check_node_settings(problems, "", op.settings, kube::kube_minor(state.cluster().spec.versions.kubernetes));
  if (!problems.none()) return problems.error(Errc::invalid, "the settings cannot be those of a node:");
  NodeExtras extras = found->extras.get();
  const bool changed = extras.settings != op.settings;
  if (changed) {
    extras.settings = op.settings;
    Node node = *found;
    node.extras.set(std::move(extras));
    editor.put_node(std::move(node));
    editor.finish(true);
  }
  return outcome_of(state, changed, state.node(op.name));
}

Result<Outcome> apply_marks(State& state, StateEditor& editor, const RecordMarks& op) {
  const Node* found = state.node_by_uid(op.uid);
  if (found == nullptr) return make_error(Errc::not_found, "the node is gone");
  NodeExtras extras = found->extras.get();
  const bool changed = extras.applied_labels != op.labels || extras.applied_taints != op.taints;
  const std::string name = found->name;
  if (changed) {
    extras.applied_labels = op.labels;
    extras.applied_taints = op.taints;
    Node node = *found;
    node.extras.set(std::move(extras));
    editor.put_node(std::move(node));
    editor.finish(false);  // agents need not know
  }
  return outcome_of(state, changed, state.node(name));
}

Result<Outcome> apply_rotation(State& state, StateEditor& editor, const RotateCertificates& op) {
  if (!op.name.empty() && state.node(op.name) == nullptr) return no_node(op.name);
  std::vector<std::string> names;
  if (op.name.empty()) {
    for (const auto& [name, node] : state.nodes()) names.push_back(name);
  } else {
    names = {op.name};
  }
  bool changed = false;
  for (const std::string& name : names) changed = mark(editor, *state.node(name), op.before) || changed;
  if (changed) editor.finish(true);
  Outcome outcome = outcome_of(state, changed, op.name.empty() ? nullptr : state.node(op.name));
  outcome.count = names.size();
  outcome.renew_before = op.before;
  return outcome;
}

void end_rotation(const State& state, Node& node) {
  if (node.renew_before == WallTime{}) return;
  const bool old = std::any_of(node.certificates.begin(), node.certificates.end(), [&](const auto& entry) {
    const auto record = state.certificates().find(entry.second);
    return record && record->not_before < node.renew_before;
  });
  if (!old) node.renew_before = WallTime{};
}

}  // namespace slipway
