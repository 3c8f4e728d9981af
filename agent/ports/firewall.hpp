#pragma once
// Port: the host's firewall daemon, firewalld.
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/firewall_plan.hpp"

namespace slipway {

// State thread. Not to be asked from two coroutines at once; changed() may wait beside them.
class Firewall {
 public:
  virtual ~Firewall() = default;
  // `interface`: of the node's address. Ports are looked for in its zone and in `zones`. Empty: none runs, and none
  // is started.
  virtual boost::asio::awaitable<Result<std::optional<FirewallObserved>>> observe(std::string interface,
                                                                                  std::vector<std::string> zones) = 0;
  // Done already is success. Errc::conflict: somebody has bound the range to another zone.
  virtual boost::asio::awaitable<Status> apply(FirewallStep step) = 0;
  // Resumes when a source, a port or a policy went, a zone has become another's, or all was loaded anew, at once when that was so
  // since the last call; also when apply() did it. Told of from the first observe() on. One waiter. Errc::canceled when it is
  // cancelled.
  virtual boost::asio::awaitable<Status> changed() = 0;
};

}  // namespace slipway
