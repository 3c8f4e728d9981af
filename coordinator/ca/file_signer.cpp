#include "coordinator/ca/file_signer.hpp"

#include "coordinator/ca/crl.hpp"
#include "coordinator/ca/issue.hpp"

namespace slipway {

namespace {

// What verifiers get: the certificates alone, ascending by number.
std::string bundle_of(const CaSet& set) {
  if (set.other == nullptr) return set.signing->pem;
  const bool other_first = set.other->number < set.signing->number;
  return other_first ? set.other->pem + set.signing->pem : set.signing->pem + set.other->pem;
}

}  // namespace

FileSigner::FileSigner(const Authority& authority) {
  for (const CaKind kind : k_ca_kinds) use(kind, authority.set(kind));
}

void FileSigner::use(CaKind kind, const CaSet& set) {
  auto in_use = std::make_shared<InUse>();
  in_use->signing = set.signing;
  const bool other = set.other != nullptr && other_serves(set.phase, set.signing->number, set.other->number);
  in_use->server = other ? set.other : set.signing;
  in_use->other = set.other;
  in_use->bundle = bundle_of(set);
  const std::lock_guard lock(mutex_);
  cas_[kind] = std::move(in_use);
}

std::shared_ptr<const FileSigner::InUse> FileSigner::in_use(CaKind kind) {
  const std::lock_guard lock(mutex_);
  return cas_.find(kind)->second;
}

bool FileSigner::uses(CaKind kind, std::uint64_t number) {
  const auto cas = in_use(kind);
  return cas->signing->number == number || (cas->other != nullptr && cas->other->number == number);
}

CaPtr FileSigner::issuer_of(CertUsage usage) {
  const auto cas = in_use(ca_of(usage));
  return usage == CertUsage::coordinator_serving ? cas->server : cas->signing;
}

Result<IssuedCert> FileSigner::issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                                     WallTime not_before, WallTime not_after) {
  return issue_certificate(*issuer_of(spec.usage), spec, spki_der, serial, not_before, not_after);
}

Result<std::string> FileSigner::sign_crl(const CrlSpec& spec) {
  const auto cas = in_use(spec.issuer);
  for (const CaPtr& ca : {cas->signing, cas->other}) {
    if (ca != nullptr && (spec.ca == 0 || ca->number == spec.ca)) return make_crl(*ca, spec);
  }
  return make_error(Errc::unavailable, "the " + std::string(to_string(spec.issuer)) + " authority number " + std::to_string(spec.ca) +
                                        " is not in use any more: ask again");
}

std::string FileSigner::ca_pem(CaKind kind) {
  return in_use(kind)->bundle;
}
std::uint64_t FileSigner::issuer_number(CertUsage usage) {
  return issuer_of(usage)->number;
}
std::string FileSigner::issuer_pem(CertUsage usage) {
  return issuer_of(usage)->pem;
}

}  // namespace slipway
