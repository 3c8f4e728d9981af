#pragma once
// Revocation lists, RFC 5280 5: version 2 with authority key identifier and number, each entry with its
// reason.
#include <string>

#include "common/core/result.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

// DER. Signed with the CA's key; the signature is checked again before it leaves.
Result<std::string> make_crl(const CertificateAuthority& ca, const CrlSpec& spec);

}  // namespace slipway
