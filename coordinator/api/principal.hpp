#pragma once
// Who asks, from the certificate that the TLS layer verified against the fabric CA; and whether they may.
// Pure.
#include <memory>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/message.hpp"
#include "coordinator/domain/ca_rotation.hpp"
#include "coordinator/service/enrollment.hpp"
#include "proto/routes.hpp"

namespace slipway::api {

enum class PrincipalKind { anonymous, agent, person };

struct Principal {
  PrincipalKind kind = PrincipalKind::anonymous;
  std::string name;                        // common name: node or user
  proto::Role role = proto::Role::viewer;  // of a person: viewer, op or admin
  std::string serial;                      // of the certificate, lower-case hex
  AgentIdentity agent;  // of an agent; whether it is a live node is asked of the state at every request
};

// `certificate_der` empty: anonymous. Errc::denied when the certificate is neither an operator's nor an
// agent's of this cluster.
Result<Principal> principal_of(std::string_view certificate_der, std::string_view cluster_id);

// The same, read once a connection.
struct KnownPeer final : http::PeerIdentity {
  explicit KnownPeer(Result<Principal> who, std::string issuer = {}) : principal(std::move(who)), issuer_key_id(std::move(issuer)) {}
  const Result<Principal> principal;
  const std::string issuer_key_id;  // of the certificate, lower-case hex; empty: none that can be read
};
std::shared_ptr<const KnownPeer> known_peer(std::string_view certificate_der, std::string_view cluster_id);
// What KnownPeer says of the peer, or its certificate where nobody has asked before. Shared: asked several times a request.
Result<std::shared_ptr<const Principal>> principal_of(const http::Peer& peer, std::string_view cluster_id);

// Which connections to cut: asked of every one, so they look at what KnownPeer says and read no certificate again.
bool is_agent_of(const http::Peer& peer, std::string_view node_uid);
bool is_operator(const http::Peer& peer, std::string_view user);
// Whose certificate comes from a CA that is no longer of this line; not one whose issuer is unknown.
bool is_stranger(const http::Peer& peer, const CaLine& line);

// Errc::unauthenticated without a certificate, Errc::denied when the role does not reach.
Status authorize(proto::Role needed, const Principal& principal);

}  // namespace slipway::api
