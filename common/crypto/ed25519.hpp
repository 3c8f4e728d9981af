#pragma once
// Ed25519 (RFC 8032) for signatures over files that people make offline; no part of the cluster's
// certificates.
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct Ed25519Pair {
  Secret seed;             // 32 bytes: the private key
  std::string public_key;  // 32 bytes
};

Result<Ed25519Pair> make_ed25519_pair();
// Errc::invalid: not 32 bytes.
Result<Ed25519Pair> ed25519_from_seed(const Secret& seed);
// 64 bytes.
Result<std::string> ed25519_sign(const Secret& seed, std::string_view bytes);
// False for whatever is not a good signature, be it of a wrong length.
bool ed25519_verify(std::string_view public_key, std::string_view bytes, std::string_view signature);

}  // namespace slipway
