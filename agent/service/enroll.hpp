#pragma once
// Becoming and staying a member: by certificate, by the key of an expired one, by a token; in this order.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "agent/domain/enrollment_state.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/node_store.hpp"
#include "agent/service/agent_state.hpp"
#include "agent/service/credentials.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/core/ip.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct EnrollSettings {
  std::string role;  // node | master
  std::string node_name;
  std::string token_file;                           // for messages
  std::function<Result<Secret>()> read_token;       // blocks; called only while no join has ever succeeded
  std::function<Result<IpAddress>()> node_address;  // blocks
  // Blocks. Called once a token has opened the door and all that it brought is kept: a token that lies about is a token to steal.
  std::function<Status()> forget_token = [] { return Status(); };
};

// State thread. One call at a time.
class Enroller {
 public:
  struct Deps {
    NodeStore& nodes;
    CredentialStore& credentials;
    CoordinatorApi& coordinator;
    Clock& clock;
    Workers& workers;
    AgentState& state;
  };
  Enroller(EnrollSettings settings, Deps deps, std::uint64_t seed);

  // One try. Success: the identity is written down, state.identity is set and the coordinator port uses it.
  // Every step may be the last one before a kill: the next attempt() over the same stores ends where this one
  // would have.
  boost::asio::awaitable<Status> attempt();

  // Tries until it works; what it waits for stands in state.join_message.
  boost::asio::awaitable<Status> run();

  // How long to wait after `error` before the next attempt(); at least as long as the coordinator asked.
  Millis wait_after(const Error& error);

 private:
  struct Request;  // what one join is about

  boost::asio::awaitable<Result<EnrollmentStep>> choose(Request& request);
  boost::asio::awaitable<Status> ask(Request& request);
  boost::asio::awaitable<Status> keep(Request& request);
  boost::asio::awaitable<Status> adopt();
  void show(const Error& error);

  EnrollSettings settings_;
  Deps deps_;
  EnrollmentStep last_step_ = EnrollmentStep::use_token;
  bool waits_for_token_ = false;
  bool candidate_refused_ = false;  // the pending identity key: use the one before
  std::uint64_t fast_seed_;
  RepeatedError trouble_;
  int refusals_ = 0;
  int failures_ = 0;
  int pendings_ = 0;
};

}  // namespace slipway
