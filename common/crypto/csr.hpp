#pragma once
// PKCS#10 requests. In Slipway a request gives a public key and proof of possession, and nothing else.
#include <cstddef>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/crypto/private_key.hpp"

namespace slipway {

inline constexpr std::size_t k_max_csr_pem =
    4096;  // bytes; an RSA-4096 request with nothing in it has 1.6 KiB

struct CsrKey {
  std::string spki_der;
  std::string spki_sha256_hex;
  KeyType key_type = KeyType::p256;
};

// PEM "CERTIFICATE REQUEST" with an empty subject and no attributes.
Result<std::string> make_csr(const PrivateKey& key);

// The gate. In this order, cheap before dear: size; one strict PEM block; DER without spare bytes; key type
// and size; no subject, attribute or extension (a request that asks for one is refused, naming it, and not
// repaired); signature algorithm; proof of possession. Errors are Errc::invalid and safe to show to the
// caller. Any thread.
Result<CsrKey> parse_csr(std::string_view pem);

}  // namespace slipway
