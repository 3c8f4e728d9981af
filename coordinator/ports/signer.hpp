#pragma once
// Port: turns a specification and a public key into a certificate.
#include <cstdint>
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

struct IssuedCert {
  std::string pem;  // the leaf; with an intermediate as CA followed by it and what is above it, but for the root
  std::string der;
  std::string sha256_hex;  // of the DER
  std::string serial_hex;
  WallTime not_before{};  // as written
  WallTime not_after{};   // as written: capped at the CA's own end
  std::uint64_t ca = 1;   // number of the CA that signed, for the record
};

// Called from several threads at once (the I/O threads sign). Does not block on I/O, takes tens of
// microseconds.
class Signer {
 public:
  virtual ~Signer() = default;
  // The certificate has been checked against the specification by an independent reader before this returns.
  // Errc::unavailable when the CA has expired, Errc::invalid for a key that is not accepted.
  virtual Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                                   WallTime not_before, WallTime not_after) = 0;
  // What verifiers of this CA's certificates must trust; PEM, one block or more.
  virtual std::string ca_pem(CaKind kind) = 0;
  // Number, and certificate (PEM), of the CA that signs this usage now.
  virtual std::uint64_t issuer_number(CertUsage usage) = 0;
  virtual std::string issuer_pem(CertUsage usage) = 0;
};

}  // namespace slipway
