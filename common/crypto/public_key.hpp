#pragma once
// Public keys as DER SubjectPublicKeyInfo, the form in which they travel and are stored.
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

enum class KeyType { p256, p384, rsa };
std::string_view to_string(KeyType type);  // "P-256", "P-384", "RSA"

enum class SignatureAlgorithm { ecdsa_sha256, ecdsa_sha384, rsa_sha256, rsa_sha384, rsa_sha512 };

// Which keys we deal with: named P-256 or P-384 (uncompressed point), RSA of 2048 to 4096 bits with e =
// 65537. Reads the bytes only and does no arithmetic, so that explicit curve parameters (CVE-2022-0778) or
// giant moduli cost nothing.
Result<KeyType> check_public_key(std::string_view spki_der);

// The BIT STRING content of the key, what SKI and AKI are the SHA-1 of. The key must have passed
// check_public_key().
Result<std::string> key_identifier(std::string_view spki_der);  // 20 bytes

// Errc::invalid when the signature is not one of `spki_der` over `message`. Runs check_public_key() first.
// Any thread.
Status verify_signature(std::string_view spki_der, SignatureAlgorithm algorithm, std::string_view message,
                        std::string_view signature);

// The same for a key that verifies again and again: what it takes to verify with it is kept, for each thread and for the last few keys.
Status verify_by_authority(std::string_view spki_der, SignatureAlgorithm algorithm, std::string_view message,
                           std::string_view signature);

}  // namespace slipway
