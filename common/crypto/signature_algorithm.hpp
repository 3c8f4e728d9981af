#pragma once
// AlgorithmIdentifier of signatures: the allow-list of requests and certificates.
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/crypto/public_key.hpp"

namespace slipway {

// `algorithm_der`: the whole AlgorithmIdentifier. Parameters must be absent for ECDSA and NULL for RSA.
Result<SignatureAlgorithm> read_signature_algorithm(std::string_view algorithm_der);

// What PrivateKey::sign() makes with a key of this type.
std::string write_signature_algorithm(KeyType type);

}  // namespace slipway
