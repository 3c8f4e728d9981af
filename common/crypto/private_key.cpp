#include "common/crypto/private_key.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
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

using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, ossl::Deleter<PKCS8_PRIV_KEY_INFO_free>>;
using AlgorPtr = std::unique_ptr<X509_ALGOR, ossl::Deleter<X509_ALGOR_free>>;
using EncryptedPtr = std::unique_ptr<X509_SIG, ossl::Deleter<X509_SIG_free>>;

// 16 MiB and about 50 ms for each guess; OpenSSL refuses to read what takes more than 32 MiB.
constexpr std::uint64_t k_scrypt_n = 16384, k_scrypt_r = 8, k_scrypt_p = 1;
constexpr int k_scrypt_salt = 16;  // bytes

struct Passphrase {
  std::string_view text;
};

int give_passphrase(char* buffer, int size, int, void* given) {
  const std::string_view text = static_cast<const Passphrase*>(given)->text;
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), buffer);
  return static_cast<int>(text.size());
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
  bool in_token = false;  // OpenSSL would write such a key as if it were one, without its secret part

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

Result<PrivateKey> PrivateKey::from_uri(const Secret& uri) {
  auto key = ossl::load_engine_key(uri);
  if (!key) return key.error();
  auto impl = Impl::make(std::move(*key));
  if (!impl) return error_of(impl, "using a PKCS#11 key");
  (*impl)->in_token = true;
  return PrivateKey(std::move(*impl));
}

bool PrivateKey::is_encrypted_pem(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos;
}

Result<PrivateKey> PrivateKey::from_encrypted_pem(std::string_view pem, const Secret& passphrase) {
  if (pem.size() > 16384) return make_error(Errc::invalid, "a private key of more than 16 KiB is not read");
  if (count_blocks(pem) != 1 || !is_encrypted_pem(pem))
    return make_error(Errc::invalid, "an encrypted private key must be exactly one PEM block of PKCS#8");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Passphrase given{passphrase.reveal()};
  ossl::PkeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &given) : nullptr);
  if (!key) {
    ERR_clear_error();
    return make_error(Errc::denied, "the passphrase does not open the private key");
  }
  auto impl = Impl::make(std::move(key));
  if (!impl) return error_of(impl, "reading a private key");
  return PrivateKey(std::move(*impl));
}

Result<std::string> PrivateKey::to_encrypted_pem(const Secret& passphrase) const {
  if (impl_->in_token) return make_error(Errc::invalid, "a key in a PKCS#11 token cannot be copied");
  const Pkcs8Ptr plain(EVP_PKEY2PKCS8(impl_->key.get()));
  if (!plain) return ossl::take_error(Errc::internal, "encoding a private key");
  AlgorPtr algorithm(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, k_scrypt_salt, nullptr, k_scrypt_n, k_scrypt_r, k_scrypt_p));
  if (!algorithm) return ossl::take_error(Errc::internal, "encrypting a private key");
  const auto text = passphrase.reveal();
  const EncryptedPtr sealed(PKCS8_set0_pbe(text.data(), static_cast<int>(text.size()), plain.get(), algorithm.get()));
  if (!sealed) return ossl::take_error(Errc::internal, "encrypting a private key");
  static_cast<void>(algorithm.release());  // it is the sealed key's now
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8(bio.get(), sealed.get()) != 1) return ossl::take_error(Errc::internal, "encoding a private key");
  char* out = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &out);
  return std::string(out, static_cast<std::size_t>(size));
}

Result<Secret> PrivateKey::to_pem() const {
  if (impl_->in_token) return make_error(Errc::invalid, "a key in a PKCS#11 token cannot be copied");
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
