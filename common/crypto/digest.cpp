#include "common/crypto/digest.hpp"

#include <cstdlib>

#include "common/core/text.hpp"
#include "common/crypto/ossl.hpp"

namespace slipway {

std::string sha256(std::string_view bytes) {
  return ossl::digest(ossl::sha256_md(), bytes);
}
std::string sha256_hex(std::string_view bytes) {
  return to_hex(sha256(bytes));
}
std::string sha1(std::string_view bytes) {
  return ossl::digest(ossl::sha1_md(), bytes);
}

struct Sha256::Impl {
  ossl::MdCtxPtr context{EVP_MD_CTX_new()};

  void start() {
    if (!context || EVP_DigestInit_ex(context.get(), ossl::sha256_md(), nullptr) != 1) std::abort();
  }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  impl_->start();
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  if (EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

std::string Sha256::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(impl_->context.get(), out, &size) != 1) std::abort();
  impl_->start();
  return {reinterpret_cast<const char*>(out), size};
}

std::string Sha256::finish_hex() {
  return to_hex(finish());
}

}  // namespace slipway
