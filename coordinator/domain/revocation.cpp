#include "coordinator/domain/revocation.hpp"

namespace slipway {

std::vector<Revoked> revoked_certificates(const State& state, WallTime now) {
  std::vector<Revoked> found;
  for (const CompactCertificate record : state.certificates()) {
    if (record.node_uid.empty() || record.not_after <= now) continue;
    const Node* node = state.node_by_uid(record.node_uid);
    if (node != nullptr && node->generation == record.generation) continue;
    const Tombstone* tombstone = state.tombstone(std::string(record.subject));
    found.push_back({record, tombstone != nullptr ? tombstone->deleted_at : now});
  }
  return found;
}

}  // namespace slipway
