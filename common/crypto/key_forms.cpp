#include "common/crypto/key_forms.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <string>

#include "common/core/redact.hpp"
#include "common/core/text.hpp"
#include "common/crypto/ossl.hpp"

namespace slipway {

namespace {

using BioPtr = std::unique_ptr<BIO, ossl::Deleter<BIO_free_all>>;
using NumberPtr = std::unique_ptr<BIGNUM, ossl::Deleter<BN_clear_free>>;

int no_passphrase(char*, int, int, void*) {
  return -1;
}

// Of an elliptic curve the scalar; of RSA the exponent and the primes.
constexpr std::array<const char*, 4> k_secret_numbers = {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_RSA_D,
                                                         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                                         OSSL_PKEY_PARAM_RSA_FACTOR2};

void add_number(std::vector<Secret>& forms, const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return;
  const NumberPtr number(raw);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  add_forms(forms, bytes);
  // As it stands in a key of fixed length, with its leading zeros.
  std::string padded(bytes.size() < 32 ? 32 - bytes.size() : 0, '\0');
  if (!padded.empty()) add_forms(forms, padded + bytes);
  secure_wipe(bytes.data(), bytes.size());
}

void add_lines(std::vector<Secret>& forms, std::string_view pem) {
  std::string whole;
  for (const std::string_view line : split(pem, '\n')) {
    if (line.empty() || line.starts_with("-----")) continue;
    // The first line of a key begins as all others of its kind do, but never ends so.
    forms.emplace_back(std::string(line));
    whole += line;
  }
  forms.emplace_back(std::move(whole));
  std::string encoded = to_base64(pem);
  while (!encoded.empty() && encoded.back() == '=') encoded.pop_back();
  forms.emplace_back(std::move(encoded));
}

void add_der(std::vector<Secret>& forms, const EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PrivateKey(key, &bytes);
  if (size <= 0) return;
  add_forms(forms, {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
}

}  // namespace

Result<std::vector<Secret>> key_forms(const Secret& pem) {
  const std::string_view text = pem.reveal();
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const ossl::PkeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                              : nullptr);
  if (!key) return ossl::take_error(Errc::invalid, "reading a private key");
  std::vector<Secret> forms;
  for (const char* name : k_secret_numbers) add_number(forms, key.get(), name);
  // Numbers that a key does not have leave errors behind.
  (void)ossl::take_error(Errc::invalid, "");
  add_der(forms, key.get());
  add_lines(forms, text);
  return forms;
}

}  // namespace slipway
