#pragma once
// Certificates that outlive their node, or the right of their person: dead for the coordinator at once, but not for those who ask
// nobody.
// Pure.
#include <string>
#include <vector>

#include "coordinator/domain/state.hpp"

namespace slipway {

struct Revoked {
  CompactCertificate record;  // views into the state: until it changes
  WallTime revoked_at{};  // a node's: of the last deletion of its name, never before the true one
};

// Of removed nodes and revoked people, not ended at `now`, by serial. Cost: one look at every certificate. A certificate that
// was renewed is not revoked: its holder has the new one.
std::vector<Revoked> revoked_certificates(const State& state, WallTime now);

}  // namespace slipway
