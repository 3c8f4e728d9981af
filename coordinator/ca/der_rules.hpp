#pragma once
// What every certificate of a node, component or person is, byte for byte: rules that verifiers leave to the
// issuer
// (`openssl verify -x509_strict` takes a serial of zero or of 21 octets, a missing extended key usage, a
// certificate that outlives its CA). Reads the bytes by itself; knows nothing of specifications.
#include <cstddef>
#include <string_view>

#include "common/core/result.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

// The CA as a certificate of its must show it.
struct DerIssuer {
  Validity life;
  std::string_view key_id;  // bytes of its subject key identifier; borrowed for the call
};

// `usages`: how many extended key usages there must be. Errc::internal names the first rule that is broken.
Status check_der_rules(std::string_view certificate_der, std::size_t usages, const DerIssuer& authority);

}  // namespace slipway
