#pragma once
// A Signer that does not trust a clock that went back: what is signed by a wrong clock is wrong, too (an
// ended certificate would be issued anew, a short one would live long).
#include <atomic>
#include <string>
#include <vector>

#include "common/async/clock.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway {

class ClockGuard final : public Signer {
 public:
  // All outlive the guard. `floor`: the latest NotBefore that was ever issued, or the date of the build: the
  // clock cannot rightly say less. As certificates are backdated by five minutes, a clock may be set back by
  // as much.
  ClockGuard(Signer& signer, const Clock& clock, WallTime floor)
      : signer_(signer), clock_(clock), floor_(floor.time_since_epoch().count()) {}

  // Errors also as of check().
  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override;
  Result<std::vector<IssuedCert>> issue_all(const std::vector<IssueRequest>& wanted) override;
  Status follow(const SigningRules& rules) override { return signer_.follow(rules); }
  Result<std::string> sign_crl(const CrlSpec& spec) override;
  std::string ca_pem(CaKind kind) override { return signer_.ca_pem(kind); }
  std::uint64_t issuer_number(CertUsage usage) override { return signer_.issuer_number(usage); }
  std::string issuer_pem(CertUsage usage) override { return signer_.issuer_pem(usage); }

  // Errc::unavailable with both times while the clock is behind. Any thread.
  Status check() const;

 private:
  void raise_floor(WallTime not_before);

  Signer& signer_;
  const Clock& clock_;
  std::atomic<Seconds::rep> floor_;  // seconds since 1970
};

}  // namespace slipway
