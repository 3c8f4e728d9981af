#pragma once
// Private keys. They leave this class only as a Secret.
#include <memory>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/crypto/public_key.hpp"

namespace slipway {

// Move-only owner. Const members may be called from several threads at once.
class PrivateKey {
 public:
  static Result<PrivateKey> generate_p256();
  // For service-account tokens only: kube-controller-manager 1.20 and its readers know RSA best. About 100
  // ms.
  static Result<PrivateKey> generate_rsa2048();
  // One unencrypted PEM block, PKCS#8 or the traditional forms; key types as check_public_key().
  static Result<PrivateKey> from_pem(const Secret& pem);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  Result<Secret> to_pem() const;   // PKCS#8, "BEGIN PRIVATE KEY"
  std::string public_pem() const;  // "BEGIN PUBLIC KEY"
  KeyType type() const;
  const std::string& spki_der() const;
  const std::string& spki_sha256_hex() const;
  const std::string& key_id() const;  // 20 bytes, see key_identifier()
  // ECDSA (DER) or RSA PKCS#1 v1.5, both with SHA-256: SignatureAlgorithm::ecdsa_sha256 or rsa_sha256.
  Result<std::string> sign(std::string_view message) const;

 private:
  struct Impl;
  explicit PrivateKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
