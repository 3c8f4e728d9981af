#pragma once
// Replaces certificate authorities step by step (coordinator/domain/ca_rotation.hpp). Each step is durable before it is answered,
// and a crash between two leaves the first: App takes up from the state what signs and what is trusted.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <set>
#include <string>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/ports/ca_keys.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/service/registrar.hpp"

namespace slipway {

// Borrowed: all outlive the service.
struct CaRotationDeps {
  boost::asio::any_io_executor state;  // executor of the state thread
  Registrar& registrar;
  NodeStatusBoard& board;
  CaKeys& keys;
  Workers& workers;
  Clock& clock;
  // After a step is durable and the signer follows it: what this process shows and trusts is to be made anew. State thread.
  std::function<boost::asio::awaitable<Status>(CaKind kind)> changed;
};

// State thread only.
class CaRotation {
 public:
  explicit CaRotation(CaRotationDeps deps) : deps_(std::move(deps)) {}

  // Takes the CAs that `init` made into the state, once. Before anything is signed.
  boost::asio::awaitable<Status> adopt(std::function<CaFacts(CaKind kind)> first);

  struct Wish {
    CaKind kind = CaKind::fabric;
    CaStep step = CaStep::prepare;
    bool force = false;       // retire
    bool from_files = false;  // prepare
  };
  // One at a time. Errors as of ChangeCa; Errc::invalid for files that do not fit.
  // `actor`: for the audit log.
  boost::asio::awaitable<Status> run(Wish wish, proto::AuditActor actor = {});

  proto::CaView view(const CaLine& line) const;
  proto::CaList list() const;

 private:
  boost::asio::awaitable<Status> step(Wish wish, proto::AuditActor actor);
  boost::asio::awaitable<Status> follow(CaLine before, CaStep taken);
  boost::asio::awaitable<Result<CaFacts>> make(Wish wish);
  boost::asio::awaitable<Status> destroy(CaKind kind, std::uint64_t number);
  std::set<std::string> confirmed(const CaLine& line) const;
  std::set<std::string> reported() const;

  CaRotationDeps deps_;
  bool busy_ = false;
};

}  // namespace slipway
