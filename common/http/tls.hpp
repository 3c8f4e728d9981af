#pragma once
// TLS contexts: 1.3 only, no tickets, no resumption, no early data, no renegotiation (docs/decisions).
// Certificates and keys are PEM text; the context keeps no file open.
#include <memory>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway::http {

class TlsServerContext {
 public:
  // `chain_pem`: leaf first, the CA appended (the agent's first contact needs the root in the chain to check its pin).
  // `client_ca_pem`: CAs whose client certificates are accepted. A certificate is optional at the handshake (join has none)
  // but a bad one (expired, wrong CA, wrong EKU) ends the handshake.
  static Result<std::shared_ptr<TlsServerContext>> make(std::string chain_pem, const Secret& key_pem, std::string client_ca_pem);
  virtual ~TlsServerContext() = default;
};

struct ClientIdentity {
  std::string chain_pem;
  Secret key_pem;
};

class TlsClientContext {
 public:
  // Trusts the CAs in `ca_pem`.
  static Result<std::shared_ptr<TlsClientContext>> make(std::string ca_pem, const ClientIdentity* identity);
  // First contact: trusts exactly the CA whose DER has this SHA-256 (64 hex digits) and which the server sends in its chain.
  // Name, EKU, dates and signatures are checked as always, before any application byte is sent.
  static Result<std::shared_ptr<TlsClientContext>> make_pinned(std::string ca_sha256_hex);
  virtual ~TlsClientContext() = default;
};

}  // namespace slipway::http
