#include "coordinator/ca/import_ca.hpp"

#include <algorithm>

#include "common/crypto/chain_verify.hpp"
#include "common/crypto/oid.hpp"
#include "common/crypto/random.hpp"
#include "common/files/tree.hpp"
#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/issue.hpp"

namespace slipway {

namespace {

struct Candidate {
  CaKind kind;
  std::string path;
  const ProfileCluster& cluster;
  const Lifetimes& lifetimes;
  WallTime now;

  Error refuse(const std::string& why) const {
    return make_error(Errc::invalid, "importing the " + std::string(to_string(kind)) + " authority from " + path + ": " + why);
  }
};

bool is_self_signed(const Certificate& certificate) {
  return certificate.subject_der() == certificate.issuer_der();
}

bool has_critical_constraints(const Certificate& certificate) {
  const auto& extensions = certificate.extensions();
  return std::any_of(extensions.begin(), extensions.end(),
                     [](const CertExtension& e) { return e.oid == oid::k_basic_constraints && e.critical; });
}

Status check_is_ca(const Candidate& candidate, const Certificate& certificate) {
  const std::string who = "\"" + certificate.subject() + "\"";
  if (!certificate.is_ca()) return candidate.refuse(who + " is no certificate authority (basicConstraints lacks CA:TRUE)");
  if (!has_critical_constraints(certificate)) return candidate.refuse("the basicConstraints of " + who + " must be critical");
  if (!certificate.has_key_usage(KeyUsage::key_cert_sign)) return candidate.refuse(who + " may not sign certificates (keyUsage lacks keyCertSign)");
  if (certificate.subject_key_id().empty()) return candidate.refuse(who + " has no subject key identifier");
  return {};
}

Seconds longest(const Lifetimes& lifetimes) {
  return std::max({lifetimes.node, lifetimes.serving, lifetimes.control_plane, lifetimes.coordinator, lifetimes.admin,
                   lifetimes.operators});
}

Status check_dates(const Candidate& candidate, const std::vector<Certificate>& chain) {
  for (const Certificate& certificate : chain) {
    const std::string who = "\"" + certificate.subject() + "\"";
    if (certificate.not_before() > candidate.now) {
      return candidate.refuse(who + " is valid only from " + to_rfc3339(certificate.not_before()) + ", this host's clock says " + to_rfc3339(candidate.now));
    }
    if (certificate.not_after() <= candidate.now) return candidate.refuse(who + " ended at " + to_rfc3339(certificate.not_after()));
    if (certificate.not_after() < candidate.now + 2 * longest(candidate.lifetimes)) {
      return candidate.refuse(who + " ends at " + to_rfc3339(certificate.not_after()) + ", too soon: it must outlast two lives of the longest certificate (" +
                              to_duration_text(2 * longest(candidate.lifetimes)) + ")");
    }
  }
  return {};
}

Status check_chain(const Candidate& candidate, const std::vector<Certificate>& chain) {
  for (const Certificate& certificate : chain) {
    if (const auto ca = check_is_ca(candidate, certificate); !ca) return ca;
  }
  if (!is_self_signed(chain.back())) {
    return candidate.refuse("\"" + chain.back().subject() + "\" was signed by \"" + chain.back().issuer() +
                            "\", which is not in the file: append the issuers up to the root");
  }
  if (const auto dates = check_dates(candidate, chain); !dates) return dates;
  const std::vector<Certificate> between(chain.begin() + 1, chain.size() > 1 ? chain.end() - 1 : chain.end());
  const auto verified = verify_chain(chain.front(), between, chain.back(), ChainPurpose::any, candidate.now);
  if (!verified) return candidate.refuse("the chain does not hold: " + verified.error().message);
  return {};
}

// A master can have every certificate there is. Name and address are such as nodes of this cluster will have.
ProfileInput probe_input(const ProfileCluster& cluster) {
  ProfileInput input;
  input.cluster = cluster;
  input.node.name = "slipway-probe";
  input.node.uid = "00000000-0000-4000-8000-000000000000";
  input.node.generation = 1;
  input.node.master = true;
  const auto fallback = IpAddress::parse("192.0.2.1");
  input.node.addresses = {cluster.node_cidrs.empty() ? *fallback : cluster.node_cidrs.front().at(1)};
  input.user_name = "probe";
  return input;
}

Status probe_usage(const Candidate& candidate, const CertificateAuthority& ca, const std::vector<Certificate>& chain, CertUsage usage) {
  const auto spec = profile(usage, probe_input(candidate.cluster));
  if (!spec) return spec.error();
  const auto key = PrivateKey::generate_p256();
  if (!key) return key.error();
  const auto serial = Serial::from_random(random_bytes(16));
  if (!serial) return serial.error();
  const Validity validity = validity_of(spec->validity, candidate.lifetimes, candidate.now);
  const auto made = issue_certificate(ca, *spec, key->spki_der(), *serial, validity.not_before, validity.not_after);
  if (!made) return candidate.refuse("it cannot sign a certificate for " + std::string(to_string(usage)) + ": " + made.error().message);
  const auto leaf = Certificate::from_der(made->der);
  if (!leaf) return leaf.error();
  const std::vector<Certificate> between(chain.begin(), chain.end() - 1);
  for (const auto& [wanted, purpose] : {std::pair(spec->eku.server_auth, ChainPurpose::server), std::pair(spec->eku.client_auth, ChainPurpose::client)}) {
    if (!wanted) continue;
    const auto verified = verify_chain(*leaf, between, chain.back(), purpose, candidate.now);
    if (!verified) {
      return candidate.refuse("a certificate for " + std::string(to_string(usage)) + " from it would not be accepted: " + verified.error().message);
    }
  }
  return {};
}

}  // namespace

Result<CertificateAuthority> import_ca(const std::string& dir, CaKind kind, const Secret* passphrase,
                                       const ProfileCluster& cluster, const Lifetimes& lifetimes, WallTime now) {
  const Candidate candidate{kind, ca_file(dir, kind, 1, "crt"), cluster, lifetimes, now};
  const auto chain = read_ca_chain(candidate.path);
  if (!chain) return error_of(chain, "importing the " + std::string(to_string(kind)) + " authority");
  if (const auto whole = check_chain(candidate, *chain); !whole) return whole.error();
  auto ca = read_ca(dir, kind, 1, passphrase);
  if (!ca) return candidate.refuse(ca.error().message);
  for (const CertUsage usage : k_cert_usages) {
    if (ca_of(usage) != kind) continue;
    if (const auto probed = probe_usage(candidate, *ca, *chain, usage); !probed) return probed.error();
  }
  return ca;
}

}  // namespace slipway
