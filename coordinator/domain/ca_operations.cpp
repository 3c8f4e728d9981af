#include "coordinator/domain/ca_operations.hpp"

#include "coordinator/domain/ca_gates.hpp"

namespace slipway {

namespace {

Result<CaLine> step(const State& state, const CaLine& line, const ChangeCa& op) {
  switch (op.step) {
    case CaStep::adopt:
      break;
    case CaStep::prepare:
      return prepare_ca(line, op.facts, op.bundle_sha256, op.now);
    case CaStep::activate:
      return activate_ca(line, nodes_waited_for(state, op.kind, op.confirmed), op.now);
    case CaStep::abort:
      return abort_ca(line, op.bundle_sha256, op.now);
    case CaStep::retire:
      return retire_ca(line, holders_of(state, line, op.reported, op.now), op.force, op.bundle_sha256, op.now);
  }
  return make_error(Errc::conflict, "the " + std::string(to_string(op.kind)) + " authority is known already");
}

}  // namespace

Status change_ca(const State& state, StateEditor& editor, const ChangeCa& op) {
  const CaLine* line = state.ca(op.kind);
  if (line == nullptr) {
    if (op.step != CaStep::adopt) return make_error(Errc::not_found, "the " + std::string(to_string(op.kind)) + " authority is not known");
    editor.put_ca(adopt_ca(op.kind, op.facts, op.bundle_sha256, op.now));
    return {};
  }
  auto next = step(state, *line, op);
  if (!next) return next.error();
  if (op.step == CaStep::retire) {
    // Nobody who holds one could still get in: its pin is of a CA that is not shown any more.
    for (const std::string& id : tokens_pinning(state, *line, op.now)) editor.erase_token(id);
  }
  editor.put_ca(std::move(*next));
  return {};
}

Status check_issuer(const State& state, const CertificateRecord& record) {
  const CaLine* line = state.ca(ca_of(record.usage));
  if (line == nullptr || may_sign(*line, record.ca)) return {};
  return make_error(Errc::conflict, Cause::raced, "the authority that signed the certificate " + std::string(to_string(record.usage)) +
                                        " has been replaced meanwhile: try again");
}

}  // namespace slipway
