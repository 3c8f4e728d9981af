#include "coordinator/ca/authority.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <vector>

#include "common/core/text.hpp"
#include "common/crypto/name.hpp"
#include "common/crypto/random.hpp"
#include "common/files/tree.hpp"
#include "coordinator/ca/tbs.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 16384;
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

Result<CertificateAuthority> make_ca(CaKind kind, const ProfileCluster& cluster, WallTime now) {
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
  std::string pem = certificate->pem();
  return CertificateAuthority{std::move(*certificate), std::move(*key), std::move(pem)};
}

std::string file_of(const std::string& dir, CaKind kind, std::string_view suffix) {
  return dir + "/" + std::string(to_string(kind)) + "-ca." + std::string(suffix);
}

// read_secret_file() checks who may read; this checks who could have written.
Status check_owner(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return from_errno("look at " + path, errno);
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return make_error(Errc::denied, path + " belongs to user id " + std::to_string(info.st_uid) +
                                        ", not to " + std::to_string(::geteuid()) + "; run: chown " +
                                        std::to_string(::geteuid()) + " " + path);
  }
  if ((info.st_mode & 022) != 0) {
    return make_error(Errc::denied,
                      path + " can be written by others than its owner; run: chmod go-w " + path);
  }
  return {};
}

Result<PrivateKey> load_key(const std::string& path) {
  if (const auto owned = check_owner(path); !owned) return owned.error();
  const auto pem = read_secret_file(path, k_max_file);
  if (!pem) return pem.error();
  auto key = PrivateKey::from_pem(*pem);
  if (!key) return error_of(key, path);
  return key;
}

Result<CertificateAuthority> load_ca(const std::string& dir, CaKind kind) {
  const std::string path = file_of(dir, kind, "crt");
  if (const auto owned = check_owner(path); !owned) return owned.error();
  const auto text = read_file(path, k_max_file);
  if (!text) return text.error();
  auto certificate = Certificate::from_pem(*text);
  if (!certificate) return error_of(certificate, path);
  auto key = load_key(file_of(dir, kind, "key"));
  if (!key) return key.error();
  if (!certificate->matches(*key))
    return make_error(Errc::corrupt, path + " is not the certificate of the key beside it");
  if (!certificate->is_ca() || !certificate->has_key_usage(KeyUsage::key_cert_sign)) {
    return make_error(Errc::corrupt, path + " is not a certificate authority's certificate");
  }
  std::string pem = certificate->pem();
  return CertificateAuthority{std::move(*certificate), std::move(*key), std::move(pem)};
}

// One key for two CAs would undo their separation.
Status check_apart(const std::map<CaKind, CertificateAuthority>& cas) {
  for (const auto& [kind, ca] : cas) {
    for (const auto& [other, with] : cas) {
      if (kind < other && ca.key.spki_der() == with.key.spki_der()) {
        return make_error(Errc::corrupt, "the authorities " + std::string(to_string(kind)) + " and " +
                                             std::string(to_string(other)) + " have the same key");
      }
    }
  }
  return {};
}

Status give(const std::string& dir, std::optional<FileOwner> owner) {
  if (owner && ::chown(dir.c_str(), owner->uid, owner->gid) != 0)
    return from_errno("change the owner of " + dir, errno);
  return {};
}

}  // namespace

Result<Authority> Authority::create(const ProfileCluster& cluster, WallTime now) {
  std::map<CaKind, CertificateAuthority> cas;
  for (const auto kind : k_ca_kinds) {
    auto ca = make_ca(kind, cluster, now);
    if (!ca) return error_of(ca, "making the " + std::string(to_string(kind)) + " authority");
    cas.emplace(kind, std::move(*ca));
  }
  auto service_account_key = PrivateKey::generate_rsa2048();
  if (!service_account_key) return error_of(service_account_key, "making the service account key");
  return Authority(std::move(cas), std::move(*service_account_key));
}

Result<Authority> Authority::load(const std::string& dir) {
  if (const auto owned = check_owner(dir); !owned)
    return error_of(owned, "loading the certificate authorities");
  std::map<CaKind, CertificateAuthority> cas;
  for (const auto kind : k_ca_kinds) {
    auto ca = load_ca(dir, kind);
    if (!ca) return error_of(ca, "loading the " + std::string(to_string(kind)) + " authority");
    cas.emplace(kind, std::move(*ca));
  }
  if (const auto apart = check_apart(cas); !apart) return apart.error();
  auto service_account_key = load_key(dir + "/service-account.key");
  if (!service_account_key) return error_of(service_account_key, "loading the service account key");
  return Authority(std::move(cas), std::move(*service_account_key));
}

Status Authority::write_files(const std::string& dir, std::optional<FileOwner> owner) const {
  for (const auto& [kind, ca] : cas_) {
    const auto key_pem = ca.key.to_pem();
    if (!key_pem) return key_pem.error();
    if (auto s = write_file_atomically(file_of(dir, kind, "key"), key_pem->reveal(), 0600, owner); !s)
      return s;
    if (auto s = write_file_atomically(file_of(dir, kind, "crt"), ca.pem, 0644, owner); !s) return s;
  }
  const auto key_pem = service_account_key_.to_pem();
  if (!key_pem) return key_pem.error();
  if (auto s = write_file_atomically(dir + "/service-account.key", key_pem->reveal(), 0600, owner); !s)
    return s;
  return write_file_atomically(dir + "/service-account.pub", service_account_key_.public_pem(), 0644, owner);
}

Status Authority::save(const std::string& dir, std::optional<FileOwner> owner) const {
  if (path_exists(dir)) {
    return make_error(Errc::conflict, "writing the certificate authorities: " + dir +
                                          " is there already and is not overwritten");
  }
  // Made beside and renamed into place: an interrupted init leaves no half set. What one left behind goes
  // first.
  const std::string fresh = dir + ".new";
  if (auto s = remove_tree(fresh); !s) return s;
  if (auto s = make_dirs(fresh, 0700); !s) return s;
  auto written = write_files(fresh, owner);
  if (written) written = give(fresh, owner);
  if (written && ::rename(fresh.c_str(), dir.c_str()) != 0)
    written = from_errno("rename " + fresh + " to " + dir, errno);
  if (!written) {
    (void)remove_tree(fresh);  // the first error is the one that counts
    return error_of(written, "writing the certificate authorities");
  }
  return sync_dir(parent_path(dir));
}

}  // namespace slipway
