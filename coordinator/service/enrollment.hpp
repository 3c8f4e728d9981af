#pragma once
// Joins and renewals: from the requests to the certificates.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/ports/signer.hpp"
#include "coordinator/service/audit_trail.hpp"
#include "coordinator/ports/state_store.hpp"
#include "coordinator/service/join_limiter.hpp"
#include "coordinator/service/join_log.hpp"
#include "coordinator/service/nat_sources.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/service/registrar.hpp"
#include "proto/join_types.hpp"

namespace slipway {

// Who asks for renewal: from the verified peer certificate.
struct AgentIdentity {
  std::string uid;
  std::uint64_t generation = 0;
  std::string serial;  // lower-case hex
};

class Enrollment {
 public:
  struct Deps {
    boost::asio::any_io_executor state;  // executor of the state thread
    Registrar& registrar;
    NodeStatusBoard& status;
    Signer& signer;
    StateStore& store;
    Workers& workers;
    Clock& clock;
    std::function<std::string(std::size_t)> random_bytes;  // thread safe
    std::function<std::string()> new_uuid;                 // thread safe
    JoinLimits limits = {};
    Seconds quarantine_min_age{600};
    AuditTrail* trail = nullptr;  // gets every refusal; null in tests that are not about it
  };
  explicit Enrollment(Deps deps);

  // From any I/O thread; signs on the calling one. Errors are safe for the caller: Errc::denied (one text for all token
  // troubles), conflict, gone, invalid, exhausted, too_many, pending (an operator decides), unavailable. The true reason is
  // logged and kept for attempts().
  boost::asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request, IpAddress peer);
  // A join that could not be read gets no further: kept for attempts(), and counted against its address.
  boost::asio::awaitable<Status> note_unreadable(Error error, IpAddress peer);
  // As above, for a live node over mutual TLS. A request that names an address moves the node there: it must be `peer`, where the
  // connection comes from, unless that is a listed NAT; without one nothing moves.
  boost::asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request, AgentIdentity who, proto::AuditActor actor = {},
                                                          std::optional<IpAddress> peer = {});

  // network.natSources as they are now. Any thread.
  void set_nat_sources(std::vector<Cidr> sources) { nat_sources_.set(std::move(sources)); }

  // The last 1,000 different joins, newest first. State thread only.
  proto::JoinAttemptList attempts(const JoinQuery& query = {}) const;
  // For who keeps the list over restarts. State thread only.
  JoinLog& join_log() { return attempts_; }

 private:
  struct Work;  // one join or renewal under way; one thread has it at a time
  using WorkPtr = std::shared_ptr<Work>;
  using Task = boost::asio::awaitable<Status>;

  Status check_address(const IpAddress& told, const IpAddress& peer) const;
  Task join_work(WorkPtr work);
  Task check_limits(WorkPtr work);
  Task admit_and_record(WorkPtr work);
  Task renew_work(WorkPtr work);
  void explain_lost_race(Work& work) const;
  Status check_clone(const Work& work, const Admission& admission) const;
  Status sign(Work& work);
  Task fetch_pems(WorkPtr work);

  // On the state thread.
  Task check_secret_there(WorkPtr work);
  Task peek_there(WorkPtr work);
  Task queue_there(WorkPtr work);
  Task record_there(WorkPtr work);
  Task peek_renewal_there(WorkPtr work);
  Task record_renewal_there(WorkPtr work);
  Task note_there(WorkPtr work);
  Task note_renewal_there(WorkPtr work);
  Task on_state(WorkPtr work, Task (Enrollment::*step)(WorkPtr));
  void take_cluster(Work& work, const Node* node);
  void note_end(Work& work, const Status& status);

  Deps deps_;
  NatSources nat_sources_;
  JoinLimiter limiter_;
  JoinLog attempts_;  // state thread
  std::atomic<std::uint16_t> issued_{0};  // certificates so far, going round: the order of their serials
};

// "id.secret" as the API hands it over, with the secret hashed. Absent when the form is wrong.
std::optional<PresentedToken> present_token(std::string_view text);

// A new join token: the record for CreateToken and the text "id.secret", shown once.
struct NewToken {
  JoinToken record;
  std::string text;
};
Result<NewToken> new_token(const TokenSpec& spec, WallTime now);

}  // namespace slipway
