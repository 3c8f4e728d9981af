#include "common/crypto/public_key.hpp"

#include <openssl/x509.h>

#include <bit>
#include <map>

#include "common/crypto/der.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/oid.hpp"
#include "common/crypto/ossl.hpp"

namespace slipway {

namespace {

Error refuse(std::string why) {
  return make_error(Errc::invalid, std::move(why));
}

struct SpkiParts {
  std::string_view algorithm;  // OID content
  std::optional<der::Item> parameters;
  std::string_view key;
};

std::optional<SpkiParts> read_spki(std::string_view spki_der) {
  const auto outer = der::only(spki_der, der::k_sequence);
  if (!outer) return std::nullopt;
  der::Reader fields(outer->content);
  const auto algorithm = fields.next(der::k_sequence);
  const auto bits = fields.next(der::k_bit_string);
  if (!algorithm || !bits || !fields.at_end()) return std::nullopt;
  const auto key = der::whole_bits(*bits);
  der::Reader parts(algorithm->content);
  const auto oid = parts.next(der::k_oid);
  if (!key || !oid) return std::nullopt;
  SpkiParts spki{oid->content, std::nullopt, *key};
  if (!parts.at_end()) {
    spki.parameters = parts.next();
    if (!spki.parameters || !parts.at_end()) return std::nullopt;
  }
  return spki;
}

Result<KeyType> check_ec(const SpkiParts& spki) {
  if (!spki.parameters) return refuse("the public key names no curve");
  if (spki.parameters->tag != der::k_oid) {
    return refuse(
        "the public key has explicit curve parameters; only the named curves P-256 and P-384 are accepted");
  }
  const bool p256 = spki.parameters->content == oid::k_p256;
  if (!p256 && spki.parameters->content != oid::k_p384) {
    return refuse("the public key is on curve " + der::oid_text(spki.parameters->content) +
                  "; only P-256 and P-384 are accepted");
  }
  const std::size_t size = p256 ? 65 : 97;
  if (spki.key.size() != size || spki.key[0] != 0x04)
    return refuse("the public key is not an uncompressed curve point");
  return p256 ? KeyType::p256 : KeyType::p384;
}

Result<KeyType> check_rsa(const SpkiParts& spki) {
  const auto broken = refuse("the RSA public key is not valid DER");
  if (!spki.parameters || spki.parameters->whole != std::string_view("\x05\x00", 2)) return broken;
  const auto outer = der::only(spki.key, der::k_sequence);
  if (!outer) return broken;
  der::Reader numbers(outer->content);
  const auto modulus_item = numbers.next(der::k_integer), exponent_item = numbers.next(der::k_integer);
  if (!modulus_item || !exponent_item || !numbers.at_end()) return broken;
  const auto modulus = der::positive_integer(*modulus_item), exponent = der::positive_integer(*exponent_item);
  if (!modulus || !exponent) return broken;
  const auto first = static_cast<unsigned char>((*modulus)[0]);
  const std::size_t bits = modulus->size() * 8 - static_cast<std::size_t>(std::countl_zero(first));
  if (bits < 2048 || bits > 4096) {
    return refuse("the RSA key has " + std::to_string(bits) + " bits; 2048 to 4096 are accepted");
  }
  if ((modulus->back() & 1) == 0) return refuse("the RSA modulus is even");
  if (*exponent != std::string_view("\x01\x00\x01", 3)) {
    return refuse("the RSA public exponent is not 65537, the only one accepted");
  }
  return KeyType::rsa;
}

// A key to put points into, one for each thread: building the curve anew, even by copying it, costs a fifth of the verification.
EVP_PKEY* scratch_key(KeyType type) {
  thread_local const ossl::PkeyPtr p256(EVP_EC_gen("P-256"));
  thread_local const ossl::PkeyPtr p384(EVP_EC_gen("P-384"));
  return type == KeyType::p256 ? p256.get() : p384.get();
}

Result<ossl::PkeyPtr> load_rsa(std::string_view spki_der) {
  const auto* at = ossl::octets(spki_der);
  ossl::PkeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki_der.size())));
  if (!key) return ossl::take_error(Errc::invalid, "loading the public key");
  return key;
}

