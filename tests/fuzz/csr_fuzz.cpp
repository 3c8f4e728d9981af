// The gate for certificate requests: what it lets through, OpenSSL must take as well, with a signature that is right.
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "common/crypto/csr.hpp"
#include "common/crypto/pem.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace slipway {
namespace {

struct Free {
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};

// The lines of a PEM block are a matter of taste; the bytes in it are not.
bool openssl_takes(std::string_view pem) {
  const Result<std::string> der = pem_decode_one(pem, "CERTIFICATE REQUEST");
  if (!der) return false;
  const unsigned char* at = reinterpret_cast<const unsigned char*>(der->data());
  const std::unique_ptr<X509_REQ, Free> request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der->size())));
  return request && X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())) == 1;
}

void check(std::string_view pem) {
  const Result<CsrKey> key = parse_csr(pem);
  if (!key) return;
  fuzz::hold(pem.size() <= k_max_csr_pem, "a request that is taken is small");
  fuzz::hold(key->spki_sha256_hex.size() == 64 && !key->spki_der.empty(), "a request that is taken has a key");
  fuzz::hold(openssl_takes(pem), "OpenSSL takes what the gate takes");
}

std::string as_pem(std::string_view der) {
  std::string base64(4 * ((der.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), reinterpret_cast<const unsigned char*>(der.data()),
                                     static_cast<int>(der.size()));
  base64.resize(static_cast<std::size_t>(length));
  std::string out = "-----BEGIN CERTIFICATE REQUEST-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) out += base64.substr(at, 64) + "\n";
  return out + "-----END CERTIFICATE REQUEST-----\n";
}

}  // namespace
}  // namespace slipway

// As it is, and as the DER of a request: changed base64 rarely gets as far as the DER.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = slipway::fuzz::text_of(data, size);
  slipway::check(text);
  slipway::check(slipway::as_pem(text));
  return 0;
}
