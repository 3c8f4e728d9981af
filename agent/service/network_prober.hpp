#pragma once
// Takes part in probes of the network that the coordinator tells of.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "agent/domain/probe_plan.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/network.hpp"
#include "agent/ports/pinger.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

// State thread.
class NetworkProber {
 public:
  struct Deps {
    CoordinatorApi& coordinator;
    Network& network;
    Pinger& pinger;
    Workers& workers;
    AgentState& state;
    std::function<std::vector<IpAddress>()>
        leased;  // addresses that pods of this host were given; blocks: on a worker
  };
  explicit NetworkProber(Deps deps) : deps_(std::move(deps)) {}

  // In the probe of state.probe, to its end.
  boost::asio::awaitable<Status> take_part();
  // After each state.probe_news.
  boost::asio::awaitable<Status> run();

 private:
  Result<ProbeSelf> look();
  boost::asio::awaitable<Result<proto::ProbeOffer>> make_offer(std::string probe, ProbeSelf self);

  Deps deps_;
};

}  // namespace slipway
