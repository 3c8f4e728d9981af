#pragma once
// Port: the host's firewall daemon, firewalld.
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/firewall_plan.hpp"

namespace slipway {

// State thread. Not to be asked from two coroutines at once.
class Firewall {
 public:
  virtual ~Firewall() = default;
  // `interface`: of the node's address. Ports are looked for in its zone and in `zones`. Empty: none runs, and none
  // is started.
  virtual boost::asio::awaitable<Result<std::optional<FirewallObserved>>> observe(std::string interface,
                                                                                  std::vector<std::string> zones) = 0;
  // Done already is success. Errc::conflict: somebody has bound the range to another zone.
  virtual boost::asio::awaitable<Status> apply(FirewallStep step) = 0;
};

}  // namespace slipway