const EVP_MD* digest_of(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::ecdsa_sha256:
    case SignatureAlgorithm::rsa_sha256:
      return ossl::sha256_md();
    case SignatureAlgorithm::ecdsa_sha384:
    case SignatureAlgorithm::rsa_sha384:
      return ossl::sha384_md();
    case SignatureAlgorithm::rsa_sha512:
      return ossl::sha512_md();
  }
  return nullptr;
}

bool is_ecdsa(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::ecdsa_sha256 || algorithm == SignatureAlgorithm::ecdsa_sha384;
}

Result<ossl::PkeyCtxPtr> ready_to_verify(EVP_PKEY* key, SignatureAlgorithm algorithm) {
  ossl::PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context || EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), digest_of(algorithm)) != 1) {
    return ossl::take_error(Errc::internal, "preparing to verify a signature");
  }
  return context;
}

// `may_stay`: the context will be used again, so the key must be its own.
Result<ossl::PkeyCtxPtr> prepare(std::string_view spki_der, SignatureAlgorithm algorithm, bool may_stay) {
  const auto type = check_public_key(spki_der);
  if (!type) return type.error();
  if (is_ecdsa(algorithm) == (*type == KeyType::rsa))
    return refuse("the signature algorithm does not fit the key");
  if (*type == KeyType::rsa) {
    const auto key = load_rsa(spki_der);
    if (!key) return key.error();
    return ready_to_verify(key->get(), algorithm);
  }
  const auto spki = read_spki(spki_der);
  const ossl::PkeyPtr own(may_stay ? EVP_EC_gen(*type == KeyType::p256 ? "P-256" : "P-384") : nullptr);
  EVP_PKEY* const key = may_stay ? own.get() : scratch_key(*type);
  // OpenSSL checks here that the point is on the curve.
  if (!spki || key == nullptr || EVP_PKEY_set1_encoded_public_key(key, ossl::octets(spki->key), spki->key.size()) != 1) {
    return ossl::take_error(Errc::invalid, "loading the public key");
  }
  return ready_to_verify(key, algorithm);
}

Status verify(EVP_PKEY_CTX* context, SignatureAlgorithm algorithm, std::string_view message, std::string_view signature) {
  const std::string hash = ossl::digest(digest_of(algorithm), message);
  const int verdict = EVP_PKEY_verify(context, ossl::octets(signature), signature.size(), ossl::octets(hash), hash.size());
  if (verdict == 1) return {};
  (void)ossl::take_error(Errc::invalid, "verify");  // empties the queue; the caller needs no detail
  return refuse("the signature is not one of this key");
}

}  // namespace

std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::p256:
      return "P-256";
    case KeyType::p384:
      return "P-384";
    case KeyType::rsa:
      return "RSA";
  }
  return "?";
}

Result<KeyType> check_public_key(std::string_view spki_der) {
  const auto spki = read_spki(spki_der);
  if (!spki) return refuse("the public key is not valid DER");
  if (spki->algorithm == oid::k_ec_public_key) return check_ec(*spki);
  if (spki->algorithm == oid::k_rsa) return check_rsa(*spki);
  const bool edwards = spki->algorithm == oid::k_ed25519;
  return refuse("the public key is of kind " +
                (edwards ? std::string("Ed25519") : der::oid_text(spki->algorithm)) +
                "; ECDSA P-256, P-384 and RSA are accepted");
}

Result<std::string> key_identifier(std::string_view spki_der) {
  const auto spki = read_spki(spki_der);
  if (!spki) return refuse("the public key is not valid DER");
  return sha1(spki->key);
}

Status verify_signature(std::string_view spki_der, SignatureAlgorithm algorithm, std::string_view message,
                        std::string_view signature) {
  const auto context = prepare(spki_der, algorithm, false);
  if (!context) return context.error();
  return verify(context->get(), algorithm, message, signature);
}

Status verify_by_authority(std::string_view spki_der, SignatureAlgorithm algorithm, std::string_view message,
                           std::string_view signature) {
  constexpr std::size_t k_most = 16;
  thread_local std::map<std::string, ossl::PkeyCtxPtr> ready;
  std::string name(spki_der);
  name.push_back(static_cast<char>(algorithm));
  auto place = ready.find(name);
  if (place == ready.end()) {
    auto context = prepare(spki_der, algorithm, true);
    if (!context) return context.error();
    if (ready.size() >= k_most) ready.clear();
    place = ready.emplace(std::move(name), std::move(*context)).first;
  }
  return verify(place->second.get(), algorithm, message, signature);
}

}  // namespace slipway
