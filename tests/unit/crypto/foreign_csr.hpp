#pragma once
// Requests as other software makes them, with OpenSSL's own builder.
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace slipway::test {

using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

inline Pkey own(EVP_PKEY* key) {
  return Pkey(key, EVP_PKEY_free);
}

inline Pkey ec_key(const char* curve, bool explicit_parameters = false, bool compressed = false) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_group_name(context, curve);
  if (explicit_parameters) EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen(context, &key);
  EVP_PKEY_CTX_free(context);
  if (compressed) EVP_PKEY_set_utf8_string_param(key, "point-format", "compressed");
  return own(key);
}

inline Pkey rsa_key(int bits, unsigned long exponent = 65537) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits);
  BIGNUM* e = BN_new();
  BN_set_word(e, exponent);
  EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e);
  BN_free(e);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen(context, &key);
  EVP_PKEY_CTX_free(context);
  return own(key);
}

struct CsrWish {
  std::string common_name;
  std::string organization;
  std::string san;  // "DNS:a,IP:1.2.3.4"
  std::string key_usage;
  std::string challenge;
  const EVP_MD* md = EVP_sha256();
};

inline void add_extension(STACK_OF(X509_EXTENSION) * list, int nid, const std::string& value) {
  if (value.empty()) return;
  sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
}

inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

inline std::string foreign_csr(EVP_PKEY* key, const CsrWish& wish = {}) {
  X509_REQ* request = X509_REQ_new();
  X509_NAME* subject = X509_REQ_get_subject_name(request);
  const auto add = [subject](const char* field, const std::string& value) {
    if (value.empty()) return;
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  };
  add("O", wish.organization);
  add("CN", wish.common_name);
  X509_REQ_set_pubkey(request, key);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  add_extension(extensions, NID_subject_alt_name, wish.san);
  add_extension(extensions, NID_key_usage, wish.key_usage);
  if (sk_X509_EXTENSION_num(extensions) > 0) X509_REQ_add_extensions(request, extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  if (!wish.challenge.empty()) {
    X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_ASC,
                              reinterpret_cast<const unsigned char*>(wish.challenge.data()),
                              static_cast<int>(wish.challenge.size()));
  }
  X509_REQ_sign(request, key, wish.md);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  X509_REQ_free(request);
  return text_of(bio);
}

inline std::string private_pem(EVP_PKEY* key, const char* passphrase = nullptr) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase == nullptr ? nullptr : EVP_aes_256_cbc(), nullptr, 0,
                                nullptr, const_cast<char*>(passphrase));
  return text_of(bio);
}

}  // namespace slipway::test
