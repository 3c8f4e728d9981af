#pragma once
// Private to common/http/tls*.cpp: OpenSSL handles and what the files share.
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "common/core/result.hpp"
#include "common/http/tls.hpp"

namespace slipway::http {

struct OsslFree {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(BIO_METHOD* p) const { BIO_meth_free(p); }
  // Elements are borrowed.
  void operator()(STACK_OF(X509) * p) const { sk_X509_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
};
template <class T>
using Ossl = std::unique_ptr<T, OsslFree>;

// Whether a chain ends as it must is decided in verify_chain (tls_verify.cpp) for every context.
struct TlsSettings {
  Ossl<SSL_CTX> context;
  bool slipway_only = false;  // client side: the other end must have chosen k_slipway_protocol
  std::string pin;  // SHA-256 of the CA's DER in bytes; empty: the context's store is the truth
};

class TlsServerContextImpl final : public TlsServerContext {
 public:
  TlsSettings settings;
};
class TlsClientContextImpl final : public TlsClientContext {
 public:
  TlsSettings settings;
};

// What the verification found, for the error text; one for each connection, hung on the SSL as app data.
struct VerifyNotes {
  bool slipway_only = false;  // as in TlsSettings
  std::string expected_host;  // client side
  std::string failure;        // first failure in words; empty: none
};

// The text of the first queued OpenSSL error; empties the queue.
std::string drain_openssl_errors();

// For SSL_CTX_set_cert_verify_callback; `settings` is a TlsSettings*.
int verify_chain(X509_STORE_CTX* store, void* settings);
// For SSL_CTX_set_verify: adds the demand for an explicit purpose and takes notes. Can refuse more, never
// accept more.
int note_verification(int ok, X509_STORE_CTX* store);

// Names a certificate is for, for people: "a.example, 10.0.0.1".
std::string names_of(const X509* certificate);

}  // namespace slipway::http
