#pragma once
// Port: the supervisor of long-running processes (systemd, or the agent's own). Unit files are written by the caller; this reads
// and runs them.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "agent/domain/unit_status.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Used on the agent's state thread. Names are full unit names ("kubelet.service"). Every call has a deadline
// inside (Errc::timeout), returns Errc::unavailable when the supervisor cannot be reached (the next call
// connects anew) and Errc::canceled when the coroutine is cancelled; a job already asked for goes on
// nevertheless.
class ProcessSupervisor {
 public:
  virtual ~ProcessSupervisor() = default;

  // Reads all unit files again; needed after writing one and before any other call about it.
  virtual boost::asio::awaitable<Status> reload() = 0;
  // Starts them with the machine from now on, or no longer. Idempotent. enable: Errc::not_found when one has
  // no unit file; disable: such a one is disabled.
  virtual boost::asio::awaitable<Status> enable(std::vector<std::string> names) = 0;
  virtual boost::asio::awaitable<Status> disable(std::vector<std::string> names) = 0;
  // Resume when the job is done: for a notify unit that is its readiness. A former failure does not stand in
  // the way. Errc::not_found: no such unit; Errc::internal: the job failed, with the supervisor's reason.
  virtual boost::asio::awaitable<Status> start(std::string name) = 0;
  virtual boost::asio::awaitable<Status> restart(std::string name) = 0;
  virtual boost::asio::awaitable<Status> stop(std::string name) = 0;  // a unit that is not there is stopped
  // A unit that does not exist is a status (UnitLoad::not_found), not an error.
  virtual boost::asio::awaitable<Result<UnitStatus>> status(std::string name) = 0;
  // From now on so long between an end of the process and its next start, also for the start it waits for already. Zero: as
  // the unit's file says. Forgotten when the host starts anew. Idempotent.
  virtual boost::asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) = 0;
  // Resumes with the names of units that may have changed since it resumed last, of those whose status was ever asked for; all
  // of them when it cannot tell. One caller.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> changed() = 0;
};

}  // namespace slipway
