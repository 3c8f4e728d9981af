#include "coordinator/ca/file_ca_keys.hpp"

#include "coordinator/ca/ca_files.hpp"
#include "coordinator/ca/import_ca.hpp"
#include "coordinator/ca/make_ca.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

const Secret* pointer_to(const std::optional<Secret>& secret) {
  return secret ? &*secret : nullptr;
}

Error unknown(CaKind kind, std::uint64_t number) {
  return make_error(Errc::internal, "the " + std::string(to_string(kind)) + " authority number " + std::to_string(number) + " is not loaded");
}

}  // namespace

FileCaKeys::FileCaKeys(std::string dir, std::string import_dir, std::optional<Secret> passphrase, const Authority& authority,
                       FileSigner& signer)
    : dir_(std::move(dir)), import_dir_(std::move(import_dir)), passphrase_(std::move(passphrase)), signer_(signer) {
  for (const CaKind kind : k_ca_kinds) {
    const CaSet& set = authority.set(kind);
    for (const CaPtr& ca : {set.signing, set.other}) {
      if (ca != nullptr) known_[{kind, ca->number}] = ca;
    }
  }
}

CaPtr FileCaKeys::find(CaKind kind, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find({kind, number});
  return found == known_.end() ? nullptr : found->second;
}

// Files without a record are of a crash, or of a future that a restored backup does not know: none is overwritten.
std::uint64_t FileCaKeys::free_number(CaKind kind, std::uint64_t after) const {
  std::uint64_t number = after + 1;
  while (path_exists(ca_file(dir_, kind, number, "crt")) || path_exists(ca_file(dir_, kind, number, "key")) ||
         path_exists(ca_file(dir_, kind, number, "uri"))) {
    ++number;
  }
  return number;
}

Result<CaFacts> FileCaKeys::keep(CaKind kind, CertificateAuthority ca) {
  const auto held = std::make_shared<const CertificateAuthority>(std::move(ca));
  const std::lock_guard lock(mutex_);
  known_[{kind, held->number}] = held;
  return facts_of(*held);
}

Result<CaFacts> FileCaKeys::make(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, WallTime now) {
  auto ca = make_ca(kind, free_number(kind, after), cluster, now);
  if (!ca) return error_of(ca, "making the " + std::string(to_string(kind)) + " authority");
  if (const auto written = write_ca(dir_, kind, *ca, pointer_to(passphrase_), {}); !written) return written.error();
  return keep(kind, std::move(*ca));
}

Result<CaFacts> FileCaKeys::import(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, const Lifetimes& lifetimes,
                                   WallTime now) {
  auto ca = import_ca(import_dir_, kind, pointer_to(passphrase_), cluster, lifetimes, now);
  if (!ca) return ca.error();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, known] : known_) {
      if (known->key.spki_der() == ca->key.spki_der()) {
        return make_error(Errc::invalid, "the authority in " + import_dir_ + " has the key of the " + std::string(to_string(key.first)) +
                                             " authority number " + std::to_string(key.second) + ": each needs a key of its own");
      }
    }
  }
  ca->number = free_number(kind, after);
  if (const auto written = write_ca(dir_, kind, *ca, pointer_to(passphrase_), {}); !written) return written.error();
  return keep(kind, std::move(*ca));
}

Result<std::string> FileCaKeys::bundle_pem(CaKind kind, const std::vector<std::uint64_t>& numbers) {
  std::string bundle;
  for (const std::uint64_t number : numbers) {
    const CaPtr ca = find(kind, number);
    if (ca == nullptr) return unknown(kind, number);
    bundle += ca->pem;
  }
  return bundle;
}

Status FileCaKeys::use(const CaLine& line) {
  CaSet set{find(line.kind, line.signing.number), nullptr, line.phase};
  if (set.signing == nullptr) return unknown(line.kind, line.signing.number);
  if (line.other) {
    set.other = find(line.kind, line.other->number);
    if (set.other == nullptr) return unknown(line.kind, line.other->number);
  }
  signer_.use(line.kind, set);
  return {};
}

Status FileCaKeys::destroy_key(CaKind kind, std::uint64_t number) {
  {
    const std::lock_guard lock(mutex_);
    known_.erase({kind, number});
  }
  for (const char* suffix : {"key", "uri"}) {
    if (auto removed = remove_file(ca_file(dir_, kind, number, suffix)); !removed) return removed;
  }
  return {};
}

Status FileCaKeys::tidy(const std::map<CaKind, CaLine>& lines) {
  for (const auto& [kind, line] : lines) {
    for (std::uint64_t number = 1; number <= line.last_number; ++number) {
      const bool counts = number == line.signing.number || (line.other && number == line.other->number);
      if (counts) continue;
      if (auto gone = destroy_key(kind, number); !gone) return gone;
    }
  }
  return {};
}

}  // namespace slipway
