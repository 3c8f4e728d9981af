#pragma once
// Port: the node's network as the kernel has it.
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// What changed() has heard of.
enum class NetworkNews {
  links,  // an interface or an address, or some news were lost: routes may have gone with it without a word
  rules,  // only routes, tunnel entries, forwarding or packet filter rules: such come by the hundred
};

// Used on the agent's state thread. observe() and apply() are synchronous on purpose: netlink round trips
// take microseconds and 5,000 routes tens of milliseconds; the iptables program, where it must run, takes
// some milliseconds more.
class Network {
 public:
  virtual ~Network() = default;

  // The present state; reads only. Inconsistent dumps are repeated inside.
  virtual Result<NetworkObserved> observe() = 0;

  // Applies the steps in order and returns one status for each, same size and order. A failed step stops no
  // other: a peer that is not adjacent gets Errc::unavailable for its own step ("... not directly reachable
  // ...").
  virtual std::vector<Status> apply(const std::vector<NetworkStep>& steps) = 0;

  // Resumes after links or addresses have changed since the last call (or since construction): the kernel
  // drops routes with a link and says nothing about them, so observe again. Many events give one return, which
  // tells of the weightier. Errc::canceled on cancellation. One waiter at a time.
  virtual boost::asio::awaitable<Result<NetworkNews>> changed() = 0;

  // This machine's own address on the way to `remote`; no packet is sent.
  virtual Result<IpAddress> address_towards(const IpAddress& remote) = 0;
};

}  // namespace slipway
