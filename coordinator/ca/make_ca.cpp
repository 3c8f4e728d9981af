#include "coordinator/ca/make_ca.hpp"

#include <chrono>

#include "common/core/text.hpp"
#include "common/crypto/name.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/tbs.hpp"

namespace slipway {

namespace {

constexpr Seconds k_ca_backdate{3600};  // more than a leaf's, so that no leaf begins before its CA
constexpr Seconds k_ca_life{3650L * 86400};

struct CaShape {
  std::string_view label;
  UsageBits eku;
};

CaShape shape_of(CaKind kind) {
  switch (kind) {
    case CaKind::fabric:
      return {"fabric", {true, true}};
    case CaKind::kube_client:
      return {"kubernetes-client", {false, true}};
    case CaKind::kubelet_serving:
      return {"kubelet-serving", {true, false}};
    case CaKind::apiserver:
      return {"kubernetes-api", {true, false}};
    case CaKind::front_proxy:
      return {"front-proxy", {false, true}};
    case CaKind::etcd:
      return {"etcd", {true, true}};
  }
  return {"unknown", {}};
}

// Year and key id keep the names of successive CAs apart, so that a chain never finds the wrong one by name.
std::string ca_name(const ProfileCluster& cluster, CaKind kind, const PrivateKey& key, WallTime now) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(now));
  return cluster.name.substr(0, 32) + " " + std::string(shape_of(kind).label) + " " +
         std::to_string(static_cast<int>(date.year())) + " " + to_hex(key.key_id().substr(0, 4));
}

// What a kubelet may never be, even if everything before the signature were tricked: see check_node_name().
Result<tbs::NameConstraints> kubelet_constraints(const ProfileCluster& cluster) {
  tbs::NameConstraints constraints;
  constraints.permitted_addresses = cluster.node_cidrs;
  constraints.excluded_names = {"kubernetes", "default", "svc", "localhost"};
  if (!cluster.dns_domain.empty()) constraints.excluded_names.push_back(cluster.dns_domain);
  constraints.excluded_addresses = cluster.pod_cidrs;
  constraints.excluded_addresses.insert(constraints.excluded_addresses.end(), cluster.service_cidrs.begin(),
                                        cluster.service_cidrs.end());
  for (const char* text : {"127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10"}) {
    const auto block = Cidr::parse(text);
    if (!block) return block.error();
    constraints.excluded_addresses.push_back(*block);
  }
  return constraints;
}

}  // namespace

Result<CertificateAuthority> make_ca(CaKind kind, std::uint64_t number, const ProfileCluster& cluster, WallTime now) {
  auto key = PrivateKey::generate_p256();
  if (!key) return key.error();
  const auto serial = Serial::from_random(random_bytes(16));
  if (!serial) return serial.error();
  std::string extensions = tbs::ca_key_usage() + tbs::extended_key_usage(shape_of(kind).eku) +
                           tbs::ca_constraints() + tbs::subject_key_id(key->key_id()) +
                           tbs::authority_key_id(key->key_id());
  if (kind == CaKind::kubelet_serving) {
    const auto constraints = kubelet_constraints(cluster);
    if (!constraints) return constraints.error();
    extensions += tbs::name_constraints(*constraints);
  }
  const auto name = write_name("", ca_name(cluster, kind, *key, now));
  const Validity validity{now - k_ca_backdate, now + k_ca_life};
  const auto bytes = tbs::sign({serial->bytes(), name, name, validity, key->spki_der(), extensions}, *key);
  if (!bytes) return bytes.error();
  auto certificate = Certificate::from_der(*bytes);
  if (!certificate) return certificate.error();
  return assemble_ca(number, {std::move(*certificate)}, std::move(*key));
}

}  // namespace slipway
