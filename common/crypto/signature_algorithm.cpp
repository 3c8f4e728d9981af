#include "common/crypto/signature_algorithm.hpp"

#include <array>
#include <utility>

#include "common/crypto/der.hpp"
#include "common/crypto/oid.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_null_der("\x05\x00", 2);

constexpr std::array<std::pair<std::string_view, SignatureAlgorithm>, 5> k_allowed = {{
    {oid::k_ecdsa_sha256, SignatureAlgorithm::ecdsa_sha256},
    {oid::k_ecdsa_sha384, SignatureAlgorithm::ecdsa_sha384},
    {oid::k_rsa_sha256, SignatureAlgorithm::rsa_sha256},
    {oid::k_rsa_sha384, SignatureAlgorithm::rsa_sha384},
    {oid::k_rsa_sha512, SignatureAlgorithm::rsa_sha512},
}};

}  // namespace

Result<SignatureAlgorithm> read_signature_algorithm(std::string_view algorithm_der) {
  const auto broken = make_error(Errc::invalid, "the signature algorithm is not valid DER");
  const auto outer = der::only(algorithm_der, der::k_sequence);
  if (!outer) return broken;
  der::Reader parts(outer->content);
  const auto type = parts.next(der::k_oid);
  if (!type) return broken;
  const std::string_view parameters = outer->content.substr(type->whole.size());
  for (const auto& [bytes, algorithm] : k_allowed) {
    if (bytes != type->content) continue;
    const bool ecdsa =
        algorithm == SignatureAlgorithm::ecdsa_sha256 || algorithm == SignatureAlgorithm::ecdsa_sha384;
    if (parameters != (ecdsa ? std::string_view() : k_null_der)) return broken;
    return algorithm;
  }
  return make_error(Errc::invalid, "signature algorithm " + der::oid_text(type->content) +
                                       " is not accepted; use ECDSA or RSA with SHA-256 or longer");
}

std::string write_signature_algorithm(KeyType type) {
  const bool rsa = type == KeyType::rsa;
  const auto oid = der::item(der::k_oid, rsa ? oid::k_rsa_sha256 : oid::k_ecdsa_sha256);
  return der::item(der::k_sequence, {oid, rsa ? k_null_der : std::string_view()});
}

}  // namespace slipway
