#pragma once
// The cluster's certificate authorities and the service account key: made once, kept as files, held in
// memory. Layout of the files: coordinator/ca/ca_files.hpp.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/core/time.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/domain/ca_rotation.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

struct CertificateAuthority {
  Certificate certificate;
  PrivateKey key;
  std::string pem;           // its certificate alone: what verifiers trust
  std::uint64_t number = 1;  // see CaFacts
  std::string issuers_pem;   // of an intermediate: what is above it, up to the root
  std::string sent_pem;      // of an intermediate: what its certificates are sent with, without the root; else empty
  Secret key_uri;            // of a key that stays in its token; else empty
};
using CaPtr = std::shared_ptr<const CertificateAuthority>;

CaFacts facts_of(const CertificateAuthority& ca);

// The one or two CAs of a kind that count, see CaLine.
struct CaSet {
  CaPtr signing;
  CaPtr other;  // may be null
  CaPhase phase = CaPhase::stable;
};

struct LoadOptions {
  const Secret* passphrase = nullptr;  // borrowed for the call; null: keys are not encrypted
  // By the state; a kind that is missing has its first CA alone.
  std::map<CaKind, CaLine> lines = {};
};

// Not changed once made: const members may be called from any thread.
class Authority {
 public:
  // New keys for a new cluster: six P-256 CAs of ten years and an RSA-2048 key. About 150 ms, nothing is
  // written.
  static Result<Authority> create(const ProfileCluster& cluster, WallTime now);

  // With those CAs from `dir` that are there, "<kind>-ca.crt" with "<kind>-ca.key" (and "service-account.key"); the others are
  // made. Errc::invalid says what does not fit, Errc::not_found when there is none at all. `passphrase`: of encrypted keys.
  static Result<Authority> create_from(const std::string& dir, const Secret* passphrase, const ProfileCluster& cluster,
                                       const Lifetimes& lifetimes, WallTime now);

  // Refuses keys that others than the owner may read or that somebody else owns, with the command that mends
  // it, sets whose parts do not belong together, and files that are not those of the state.
  static Result<Authority> load(const std::string& dir, const LoadOptions& options = {});

  // The whole set appears under `dir` at once, or nothing does. Errc::conflict when `dir` exists: a CA is
  // never overwritten. Keys are encrypted when there is a passphrase.
  Status save(const std::string& dir, std::optional<FileOwner> owner, const Secret* passphrase = nullptr) const;

  // The one that signs.
  const CertificateAuthority& ca(CaKind kind) const { return *set(kind).signing; }
  const CaSet& set(CaKind kind) const { return cas_.find(kind)->second; }
  const PrivateKey& service_account_key() const { return service_account_key_; }

 private:
  Authority(std::map<CaKind, CaSet> cas, PrivateKey service_account_key)
      : cas_(std::move(cas)), service_account_key_(std::move(service_account_key)) {}
  Status write_files(const std::string& dir, std::optional<FileOwner> owner, const Secret* passphrase) const;

  std::map<CaKind, CaSet> cas_;  // all kinds
  PrivateKey service_account_key_;
};

}  // namespace slipway
