#pragma once
// Housekeeping, once a minute: blocks leave quarantine, long expired tokens and certificates are forgotten, and the MTU of pods follows what nodes
// report. State thread only.
#include <boost/asio/awaitable.hpp>

#include "common/async/clock.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/service/registrar.hpp"

namespace slipway {

// Borrowed: all outlive the sweep.
struct SweeperDeps {
  Registrar& registrar;
  NodeStatusBoard& status;
  Clock& clock;
  Seconds quarantine_min_age{600};
};

// Resumes when what it changed is durable.
boost::asio::awaitable<Status> sweep_once(SweeperDeps deps);

}  // namespace slipway
