#include "common/crypto/private_key.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <mutex>
#include <vector>

#include "common/core/text.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/ossl.hpp"
#include "common/crypto/pem.hpp"

namespace slipway {

namespace {

using BioPtr = std::unique_ptr<BIO, ossl::Deleter<BIO_free_all>>;

// Keys protected by a passphrase are refused: without this OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::size_t count_blocks(std::string_view pem) {
  std::size_t count = 0;
  for (auto at = pem.find("-----BEGIN "); at != std::string_view::npos; at = pem.find("-----BEGIN ", at + 1))
    ++count;
  return count;
}

Result<std::string> spki_of(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) return ossl::take_error(Errc::internal, "encoding a public key");
  std::string spki(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return spki;
}

}  // namespace

struct PrivateKey::Impl {
  ossl::PkeyPtr key;
  KeyType type = KeyType::p256;
  std::string spki_der, spki_sha256_hex, key_id;

  // Contexts ready to sign. Setting one up costs more than the P-256 signature, and one context serves one
  // thread at a time: a caller takes one out, or makes one, and puts it back. There are as many as ever
  // signed at once.
  std::mutex mutex;
  std::vector<ossl::PkeyCtxPtr> idle;

  Result<ossl::PkeyCtxPtr> take_context() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto context = std::move(idle.back());
        idle.pop_back();
        return context;
      }
    }
    ossl::PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (!context || EVP_PKEY_sign_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context.get(), ossl::sha256_md()) != 1) {
      return ossl::take_error(Errc::internal, "preparing to sign");
    }
    return context;
  }

  void give_back(ossl::PkeyCtxPtr context) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(context));
  }

  static Result<std::unique_ptr<Impl>> make(ossl::PkeyPtr key) {
    auto spki = spki_of(key.get());
    if (!spki) return spki.error();
    const auto type = check_public_key(*spki);
    if (!type) return type.error();
    auto id = key_identifier(*spki);
    if (!id) return id.error();
    auto impl = std::make_unique<Impl>();
    impl->key = std::move(key);
    impl->type = *type;
    impl->spki_sha256_hex = to_hex(sha256(*spki));
    impl->spki_der = std::move(*spki);
    impl->key_id = std::move(*id);
    return impl;
  }
};

PrivateKey::PrivateKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate_p256() {
  ossl::PkeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return ossl::take_error(Errc::internal, "generating a P-256 key");
  auto impl = Impl::make(std::move(key));
  if (!impl) return error_of(impl, "generating a P-256 key");
  return PrivateKey(std::move(*impl));
}

Result<PrivateKey> PrivateKey::generate_rsa2048() {
  ossl::PkeyPtr key(EVP_RSA_gen(2048));
  if (!key) return ossl::take_error(Errc::internal, "generating an RSA key");
  auto impl = Impl::make(std::move(key));
  if (!impl) return error_of(impl, "generating an RSA key");
  return PrivateKey(std::move(*impl));
}

Result<PrivateKey> PrivateKey::from_pem(const Secret& pem) {
  const auto text = pem.reveal();
  if (text.size() > 16384) return make_error(Errc::invalid, "a private key of more than 16 KiB is not read");
  if (count_blocks(text) != 1)
    return make_error(Errc::invalid, "a private key must be exactly one PEM block");
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) return ossl::take_error(Errc::internal, "reading a private key");
  ossl::PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return ossl::take_error(Errc::invalid, "reading a private key (unencrypted PEM is expected)");
  auto impl = Impl::make(std::move(key));
  if (!impl) return error_of(impl, "reading a private key");
  return PrivateKey(std::move(*impl));
}

Result<Secret> PrivateKey::to_pem() const {
  // The secure variant wipes its memory when it is freed.
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1) {
    return ossl::take_error(Errc::internal, "encoding a private key");
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Secret(std::string(text, static_cast<std::size_t>(size)));
}

std::string PrivateKey::public_pem() const {
  return pem_encode("PUBLIC KEY", impl_->spki_der);
}
KeyType PrivateKey::type() const {
  return impl_->type;
}
const std::string& PrivateKey::spki_der() const {
  return impl_->spki_der;
}
const std::string& PrivateKey::spki_sha256_hex() const {
  return impl_->spki_sha256_hex;
}
const std::string& PrivateKey::key_id() const {
  return impl_->key_id;
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  auto context = impl_->take_context();
  if (!context) return context.error();
  const std::string hash = ossl::digest(ossl::sha256_md(), message);
  std::string signature(512, '\0');  // RSA-4096 needs all of it
  std::size_t size = signature.size();
  if (EVP_PKEY_sign(context->get(), ossl::octets(signature), &size, ossl::octets(hash), hash.size()) != 1) {
    return ossl::take_error(Errc::internal, "signing");
  }
  impl_->give_back(std::move(*context));
  signature.resize(size);
  return signature;
}

}  // namespace slipway
