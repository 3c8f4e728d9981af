#pragma once
// Private to this folder: owners for OpenSSL's handles and its errors as text.
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway::ossl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

using PkeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

// Takes the thread's queue of errors; only the first, the cause, becomes text.
Error take_error(Errc code, std::string_view doing);

// See PrivateKey::from_uri(); engine_key.cpp.
Result<PkeyPtr> load_engine_key(const Secret& uri);

// Fetched once: a lookup by name on each use costs more than the hash of a small message.
const EVP_MD* sha1_md();
const EVP_MD* sha256_md();
const EVP_MD* sha384_md();
const EVP_MD* sha512_md();

std::string digest(const EVP_MD* md, std::string_view bytes);  // ends the process when out of memory

inline const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* octets(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace slipway::ossl
