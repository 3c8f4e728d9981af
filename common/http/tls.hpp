#pragma once
// TLS contexts: 1.3 only, no tickets, no resumption, no early data, no renegotiation (docs/decisions).
// Certificates and keys are PEM text; the context keeps no file open.
#include <memory>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway::http {

// What agents, slipwayctl and the coordinator agree on in the handshake (ALPN, RFC 7301): the API under /v1 over HTTP/1.1. A version
// that others do not speak gets another name, and a meeting of the two ends before a byte of either is read.
inline constexpr const char* k_slipway_protocol = "slipway/1";

class TlsServerContext {
 public:
  // Speaks slipway/1 and, for operators' own tools, http/1.1, also with a client that names nothing. One that names only others is
  // refused in the handshake (alert no_application_protocol).
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

// Whom a client speaks to.
enum class TlsPeer {
  coordinator,  // offers slipway/1 alone, and ends the connection before any application byte when it was not chosen
  other,        // names no protocol: kube-apiserver, etcd, health ports
};

class TlsClientContext {
 public:
  // Trusts the CAs in `ca_pem`.
  static Result<std::shared_ptr<TlsClientContext>> make(std::string ca_pem, const ClientIdentity* identity,
                                                        TlsPeer peer = TlsPeer::other);
  // First contact with a coordinator: trusts exactly the CA whose DER has this SHA-256 (64 hex digits) and which the server sends in its chain.
  // Name, EKU, dates and signatures are checked as always, before any application byte is sent.
  static Result<std::shared_ptr<TlsClientContext>> make_pinned(std::string ca_sha256_hex);
  virtual ~TlsClientContext() = default;
};

}  // namespace slipway::http
