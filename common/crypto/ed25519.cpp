#include "common/crypto/ed25519.hpp"

#include "common/crypto/ossl.hpp"
#include "common/crypto/random.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_key_bytes = 32;
constexpr std::size_t k_signature_bytes = 64;

Result<ossl::PkeyPtr> private_key(const Secret& seed) {
  const std::string_view bytes = seed.reveal();
  if (bytes.size() != k_key_bytes) return make_error(Errc::invalid, "an Ed25519 private key has 32 bytes");
  ossl::PkeyPtr key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, ossl::octets(bytes), bytes.size()));
  if (!key) return ossl::take_error(Errc::internal, "reading an Ed25519 private key");
  return key;
}

}  // namespace

Result<Ed25519Pair> ed25519_from_seed(const Secret& seed) {
  const auto key = private_key(seed);
  if (!key) return key.error();
  std::string out(k_key_bytes, '\0');
  std::size_t size = out.size();
  if (EVP_PKEY_get_raw_public_key(key->get(), ossl::octets(out), &size) != 1 || size != k_key_bytes)
    return ossl::take_error(Errc::internal, "reading an Ed25519 public key");
  return Ed25519Pair{seed.copy(), std::move(out)};
}

Result<Ed25519Pair> make_ed25519_pair() {
  return ed25519_from_seed(Secret(random_bytes(k_key_bytes)));
}

Result<std::string> ed25519_sign(const Secret& seed, std::string_view bytes) {
  const auto key = private_key(seed);
  if (!key) return key.error();
  const ossl::MdCtxPtr context(EVP_MD_CTX_new());
  std::string out(k_signature_bytes, '\0');
  std::size_t size = out.size();
  const bool done =
      context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key->get()) == 1 &&
      EVP_DigestSign(context.get(), ossl::octets(out), &size, ossl::octets(bytes), bytes.size()) == 1;
  if (!done || size != k_signature_bytes) return ossl::take_error(Errc::internal, "signing with Ed25519");
  return out;
}

bool ed25519_verify(std::string_view public_key, std::string_view bytes, std::string_view signature) {
  if (public_key.size() != k_key_bytes || signature.size() != k_signature_bytes) return false;
  const ossl::PkeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, ossl::octets(public_key), public_key.size()));
  const ossl::MdCtxPtr context(EVP_MD_CTX_new());
  const bool good = key && context &&
                    EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(context.get(), ossl::octets(signature), signature.size(),
                                     ossl::octets(bytes), bytes.size()) == 1;
  // What a bad signature leaves in the thread's queue must not turn up in another error.
  if (!good) static_cast<void>(ossl::take_error(Errc::invalid, "checking a signature"));
  return good;
}

}  // namespace slipway
