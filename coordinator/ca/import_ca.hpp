#pragma once
// A certificate authority that somebody else made, checked for what Slipway will ask of it. Private to this folder.
#include "coordinator/ca/authority.hpp"

namespace slipway {

// "<dir>/<kind>-ca.crt" and "<kind>-ca.key" (or .uri). The .crt holds a self-signed CA, or an intermediate followed by its
// issuers up to the root. `number` of the result is 1.
//
// Refused, Errc::invalid with the reason: a key that is not the certificate's; no CA (CA:TRUE, critical; keyCertSign); no
// subject key identifier; a chain that does not lead to its root; dates that do not leave room for two lives of the longest
// certificate; and anything else that keeps one of the certificates of this kind from verifying: each is made once for a
// key that is thrown away and verified by OpenSSL (path lengths, extended key usages, name constraints, algorithms).
Result<CertificateAuthority> import_ca(const std::string& dir, CaKind kind, const Secret* passphrase,
                                       const ProfileCluster& cluster, const Lifetimes& lifetimes, WallTime now);

}  // namespace slipway
