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

  // A key that cannot be copied, by its PKCS#11 URI (RFC 7512), such as "pkcs11:token=slipway;object=fabric?module-path=/usr/lib/
  // softhsm/libsofthsm2.so&pin-source=file:/etc/slipway/pin": through OpenSSL's engine "pkcs11" (libengine-pkcs11-openssl).
  // to_pem() of it fails. Errc::unavailable when engine, module or token are not there. Blocks.
  static Result<PrivateKey> from_uri(const Secret& uri);
  // "BEGIN ENCRYPTED PRIVATE KEY" (PKCS#8, PBES2: AES-256-CBC, scrypt as to_encrypted_pem() makes it, or PBKDF2 as `openssl
  // pkcs8 -topk8` does). Errc::denied when the passphrase does not open it. About 50 ms.
  static Result<PrivateKey> from_encrypted_pem(std::string_view pem, const Secret& passphrase);
  static bool is_encrypted_pem(std::string_view pem);

  Result<Secret> to_pem() const;   // PKCS#8, "BEGIN PRIVATE KEY"
  Result<std::string> to_encrypted_pem(const Secret& passphrase) const;
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
