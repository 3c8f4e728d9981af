#include "coordinator/domain/revocation.hpp"

namespace slipway {

namespace {

std::optional<WallTime> removed_at(const State& state, const CompactCertificate& record, WallTime now) {
  const Node* node = state.node_by_uid(record.node_uid);
  if (node != nullptr && node->generation == record.generation) return std::nullopt;
  const Tombstone* tombstone = state.tombstone(std::string(record.subject));
  return tombstone != nullptr ? tombstone->deleted_at : now;
}

}  // namespace

std::vector<Revoked> revoked_certificates(const State& state, WallTime now) {
  std::vector<Revoked> found;
  for (const CompactCertificate record : state.certificates()) {
    if (record.not_after <= now) continue;
    const auto at = record.node_uid.empty() ? state.revoked_at(record) : removed_at(state, record, now);
    if (at) found.push_back({record, *at});
  }
  return found;
}

}  // namespace slipway
