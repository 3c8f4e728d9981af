#pragma once
// A Signer without cryptography: what it issues says what it was asked. Thread safe.
#include <mutex>
#include <set>
#include <string>

#include "common/crypto/digest.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway::test {

class FakeSigner final : public Signer {
 public:
  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial, WallTime not_before,
                           WallTime not_after) override {
    const std::lock_guard lock(mutex_);
    if (broken_) return make_error(Errc::unavailable, "the token with the key is not there");
    if (!serials_.insert(serial.hex()).second) return make_error(Errc::internal, "serial used twice");
    const std::string der = spec.common_name + sha256_hex(spki_der) + serial.hex();
    return IssuedCert{"CERT " + std::string(to_string(spec.usage)) + " " + serial.hex(), der, sha256_hex(der), serial.hex(), not_before, not_after};
  }
  std::string ca_pem(CaKind kind) override { return "CA " + std::string(to_string(kind)); }
  std::uint64_t issuer_number(CertUsage) override { return 1; }
  std::string issuer_pem(CertUsage usage) override { return ca_pem(ca_of(usage)); }
  void set_broken(bool broken) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
  }
  std::size_t issued() {
    const std::lock_guard lock(mutex_);
    return serials_.size();
  }

 private:
  std::mutex mutex_;
  std::set<std::string> serials_;
  bool broken_ = false;
};

}  // namespace slipway::test
