#pragma once
// CaKeys with files below the CA folder and a FileSigner.
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/ports/ca_keys.hpp"

namespace slipway {

class FileCaKeys final : public CaKeys {
 public:
  // `signer` outlives this. `import_dir`: where import() looks, "<kind>-ca.crt" and "<kind>-ca.key". `passphrase`: keys made are encrypted with it.
  FileCaKeys(std::string dir, std::string import_dir, std::optional<Secret> passphrase, const Authority& authority,
             FileSigner& signer);

  Result<CaFacts> make(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, WallTime now) override;
  Result<CaFacts> import(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, const Lifetimes& lifetimes,
                         WallTime now) override;
  Result<std::string> bundle_pem(CaKind kind, const std::vector<std::uint64_t>& numbers) override;
  Status use(const CaLine& line) override;
  Status destroy_key(CaKind kind, std::uint64_t number) override;

  // After a crash between a retire and the deletion of its key: deletes keys of CAs that `lines` once knew and do not any more.
  // Keys with a number above last_number are left: a state restored from a backup knows less than there was.
  Status tidy(const std::map<CaKind, CaLine>& lines);

 private:
  using Key = std::pair<CaKind, std::uint64_t>;
  Result<CaFacts> keep(CaKind kind, CertificateAuthority ca);
  std::uint64_t free_number(CaKind kind, std::uint64_t after) const;
  CaPtr find(CaKind kind, std::uint64_t number);

  std::string dir_, import_dir_;
  std::optional<Secret> passphrase_;
  FileSigner& signer_;
  std::mutex mutex_;
  std::map<Key, CaPtr> known_;
};

}  // namespace slipway
