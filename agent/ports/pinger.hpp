#pragma once
// Port: echo requests of ICMP and ICMPv6.
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "agent/domain/ping.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Used on the agent's state thread, one call at a time.
class Pinger {
 public:
  virtual ~Pinger() = default;

  // Sends all of them, some at once, and those without an answer again; some seconds at most, however many
  // there are. One outcome for each, in their order. An error: there is no socket for it. Errc::invalid: more
  // than can be told apart.
  virtual boost::asio::awaitable<Result<std::vector<PingOutcome>>> ping(std::vector<Ping> pings) = 0;
};

}  // namespace slipway
