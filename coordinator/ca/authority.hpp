#pragma once
// The cluster's certificate authorities and the service account key: made once, kept as files, held in
// memory.
//
//   <dir>/                      0700
//   <dir>/<kind>-ca.crt         0644  PEM, one for each CaKind ("fabric-ca.crt", "kubeClient-ca.crt", ...)
//   <dir>/<kind>-ca.key         0600  PEM, PKCS#8
//   <dir>/service-account.key   0600  PEM, PKCS#8, RSA
//   <dir>/service-account.pub   0644  PEM
#include <map>
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

struct CertificateAuthority {
  Certificate certificate;
  PrivateKey key;
  std::string pem;
};

// Not changed once made: const members may be called from any thread.
class Authority {
 public:
  // New keys for a new cluster: six P-256 CAs of ten years and an RSA-2048 key. About 150 ms, nothing is
  // written.
  static Result<Authority> create(const ProfileCluster& cluster, WallTime now);

  // Refuses keys that others than the owner may read or that somebody else owns, with the command that mends
  // it, and sets whose parts do not belong together.
  static Result<Authority> load(const std::string& dir);

  // The whole set appears under `dir` at once, or nothing does. Errc::conflict when `dir` exists: a CA is
  // never overwritten.
  Status save(const std::string& dir, std::optional<FileOwner> owner) const;

  const CertificateAuthority& ca(CaKind kind) const { return cas_.find(kind)->second; }
  const PrivateKey& service_account_key() const { return service_account_key_; }

 private:
  Authority(std::map<CaKind, CertificateAuthority> cas, PrivateKey service_account_key)
      : cas_(std::move(cas)), service_account_key_(std::move(service_account_key)) {}
  Status write_files(const std::string& dir, std::optional<FileOwner> owner) const;

  std::map<CaKind, CertificateAuthority> cas_;  // all kinds
  PrivateKey service_account_key_;
};

}  // namespace slipway
