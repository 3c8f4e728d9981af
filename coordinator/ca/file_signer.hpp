#pragma once
// Signs with keys that are held in memory, or reached through one that is (PKCS#11).
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "coordinator/ca/authority.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

// Any thread. Keys keep a signing context for each thread that signs at once.
class FileSigner final : public Signer {
 public:
  explicit FileSigner(const Authority& authority);  // takes part in the ownership of its CAs

  // From now on these are the CAs of this kind. Certificates being signed are signed by those before.
  void use(CaKind kind, const CaSet& set);

  // Whether it is one of the CAs of this kind that count now.
  bool uses(CaKind kind, std::uint64_t number);

  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override;
  Result<std::string> sign_crl(const CrlSpec& spec) override;
  std::string ca_pem(CaKind kind) override;
  std::uint64_t issuer_number(CertUsage usage) override;
  std::string issuer_pem(CertUsage usage) override;

 private:
  struct InUse {
    CaPtr signing;
    CaPtr server;  // behind the coordinator's own serving certificate
    CaPtr other;   // may be null
    std::string bundle;
  };
  std::shared_ptr<const InUse> in_use(CaKind kind);
  CaPtr issuer_of(CertUsage usage);

  std::mutex mutex_;
  std::map<CaKind, std::shared_ptr<const InUse>> cas_;
};

}  // namespace slipway
