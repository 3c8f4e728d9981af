#include "coordinator/ca/clock_guard.hpp"

namespace slipway {

Status ClockGuard::check() const {
  const WallTime floor{Seconds(floor_.load(std::memory_order_relaxed))};
  const WallTime now = clock_.wall();
  if (now >= floor) return {};
  return make_error(
      Errc::unavailable,
      "the coordinator's clock says " + to_rfc3339(now) + ", but it was at least " + to_rfc3339(floor) +
          " before: its clock went back, and nothing is signed until it is set right (timedatectl)");
}

Result<IssuedCert> ClockGuard::issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                                     WallTime not_before, WallTime not_after) {
  if (const Status right = check(); !right) return right.error();
  auto issued = signer_.issue(spec, spki_der, serial, not_before, not_after);
  if (!issued) return issued;
  raise_floor(issued->not_before);
  return issued;
}

Result<std::vector<IssuedCert>> ClockGuard::issue_all(const std::vector<IssueRequest>& wanted) {
  if (const Status right = check(); !right) return right.error();
  auto issued = signer_.issue_all(wanted);
  if (!issued) return issued;
  for (const IssuedCert& one : *issued) raise_floor(one.not_before);
  return issued;
}

void ClockGuard::raise_floor(WallTime not_before) {
  const Seconds::rep mine = not_before.time_since_epoch().count();
  for (Seconds::rep seen = floor_.load(std::memory_order_relaxed);
       seen < mine && !floor_.compare_exchange_weak(seen, mine);) {
  }
}

Result<std::string> ClockGuard::sign_crl(const CrlSpec& spec) {
  if (const Status right = check(); !right) return right.error();
  return signer_.sign_crl(spec);
}

}  // namespace slipway
