#pragma once
// Stands before the installer: what is not named by a manifest of the signers that count is not installed.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>

#include "agent/domain/artifact_trust.hpp"
#include "agent/ports/artifact_source.hpp"
#include "agent/ports/trust_store.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/backoff.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

// State thread.
class ArtifactGate {
 public:
  struct Deps {
    TrustStore& store;
    Clock& clock;
    Workers& workers;
    AgentState& state;
    // Whether these bytes are the component's current version. Blocks: called on a worker.
    std::function<bool(const ArtifactRef& artifact)> in_use;
  };
  // `configured`: of agent.yaml.
  ArtifactGate(Deps deps, SignerWish configured);

  // Takes a newer manifest from the desired state, remembers it, and judges by what is remembered. Errors are
  // for people.
  boost::asio::awaitable<Status> allow(ArtifactRef artifact);

 private:
  boost::asio::awaitable<Status> refresh();

  Deps deps_;
  SignerWish configured_;
  std::optional<proto::ArtifactTrust> trust_;  // absent: not read yet
  std::string complaint_;
  RepeatedError trouble_;
};

}  // namespace slipway
