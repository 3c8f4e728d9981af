#include "common/crypto/ossl.hpp"

#include <openssl/err.h>

#include <cstdio>
#include <cstdlib>

namespace slipway::ossl {

namespace {

const EVP_MD* fetch(const char* name) {
  const EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) {
    std::fprintf(stderr, "fatal: this OpenSSL does not offer %s\n", name);
    std::abort();
  }
  return md;
}

}  // namespace

Error take_error(Errc code, std::string_view doing) {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  const char* reason = first == 0 ? nullptr : ERR_reason_error_string(first);
  return make_error(code,
                    std::string(doing) + ": " + (reason == nullptr ? "openssl gave no reason" : reason));
}

const EVP_MD* sha1_md() {
  static const EVP_MD* const md = fetch("SHA1");
  return md;
}

const EVP_MD* sha256_md() {
  static const EVP_MD* const md = fetch("SHA256");
  return md;
}

const EVP_MD* sha384_md() {
  static const EVP_MD* const md = fetch("SHA384");
  return md;
}

const EVP_MD* sha512_md() {
  static const EVP_MD* const md = fetch("SHA512");
  return md;
}

std::string digest(const EVP_MD* md, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out, &size, md, nullptr) != 1) std::abort();
  return {reinterpret_cast<const char*>(out), size};
}

}  // namespace slipway::ossl
