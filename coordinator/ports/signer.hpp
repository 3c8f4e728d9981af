#pragma once
// Port: turns a specification and a public key into a certificate.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/domain/signing_rules.hpp"

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

// RFC 5280 5.3.1: the node is no more, or the person's right was taken away.
enum class CrlReason : std::uint8_t { cessation_of_operation = 5, privilege_withdrawn = 9 };
struct CrlEntry {
  Serial serial;
  WallTime revoked_at{};
  CrlReason reason = CrlReason::cessation_of_operation;
};
// A revocation list of one CA.
struct CrlSpec {
  CaKind issuer = CaKind::fabric;
  std::uint64_t number = 0;  // never smaller than that of an earlier list
  WallTime this_update{};
  WallTime next_update{};
  std::vector<CrlEntry> entries;  // no serial twice
  std::uint64_t ca = 0;           // number of the CA that signs the list, see CaFacts; 0: the one that signs certificates
};

struct IssueRequest {
  CertSpec spec;
  std::string spki_der;
  Serial serial;
  WallTime not_before{};
  WallTime not_after{};
};

// Called from several threads at once (the I/O threads sign). Does not block on anything but the signature: some hundred microseconds.
class Signer {
 public:
  virtual ~Signer() = default;
  // The certificate has been checked against the specification by an independent reader before this returns.
  // Errc::unavailable when the CA has expired, Errc::invalid for a key that is not accepted.
  virtual Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                                   WallTime not_before, WallTime not_after) = 0;
  // What belongs together, at once: all or, with the first error, none. In their order.
  virtual Result<std::vector<IssuedCert>> issue_all(const std::vector<IssueRequest>& wanted) {
    std::vector<IssuedCert> all;
    for (const IssueRequest& one : wanted) {
      auto issued = issue(one.spec, one.spki_der, one.serial, one.not_before, one.not_after);
      if (!issued) return issued.error();
      all.push_back(std::move(*issued));
    }
    return all;
  }
  // The cluster has other settings now. For signers that hold requests against them.
  virtual Status follow(const SigningRules&) { return {}; }
  // DER. Errc::unavailable from a signer that cannot sign lists, and when that CA is not in use any more.
  virtual Result<std::string> sign_crl(const CrlSpec&) { return make_error(Errc::unavailable, "this signer signs no revocation lists"); }
  // What verifiers of this CA's certificates must trust; PEM, one block or more.
  virtual std::string ca_pem(CaKind kind) = 0;
  // Number, and certificate (PEM), of the CA that signs this usage now.
  virtual std::uint64_t issuer_number(CertUsage usage) = 0;
  virtual std::string issuer_pem(CertUsage usage) = 0;
};

}  // namespace slipway
