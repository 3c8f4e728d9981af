#include "coordinator/ca/cert_check.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "common/crypto/oid.hpp"
#include "common/crypto/public_key.hpp"

namespace slipway {

namespace {

Error differs(std::string_view what) {
  return make_error(Errc::internal,
                    "the certificate just signed is wrong and was discarded: " + std::string(what));
}

Error forbidden(const CertSpec& spec, std::string_view why) {
  return make_error(Errc::denied, "refusing to sign O=\"" + spec.organization + "\" CN=\"" +
                                      spec.common_name + "\" for " + std::string(to_string(spec.usage)) +
                                      ": " + std::string(why));
}

// "system:" and "slipway:" names carry rights; each belongs to one usage.
Status check_reserved_name(const CertSpec& spec) {
  const std::string_view name = spec.common_name;
  if (!name.starts_with("system:") && !name.starts_with("slipway:")) return {};
  const auto allowed = [&spec, name] {
    switch (spec.usage) {
      case CertUsage::kubelet_client:
      case CertUsage::kubelet_serving:
        return name.starts_with("system:node:") && name.size() > 12;
      case CertUsage::kube_proxy:
        return name == "system:kube-proxy";
      case CertUsage::controller_manager:
        return name == "system:kube-controller-manager";
      case CertUsage::scheduler:
        return name == "system:kube-scheduler";
      case CertUsage::apiserver_kubelet_client:
        return name == "slipway:kube-apiserver";
      case CertUsage::coordinator_kube_client:
        return name == "slipway:coordinator";
      case CertUsage::coordinator_bootstrap:
        return name == "slipway:bootstrap";
      default:
        return false;
    }
  };
  return allowed() ? Status() : forbidden(spec, "the common name is reserved");
}

std::string_view organization_of(CertUsage usage) {
  switch (usage) {
    case CertUsage::kubelet_client:
    case CertUsage::kubelet_serving:
      return "system:nodes";
    case CertUsage::kube_proxy:
      return "system:node-proxier";
    case CertUsage::operator_admin:
      return "slipway:admin";
    case CertUsage::operator_op:
      return "slipway:operator";
    case CertUsage::operator_viewer:
      return "slipway:viewer";
    case CertUsage::kubeconfig_admin:
      return "slipway:cluster-admins";
    case CertUsage::coordinator_bootstrap:
      return "system:masters";
    default:
      return "";
  }
}

CaKind issuer_of(CertUsage usage) {
  switch (usage) {
    case CertUsage::agent:
    case CertUsage::coordinator_serving:
    case CertUsage::operator_admin:
    case CertUsage::operator_op:
    case CertUsage::operator_viewer:
      return CaKind::fabric;
    case CertUsage::kubelet_serving:
      return CaKind::kubelet_serving;
    case CertUsage::apiserver_serving:
      return CaKind::apiserver;
    case CertUsage::apiserver_etcd_client:
    case CertUsage::etcd_server:
    case CertUsage::etcd_peer:
      return CaKind::etcd;
    case CertUsage::front_proxy_client:
      return CaKind::front_proxy;
    case CertUsage::kubelet_client:
    case CertUsage::kube_proxy:
    case CertUsage::apiserver_kubelet_client:
    case CertUsage::controller_manager:
    case CertUsage::scheduler:
    case CertUsage::coordinator_kube_client:
    case CertUsage::kubeconfig_admin:
    case CertUsage::coordinator_bootstrap:
      break;
  }
  return CaKind::kube_client;
}

Status check_subject(const Certificate& certificate, const CertSpec& spec, const Certificate& ca) {
  if (certificate.issuer_der() != ca.subject_der()) return differs("issuer");
  if (certificate.common_name() != spec.common_name) return differs("common name");
  const std::vector<std::string> organizations =
      spec.organization.empty() ? std::vector<std::string>() : std::vector<std::string>{spec.organization};
  if (certificate.organizations() != organizations) return differs("organization");
  // Order and absence of anything else.
  const std::string text =
      (spec.organization.empty() ? "" : "O=" + spec.organization + ",") + "CN=" + spec.common_name;
  if (certificate.subject() != text) return differs("subject");
  return {};
}

Status check_extension_set(const Certificate& certificate, bool with_names) {
  std::vector<std::pair<std::string_view, bool>> wanted = {{oid::k_key_usage, true},
                                                           {oid::k_extended_key_usage, false},
                                                           {oid::k_basic_constraints, true},
                                                           {oid::k_subject_key_id, false},
                                                           {oid::k_authority_key_id, false}};
  if (with_names) wanted.emplace_back(oid::k_subject_alt_name, false);
  const auto& found = certificate.extensions();
  if (found.size() != wanted.size()) return differs("number of extensions");
  for (const auto& [oid, critical] : wanted) {
    const auto match = [oid = oid, critical = critical](const CertExtension& e) {
      return e.oid == oid && e.critical == critical;
    };
    if (std::none_of(found.begin(), found.end(), match)) return differs("set of extensions");
  }
  return {};
}

Status check_usage(const Certificate& certificate, const CertSpec& spec, KeyType type) {
  unsigned bits = 1U << static_cast<unsigned>(KeyUsage::digital_signature);
  if (type == KeyType::rsa) bits |= 1U << static_cast<unsigned>(KeyUsage::key_encipherment);
  if (certificate.key_usage_bits() != bits) return differs("key usage");
  if (certificate.is_ca()) return differs("basic constraints");
  const std::size_t count = (spec.eku.server_auth ? 1U : 0U) + (spec.eku.client_auth ? 1U : 0U);
  if (count == 0 || certificate.eku_oids().size() != count) return differs("number of extended key usages");
  if (certificate.has_eku(Eku::server_auth) != spec.eku.server_auth ||
      certificate.has_eku(Eku::client_auth) != spec.eku.client_auth) {
    return differs("extended key usage");
  }
  return {};
}

Status check_names(const Certificate& certificate, const CertSpec& spec) {
  if (certificate.dns_names() != spec.dns_names) return differs("DNS names");
  if (certificate.ip_addresses() != spec.ip_addresses) return differs("IP addresses");
  if (certificate.uris() != spec.uris) return differs("URIs");
  if (certificate.has_other_names()) return differs("alternative names of another kind");
  return {};
}

Status check_dates(const Certificate& certificate, Validity validity, const Certificate& ca) {
  if (certificate.not_before() != validity.not_before || certificate.not_after() != validity.not_after)
    return differs("validity");
  if (certificate.not_before() >= certificate.not_after())
    return differs("validity: it ends before it begins");
  if (certificate.not_before() < ca.not_before() || certificate.not_after() > ca.not_after()) {
    return differs("validity: it is not within its authority's");
  }
  return {};
}

Status check_keys(const Certificate& certificate, std::string_view spki_der, const Certificate& ca) {
  if (certificate.spki_der() != spki_der) return differs("public key");
  const auto id = key_identifier(spki_der);
  if (!id || certificate.subject_key_id() != *id) return differs("subject key identifier");
  if (certificate.authority_key_id().empty() || certificate.authority_key_id() != ca.subject_key_id()) {
    return differs("authority key identifier");
  }
  return {};
}

}  // namespace

Status check_spec(const CertSpec& spec) {
  if (spec.issuer != issuer_of(spec.usage)) return forbidden(spec, "another authority signs this usage");
  if (spec.organization != organization_of(spec.usage))
    return forbidden(spec, "the organization is not this usage's");
  if (spec.common_name.empty()) return forbidden(spec, "there is no common name");
  if (const auto reserved = check_reserved_name(spec); !reserved) return reserved;
  if (spec.usage == CertUsage::coordinator_bootstrap && spec.common_name != "slipway:bootstrap")
    return forbidden(spec, "system:masters is the coordinator's own, under its name");
  const bool to_api_server = spec.issuer == CaKind::kube_client;
  if (to_api_server && (!spec.dns_names.empty() || !spec.ip_addresses.empty() || !spec.uris.empty())) {
    return forbidden(spec, "clients of the API server have no alternative names");
  }
  if (to_api_server && spec.eku.server_auth) return forbidden(spec, "clients of the API server do not serve");
  const auto wildcard = [](const std::string& name) { return name.find('*') != std::string::npos; };
  if (std::any_of(spec.dns_names.begin(), spec.dns_names.end(), wildcard))
    return forbidden(spec, "wildcards are not signed");
  return {};
}

Status check_life(const CertSpec& spec, Validity validity) {
  const Seconds life = validity.not_after - validity.not_before;
  const bool too_long = (spec.usage == CertUsage::kubeconfig_admin && life > k_max_admin_life) ||
                        (spec.usage == CertUsage::coordinator_bootstrap && life > k_max_bootstrap_life);
  return too_long ? forbidden(spec, "it would live too long") : Status();
}

Status check_certificate(const Certificate& certificate, const ExpectedCert& expected,
                         const Certificate& ca) {
  const auto& spec = expected.spec;
  const auto type = check_public_key(certificate.spki_der());
  if (!type) return type.error();
  if (certificate.serial_hex() != expected.serial.hex()) return differs("serial number");
  const bool named = !spec.dns_names.empty() || !spec.ip_addresses.empty() || !spec.uris.empty();
  if (auto s = check_subject(certificate, spec, ca); !s) return s;
  if (auto s = check_extension_set(certificate, named); !s) return s;
  if (auto s = check_usage(certificate, spec, *type); !s) return s;
  if (auto s = check_names(certificate, spec); !s) return s;
  if (auto s = check_dates(certificate, expected.validity, ca); !s) return s;
  return check_keys(certificate, expected.spki_der, ca);
}

}  // namespace slipway
