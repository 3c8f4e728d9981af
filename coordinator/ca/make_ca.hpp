#pragma once
// New certificate authorities. Private to this folder.
#include "coordinator/ca/authority.hpp"

namespace slipway {

// A P-256 CA of ten years, self-signed, constrained to its kind. Nothing is written.
Result<CertificateAuthority> make_ca(CaKind kind, std::uint64_t number, const ProfileCluster& cluster, WallTime now);

}  // namespace slipway
