#include "coordinator/ca/authority.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "common/core/text.hpp"
#include "common/files/tree.hpp"
#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/import_ca.hpp"
#include "coordinator/ca/make_ca.hpp"

namespace slipway {

namespace {

// One key for two CAs would undo their separation.
Status check_apart(const std::map<CaKind, CaSet>& cas) {
  std::map<std::string, std::string> owners;  // public key -> whose
  for (const auto& [kind, set] : cas) {
    for (const CaPtr& ca : {set.signing, set.other}) {
      if (ca == nullptr) continue;
      const auto [at, fresh] = owners.emplace(ca->key.spki_der(), to_string(kind));
      if (!fresh) {
        return make_error(Errc::corrupt, "the authorities " + at->second + " and " + std::string(to_string(kind)) +
                                             " have the same key");
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

// The state says which CA it is; files of another time or cluster are not taken for it.
Result<CaPtr> load_one(const std::string& dir, CaKind kind, std::uint64_t number, const std::string& sha256,
                       const Secret* passphrase) {
  auto ca = read_ca(dir, kind, number, passphrase);
  if (!ca) return error_of(ca, "loading the " + std::string(to_string(kind)) + " authority");
  if (!sha256.empty() && ca->certificate.sha256_hex() != sha256) {
    return make_error(Errc::corrupt, ca_file(dir, kind, number, "crt") +
                                         " is not the authority that the state knows (SHA-256 " + sha256 +
                                         "): restore state and keys from the same backup");
  }
  return std::make_shared<const CertificateAuthority>(std::move(*ca));
}

Result<CaSet> load_set(const std::string& dir, CaKind kind, const LoadOptions& options) {
  const auto found = options.lines.find(kind);
  const bool known = found != options.lines.end();
  auto signing = load_one(dir, kind, known ? found->second.signing.number : 1,
                          known ? found->second.signing.sha256 : std::string(), options.passphrase);
  if (!signing) return signing.error();
  CaSet set{std::move(*signing), nullptr, CaPhase::stable};
  if (!known || !found->second.other) return set;
  const CaFacts& facts = *found->second.other;
  auto other = load_one(dir, kind, facts.number, facts.sha256, options.passphrase);
  if (!other) return other.error();
  set.other = std::move(*other);
  set.phase = found->second.phase;
  return set;
}

Result<CaSet> make_set(CaKind kind, const ProfileCluster& cluster, WallTime now) {
  auto ca = make_ca(kind, 1, cluster, now);
  if (!ca) return error_of(ca, "making the " + std::string(to_string(kind)) + " authority");
  return CaSet{std::make_shared<const CertificateAuthority>(std::move(*ca)), nullptr, CaPhase::stable};
}

Result<PrivateKey> make_service_account_key() {
  auto key = PrivateKey::generate_rsa2048();
  if (!key) return error_of(key, "making the service account key");
  return key;
}

}  // namespace

CaFacts facts_of(const CertificateAuthority& ca) {
  const Certificate& certificate = ca.certificate;
  return {ca.number, certificate.sha256_hex(), certificate.serial_hex(), to_hex(certificate.subject_key_id()),
          certificate.common_name().empty() ? certificate.subject() : certificate.common_name(), certificate.not_before(),
          certificate.not_after()};
}

Result<Authority> Authority::create(const ProfileCluster& cluster, WallTime now) {
  std::map<CaKind, CaSet> cas;
  for (const auto kind : k_ca_kinds) {
    auto set = make_set(kind, cluster, now);
    if (!set) return set.error();
    cas.emplace(kind, std::move(*set));
  }
  auto key = make_service_account_key();
  if (!key) return key.error();
  return Authority(std::move(cas), std::move(*key));
}

Result<Authority> Authority::create_from(const std::string& dir, const Secret* passphrase, const ProfileCluster& cluster,
                                         const Lifetimes& lifetimes, WallTime now) {
  std::map<CaKind, CaSet> cas;
  std::size_t imported = 0;
  for (const auto kind : k_ca_kinds) {
    if (!path_exists(ca_file(dir, kind, 1, "crt"))) {
      auto set = make_set(kind, cluster, now);
      if (!set) return set.error();
      cas.emplace(kind, std::move(*set));
      continue;
    }
    auto ca = import_ca(dir, kind, passphrase, cluster, lifetimes, now);
    if (!ca) return ca.error();
    ++imported;
    cas.emplace(kind, CaSet{std::make_shared<const CertificateAuthority>(std::move(*ca)), nullptr, CaPhase::stable});
  }
  const std::string account = dir + "/service-account.key";
  const bool has_account = path_exists(account);
  if (imported == 0 && !has_account) {
    return make_error(Errc::not_found, "importing: there is no authority in " + dir + "; put e.g. fabric-ca.crt and fabric-ca.key there");
  }
  if (const auto apart = check_apart(cas); !apart) return make_error(Errc::invalid, "importing: " + apart.error().message);
  auto key = has_account ? read_key(account, passphrase) : make_service_account_key();
  if (!key) return key.error();
  if (key->type() != KeyType::rsa) return make_error(Errc::invalid, account + " is no RSA key: kube-controller-manager signs with RSA");
  return Authority(std::move(cas), std::move(*key));
}

Result<Authority> Authority::load(const std::string& dir, const LoadOptions& options) {
  if (const auto owned = check_owner(dir); !owned)
    return error_of(owned, "loading the certificate authorities");
  std::map<CaKind, CaSet> cas;
  for (const auto kind : k_ca_kinds) {
    auto set = load_set(dir, kind, options);
    if (!set) return set.error();
    cas.emplace(kind, std::move(*set));
  }
  if (const auto apart = check_apart(cas); !apart) return apart.error();
  auto service_account_key = read_key(dir + "/service-account.key", options.passphrase);
  if (!service_account_key) return error_of(service_account_key, "loading the service account key");
  return Authority(std::move(cas), std::move(*service_account_key));
}

Status Authority::write_files(const std::string& dir, std::optional<FileOwner> owner, const Secret* passphrase) const {
  for (const auto& [kind, set] : cas_) {
    if (auto s = write_ca(dir, kind, *set.signing, passphrase, owner); !s) return s;
  }
  if (auto s = write_key(dir + "/service-account.key", service_account_key_, passphrase, owner); !s) return s;
  return write_file_atomically(dir + "/service-account.pub", service_account_key_.public_pem(), 0644, owner);
}

Status Authority::save(const std::string& dir, std::optional<FileOwner> owner, const Secret* passphrase) const {
  if (path_exists(dir)) {
    return make_error(Errc::conflict, "writing the certificate authorities: " + dir +
                                          " is there already and is not overwritten");
  }
  // Made beside and renamed into place: an interrupted init leaves no half set. What one left behind goes
  // first.
  const std::string fresh = dir + ".new";
  if (auto s = remove_tree(fresh); !s) return s;
  if (auto s = make_dirs(fresh, 0700); !s) return s;
  auto written = write_files(fresh, owner, passphrase);
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
