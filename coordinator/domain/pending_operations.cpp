#include "coordinator/domain/pending_operations.hpp"

#include <algorithm>

namespace slipway {

namespace {

using Decision = PendingNode::Decision;

constexpr std::size_t k_min_fingerprint = 8;
constexpr std::size_t k_max_reason = 256;

Outcome done(const State& state, StateEditor& editor) {
  editor.finish(false);
  return {true, state.revision(), std::nullopt};
}

// A host that waits already: it may have moved, that is all it can change.
Result<Outcome> refresh(State& state, StateEditor& editor, const PendingNode& known, const AdmissionRequest& request) {
  Outcome outcome{false, state.revision(), std::nullopt};
  if (known.address != request.address) {
    PendingNode moved = known;
    moved.address = request.address;
    editor.put_pending(std::move(moved));
    outcome = done(state, editor);
  }
  outcome.pending = *state.pending_node(request.node_name);
  return outcome;
}

Status check_fingerprint(const PendingNode& node, const std::string& wanted) {
  if (wanted.empty()) return {};
  if (wanted.size() < k_min_fingerprint) {
    return field_error("/fingerprint", ": a fingerprint is compared by at least " + std::to_string(k_min_fingerprint) + " digits");
  }
  if (node.fingerprint.starts_with(wanted)) return {};
  return pointing_to("/fingerprint", make_error(Errc::conflict, "node " + node.name + " waits with the key " + node.fingerprint + ", not with " +
                                                                    wanted.substr(0, 64) + ": compare with what slipway-agent status shows on the host"));
}

}  // namespace

void bury(StateEditor& editor, const Node& node, WallTime now) {
  editor.put_tombstone({node.name, node.uid, node.generation, node.identity.hex(), node.previous_identity.hex(), now});
}

Result<Outcome> apply_queue(State& state, StateEditor& editor, const QueueNode& op) {
  const AdmissionRequest& request = op.request;
  const AdmissionVerdict verdict = admit(state, request);
  if (!verdict.result) return verdict.result.error();
  if (verdict.result->kind != AdmissionKind::wait) {
    return make_error(Errc::conflict, Cause::raced, "what an operator says of node " + request.node_name + " changed meanwhile: try again");
  }
  const std::string& spki = request.spkis.at(CertUsage::agent);
  const PendingNode* known = state.pending_node(request.node_name);
  if (known != nullptr && known->fingerprint == spki) return refresh(state, editor, *known, request);
  JoinToken token = *state.token(request.token->id);
  ++token.uses;
  PendingNode node;
  node.name = request.node_name;
  node.role = request.role;
  node.address = request.address;
  node.machine_id = request.machine_id;
  node.fingerprint = spki;
  node.token_id = token.id;
  node.pool = request.pool;
  node.facts = request.facts;
  node.since = request.maturity.now;
  editor.put_token(std::move(token));
  editor.put_pending(node);
  Outcome outcome = done(state, editor);
  outcome.pending = std::move(node);
  return outcome;
}

Result<Outcome> apply_decision(State& state, StateEditor& editor, const DecideNode& op) {
  const PendingNode* found = state.pending_node(op.name);
  if (found == nullptr) {
    return make_error(Errc::not_found, "no host waits for approval as node " + op.name.substr(0, 64) + " (slipwayctl node list --all)");
  }
  if (const Status key = check_fingerprint(*found, op.fingerprint); !key) return key.error();
  const bool control = std::any_of(op.reason.begin(), op.reason.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (op.reason.size() > k_max_reason || control) {
    return field_error("/reason", " is one line of at most " + std::to_string(k_max_reason) + " characters");
  }
  const Decision decision = op.approve ? Decision::approved : Decision::denied;
  const std::string reason = op.approve ? std::string() : op.reason;
  Outcome outcome{false, state.revision(), std::nullopt};
  if (found->decision != decision || found->reason != reason) {
    PendingNode node = *found;
    node.decision = decision;
    node.decided_at = op.now;
    node.decided_by = op.by;
    node.reason = reason;
    editor.put_pending(std::move(node));
    outcome = done(state, editor);
  }
  outcome.pending = *state.pending_node(op.name);
  return outcome;
}

Result<Outcome> apply_replacement(State& state, StateEditor& editor, const ReplaceNode& op) {
  const Node* found = state.node(op.name);
  if (found == nullptr) {
    return make_error(Errc::not_found, "there is no node " + op.name.substr(0, 64) + " to replace (slipwayctl node list); a new one joins "
                                       "with a token: slipwayctl token create --node " + op.name.substr(0, 64));
  }
  if (state.token(op.token.id) != nullptr) return make_error(Errc::conflict, Cause::raced, "token id " + op.token.id + " is taken: try again");
  Node node = *found;
  JoinToken token = op.token;
  token.node = node.name;
  token.role = node.role;
  token.pool = node.pool;
  editor.put_token(std::move(token));
  if (!node.replacing) {
    node.replacing = true;
    editor.put_node(node);
  }
  Outcome outcome = done(state, editor);
  outcome.node = std::move(node);
  return outcome;
}

bool sweep_pending(State& state, StateEditor& editor, WallTime before) {
  std::vector<std::string> over;
  for (const auto& [name, node] : state.pending()) {
    if (std::max(node.since, node.decided_at) < before) over.push_back(name);
  }
  for (const std::string& name : over) editor.erase_pending(name);
  return !over.empty();
}

}  // namespace slipway
