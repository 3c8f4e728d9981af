#pragma once
// The last look at a certificate before it leaves: reads the bytes back with the reader that peers'
// certificates go through, and compares them with the specification. It shares no code with the writer but
// the OIDs.
#include <string_view>

#include "common/core/result.hpp"
#include "common/crypto/certificate.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

// Whether this CA may ever sign such a thing, whoever made the specification: no administrator's or
// component's name but for its own usage.
Status check_spec(const CertSpec& spec);

// Whether it may live so long: what opens all of kube-apiserver, which knows no revocation, may not. Errc::denied.
Status check_life(const CertSpec& spec, Validity validity);

struct ExpectedCert {
  const CertSpec& spec;
  std::string_view spki_der;
  const Serial& serial;
  Validity validity;
};

// Errc::internal with what differs. Does not verify the signature: Certificate::verify_issued_by().
Status check_certificate(const Certificate& certificate, const ExpectedCert& expected, const Certificate& ca);

}  // namespace slipway
