#pragma once
// Housekeeping: blocks leave quarantine, long expired tokens and certificates are forgotten. State thread only.
#include <boost/asio/awaitable.hpp>

#include "common/async/clock.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/service/registrar.hpp"

namespace slipway {

// Borrowed: all outlive the task.
struct SweeperDeps {
  Registrar& registrar;
  NodeStatusBoard& status;
  Clock& clock;
  Seconds quarantine_min_age{600};
  Millis every = std::chrono::minutes(1);
};

// Runs until it is cancelled or the store fails.
boost::asio::awaitable<Status> sweep_regularly(SweeperDeps deps);

}  // namespace slipway
