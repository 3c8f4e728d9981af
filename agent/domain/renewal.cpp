#include "agent/domain/renewal.hpp"

#include <algorithm>
#include <cstdint>

namespace slipway {

namespace {

constexpr double k_default_renew_at = 0.667;
constexpr double k_jitter = 0.1;  // of the life
constexpr int k_company_divisor =
    10;  // as wide as the jitter: certificates that were made together are renewed together
constexpr Seconds k_longest_sleep{3600};

// FNV-1a: spreads, nothing more.
std::uint64_t spread(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

Seconds life_of(const CertificateLife& certificate) {
  return certificate.not_after - certificate.not_before;
}

}  // namespace

WallTime renewal_time(const CertificateLife& certificate, double renew_at) {
  if (!(renew_at >= 0.2 && renew_at <= 0.95)) renew_at = k_default_renew_at;
  const double share = static_cast<double>(spread(certificate.usage + certificate.serial) >> 44) /
                       static_cast<double>(1 << 20);
  const double seconds = static_cast<double>(life_of(certificate).count()) * (renew_at - k_jitter * share);
  return certificate.not_before + Seconds(static_cast<std::int64_t>(seconds));
}

RenewalPlan plan_renewals(const std::vector<CertificateLife>& certificates, double renew_at, WallTime now) {
  const bool any_due = std::any_of(certificates.begin(), certificates.end(), [&](const CertificateLife& c) {
    return renewal_time(c, renew_at) <= now;
  });
  RenewalPlan plan;
  for (const CertificateLife& certificate : certificates) {
    const WallTime when = renewal_time(certificate, renew_at);
    const Seconds company = any_due ? life_of(certificate) / k_company_divisor : Seconds(0);
    if (when <= now + company) {
      plan.due.push_back(certificate.usage);
    } else if (!plan.next || when < *plan.next) {
      plan.next = when;
    }
  }
  return plan;
}

std::vector<std::string> begun_before(const std::vector<CertificateLife>& certificates, WallTime mark) {
  std::vector<std::string> usages;
  for (const CertificateLife& certificate : certificates) {
    if (certificate.not_before < mark) usages.push_back(certificate.usage);
  }
  return usages;
}

Seconds renewal_sleep(const std::optional<WallTime>& next, WallTime now) {
  if (!next) return k_longest_sleep;
  return std::clamp(*next - now, Seconds(1), k_longest_sleep);
}

}  // namespace slipway
