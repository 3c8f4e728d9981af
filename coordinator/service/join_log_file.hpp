#pragma once
// Keeps the list of join attempts over restarts: whoever looks for a host that does not come needs yesterday's refusals too.
// A file of its own, written seldom: strangers decide how often somebody tries to join, and must not decide how often we sync.
#include <boost/asio/awaitable.hpp>
#include <string>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/service/join_log.hpp"

namespace slipway {

// Borrowed: all outlive the task.
struct JoinLogFileDeps {
  JoinLog& log;
  Workers& workers;
  Clock& clock;
  std::string path;
  Millis every = std::chrono::seconds(5);  // so much is lost by a kill at most
};

// What the file holds is put before whatever `log` has. A missing file is an empty list. Errors: unreadable or not ours; the log is
// untouched then. Blocks; at the start only.
Status load_join_log(JoinLog& log, const std::string& path);

// State thread. Writes the file when the list has changed, at most once each `every`, and once more when it is cancelled. A failing
// disk is logged once and tried again: joins do not wait for their history.
boost::asio::awaitable<Status> keep_join_log(JoinLogFileDeps deps);

}  // namespace slipway
