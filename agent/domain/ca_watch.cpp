#include "agent/domain/ca_watch.hpp"

#include <algorithm>

namespace slipway {

namespace {

constexpr std::string_view k_fabric = "fabric";

const proto::CaRef* find_ca(const std::vector<proto::CaRef>& cas, const std::string& kind) {
  const auto found = std::find_if(cas.begin(), cas.end(), [&](const proto::CaRef& ca) { return ca.kind == kind; });
  return found == cas.end() ? nullptr : &*found;
}

}  // namespace

BundleDigests wanted_bundles(const std::vector<proto::CaRef>& cas, std::string_view role) {
  BundleDigests wanted;
  for (const proto::CaRef& ca : cas) {
    const bool masters_only = ca.kind == "etcd" || ca.kind == "frontProxy";
    if (!masters_only || role == "master") wanted[ca.kind] = ca.bundle_sha256;
  }
  return wanted;
}

std::vector<std::string> outdated_bundles(const BundleDigests& wanted, const BundleDigests& stored) {
  std::vector<std::string> kinds;
  for (const auto& [kind, digest] : wanted) {
    const auto have = stored.find(kind);
    if (have == stored.end() || have->second != digest) kinds.push_back(kind);
  }
  return kinds;
}

void note_use(std::map<std::string, BundleUse>& uses, const std::string& kind, const std::string& digest, std::chrono::steady_clock::time_point now) {
  BundleUse& use = uses[kind];
  if (use.digest == digest) return;
  use = {digest, now};
}

BundleDigests confirmed_bundles(const std::map<std::string, BundleUse>& uses, const BundleDigests& stored, std::chrono::steady_clock::time_point now) {
  BundleDigests confirmed;
  for (const auto& [kind, use] : uses) {
    if (now - use.since >= k_bundle_settles) confirmed[kind] = use.digest;
  }
  const auto fabric = stored.find(std::string(k_fabric));
  if (fabric != stored.end()) confirmed[fabric->first] = fabric->second;
  return confirmed;
}

std::vector<std::string> issued_by_others(const std::vector<CertificateLife>& certificates,
                                          const std::vector<UsageProfile>& profiles, const std::vector<proto::CaRef>& cas) {
  std::vector<std::string> usages;
  for (const CertificateLife& certificate : certificates) {
    const auto profile = std::find_if(profiles.begin(), profiles.end(),
                                      [&](const UsageProfile& p) { return p.usage == certificate.usage; });
    if (profile == profiles.end()) continue;
    const proto::CaRef* ca = find_ca(cas, profile->ca);
    if (ca != nullptr && certificate.issuer_key_id != ca->key_id) usages.push_back(certificate.usage);
  }
  return usages;
}

}  // namespace slipway
