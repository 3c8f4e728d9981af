#pragma once
// The coordinator's side: the ports Signer and CaKeys over the channels to a signer.
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/core/unique_fd.hpp"
#include "coordinator/ports/ca_keys.hpp"
#include "coordinator/ports/signer.hpp"
#include "coordinator/signer/messages.hpp"

namespace slipway::signer {

// One channel is for what takes longer: making, importing, deleting keys. The others are for signatures, and
// for what the state thread may wait for; one thread each at a time.
struct SignerLink {
  UniqueFd changes;
  std::vector<UniqueFd> signatures;  // at least one
  std::string name;                  // for messages: "the signer process (pid 4711)"
};

// Any thread. What others may see of the authorities is kept here, so that only signatures and changes are
// asked for.
class SignerClient final : public Signer, public CaKeys {
 public:
  // `lost`: called when the signer is gone or does not answer in time, from any thread, perhaps several
  // times. Nothing is signed any more: the process must end.
  static Result<std::unique_ptr<SignerClient>> open(SignerLink link, const Open& open,
                                                    std::function<void(const Error&)> lost);

  // PEM. Moves out: for the one who asks first.
  Secret take_service_account_key() { return std::move(service_account_key_); }
  CaFacts signing(CaKind kind);
  bool tokens() const { return tokens_; }

  Result<IssuedCert> issue(const CertSpec& spec, const std::string& spki_der, const Serial& serial,
                           WallTime not_before, WallTime not_after) override;
  Result<std::vector<IssuedCert>> issue_all(const std::vector<IssueRequest>& wanted) override;
  Status follow(const SigningRules& rules) override;
  Result<std::string> sign_crl(const CrlSpec& spec) override;
  std::string ca_pem(CaKind kind) override;
  std::uint64_t issuer_number(CertUsage usage) override;
  std::string issuer_pem(CertUsage usage) override;

  // The signer makes and imports with the settings and by the clock that it holds.
  Result<CaFacts> make(CaKind kind, std::uint64_t after, const ProfileCluster& cluster,
                       WallTime now) override;
  Result<CaFacts> import(CaKind kind, std::uint64_t after, const ProfileCluster& cluster,
                         const Lifetimes& lifetimes, WallTime now) override;
  Result<std::string> bundle_pem(CaKind kind, const std::vector<std::uint64_t>& numbers) override;
  Status use(const CaLine& line) override;
  Status destroy_key(CaKind kind, std::uint64_t number) override;

 private:
  struct InUse {
    CaFacts signing;
    std::uint64_t server = 1;  // behind the coordinator's own serving certificate
    std::string bundle;
  };
  SignerClient(SignerLink link, std::function<void(const Error&)> lost);
  Result<std::string> ask(const UniqueFd& channel, std::string_view request);
  Result<std::string> ask_for_signature(std::string_view request);
  Result<std::string> ask_for_change(std::string_view request);
  Result<CaFacts> take_new(Op op, CaKind kind, std::uint64_t after);
  Status take_line(const CaLine& line);                              // under mutex_
  const std::string* find(CaKind kind, std::uint64_t number) const;  // under mutex_
  std::uint64_t issuer_locked(CertUsage usage) const;                // under mutex_
  Result<std::string> bundle_locked(CaKind kind,
                                    const std::vector<std::uint64_t>& numbers) const;  // under mutex_

  SignerLink link_;
  std::function<void(const Error&)> lost_;
  std::mutex changing_;  // the channel for changes
  std::mutex waiting_;
  std::condition_variable freed_;
  std::vector<const UniqueFd*> free_;  // under waiting_
  std::mutex mutex_;
  std::map<CaKind, std::map<std::uint64_t, std::string>> pems_;
  std::map<CaKind, InUse> in_use_;  // all kinds
  Secret service_account_key_;
  bool tokens_ = false;
};

}  // namespace slipway::signer
