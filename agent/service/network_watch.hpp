#pragma once
// What the kernel tells of the node's network becomes work: a look at the pod network at once, and a pass. State
// thread.
#include <boost/asio/awaitable.hpp>

#include "agent/ports/network.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"

namespace slipway {

class NetworkWatch {
 public:
  // All of them outlive both tasks.
  NetworkWatch(Network& network, Clock& clock, AgentState& state) : network_(network), clock_(clock), state_(state) {}

  // Links and addresses come and go, the kernel drops routes with them and says nothing of that: they are looked at
  // at once (state.network_news). Ends only with an error of the port or when cancelled.
  boost::asio::awaitable<Status> listen();

  // The pass (state.reconcile, state.address_news), 200 ms after the first event that it is for: a reload of a
  // firewall is a hundred events, and the start of a pod is a handful. Ends only when cancelled.
  boost::asio::awaitable<Status> gather();

 private:
  Network& network_;
  Clock& clock_;
  AgentState& state_;
  Trigger heard_;
  bool rules_ = false;  // some of what was heard has not been looked at for itself
};

}  // namespace slipway
