#include "coordinator/api/principal.hpp"

#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway::api {

namespace {

Error not_ours() {
  return make_error(Errc::denied,
                    "the client certificate is neither an operator's nor one of an agent of this cluster");
}

Result<proto::Role> role_of(const std::string& organization) {
  if (organization == "slipway:admin") return proto::Role::admin;
  if (organization == "slipway:operator") return proto::Role::op;
  if (organization == "slipway:viewer") return proto::Role::viewer;
  return not_ours();
}

Result<Principal> agent_of(const Certificate& certificate, std::string_view cluster_id) {
  if (certificate.uris().size() != 1) return not_ours();
  const auto uri = parse_agent_uri(certificate.uris().front());
  if (!uri || uri->cluster_id != cluster_id) return not_ours();
  Principal principal;
  principal.kind = PrincipalKind::agent;
  principal.name = certificate.common_name();
  principal.serial = certificate.serial_hex();
  principal.agent = {uri->node_uid, uri->generation, principal.serial};
  return principal;
}

int rank_of(proto::Role role) {
  switch (role) {
    case proto::Role::viewer:
      return 1;
    case proto::Role::op:
      return 2;
    case proto::Role::admin:
      return 3;
    default:
      return 0;
  }
}

Result<Principal> principal_in(const Certificate& certificate, std::string_view cluster_id) {
  if (!certificate.has_eku(Eku::client_auth)) return not_ours();
  if (certificate.organizations().empty()) return agent_of(certificate, cluster_id);
  // An operator's certificate has one organization and no names; anything else is none that we issued.
  if (certificate.organizations().size() != 1 || certificate.has_san()) return not_ours();
  const auto role = role_of(certificate.organizations().front());
  if (!role) return role.error();
  Principal principal;
  principal.kind = PrincipalKind::person;
  principal.name = certificate.common_name();
  principal.role = *role;
  principal.serial = certificate.serial_hex();
  return principal;
}

const KnownPeer* known(const http::Peer& peer) { return dynamic_cast<const KnownPeer*>(peer.identity.get()); }

}  // namespace

Result<Principal> principal_of(std::string_view certificate_der, std::string_view cluster_id) {
  if (certificate_der.empty()) return Principal{};
  const auto certificate = Certificate::from_der(certificate_der);
  return certificate ? principal_in(*certificate, cluster_id) : Result<Principal>(not_ours());
}

std::shared_ptr<const KnownPeer> known_peer(std::string_view certificate_der, std::string_view cluster_id) {
  if (certificate_der.empty()) return std::make_shared<const KnownPeer>(Principal{});
  const auto certificate = Certificate::from_der(certificate_der);
  if (!certificate) return std::make_shared<const KnownPeer>(not_ours());
  return std::make_shared<const KnownPeer>(principal_in(*certificate, cluster_id), to_hex(certificate->authority_key_id()));
}

bool is_agent_of(const http::Peer& peer, std::string_view node_uid) {
  const KnownPeer* who = known(peer);
  return who != nullptr && who->principal && who->principal->kind == PrincipalKind::agent && who->principal->agent.uid == node_uid;
}

bool is_operator(const http::Peer& peer, std::string_view user) {
  const KnownPeer* who = known(peer);
  return who != nullptr && who->principal && who->principal->kind == PrincipalKind::person && who->principal->name == user;
}

bool is_stranger(const http::Peer& peer, const CaLine& line) {
  const KnownPeer* who = known(peer);
  if (who == nullptr || who->issuer_key_id.empty()) return false;
  return who->issuer_key_id != line.signing.key_id && (!line.other || who->issuer_key_id != line.other->key_id);
}

Result<std::shared_ptr<const Principal>> principal_of(const http::Peer& peer, std::string_view cluster_id) {
  if (const auto known = std::dynamic_pointer_cast<const KnownPeer>(peer.identity)) {
    if (!known->principal) return known->principal.error();
    return std::shared_ptr<const Principal>(known, &*known->principal);
  }
  auto principal = principal_of(peer.certificate_der(), cluster_id);
  if (!principal) return principal.error();
  return std::make_shared<const Principal>(std::move(*principal));
}

Status authorize(proto::Role needed, const Principal& principal) {
  if (needed == proto::Role::none) return {};
  if (principal.kind == PrincipalKind::anonymous) {
    return make_error(Errc::unauthenticated,
                      "this route asks for a client certificate of the cluster and none was presented");
  }
  if (principal.kind == PrincipalKind::agent) {
    if (needed == proto::Role::agent || needed == proto::Role::artifact) return {};
    return make_error(Errc::denied, "this route is for operators, the certificate is a node's");
  }
  if (needed == proto::Role::artifact) return {};
  if (needed == proto::Role::agent)
    return make_error(Errc::denied, "this route is for agents, the certificate is an operator's");
  if (rank_of(principal.role) >= rank_of(needed)) return {};
  return make_error(Errc::denied, "this route asks for the role " + std::string(proto::to_string(needed)) +
                                      ", the certificate of \"" + principal.name + "\" gives " +
                                      std::string(proto::to_string(principal.role)));
}

}  // namespace slipway::api
