#pragma once
// Signs with keys that were read from files and are held in memory.
#include <map>
#include <string>

#include "coordinator/ca/authority.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

// Any thread. Holds nothing that changes; keys keep a signing context for each thread that signs at once.
class FileSigner final : public Signer {
 public:
  explicit FileSigner(const Authority& authority);  // must outlive the signer

  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override;
  Result<std::string> sign_crl(const CrlSpec& spec) override;
  std::string ca_pem(CaKind kind) override;

 private:
  const Authority& authority_;
};

}  // namespace slipway
