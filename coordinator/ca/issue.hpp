#pragma once
// One certificate from one CA, checked before it is given away. Private to this folder.
#include <string>

#include "coordinator/ca/authority.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

// As Signer::issue().
Result<IssuedCert> issue_certificate(const CertificateAuthority& ca, const CertSpec& spec, const std::string& spki_der,
                                     const Serial& serial, WallTime not_before, WallTime not_after);

}  // namespace slipway
