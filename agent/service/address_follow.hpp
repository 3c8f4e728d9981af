#pragma once
// Notices that this host has another address than the one it is registered with. It only finds out: the
// renewal asks the coordinator.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "agent/domain/address_watch.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

// State thread. What it finds stands in state.moves_to (then state.renew is set), or for a master in
// state.address_message.
class AddressFollower {
 public:
  struct Deps {
    Clock& clock;
    Workers& workers;
    AgentState& state;
    std::function<AddressSight(IpAddress registered)> look;  // blocks; on a worker
  };
  explicit AddressFollower(Deps deps, Millis grace = k_address_grace)
      : deps_(std::move(deps)), watch_(grace) {}

  boost::asio::awaitable<Status> look_once();
  // After each state.address_news, every ten seconds while something is under way, and every minute.
  boost::asio::awaitable<Status> run();

 private:
  Deps deps_;
  AddressWatch watch_;
};

}  // namespace slipway
