#pragma once
// systemd answers a request with the path of a job and later broadcasts how the job ended. The broadcast may
// come before the waiting coroutine has seen the answer, so ends are remembered while any request is under
// way.
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway {

// On one executor's thread. May end before the frames of its waiters are destroyed, but not while they run.
class JobWatch {
 public:
  JobWatch();
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  void ended(const std::string& job, const std::string& result);
  // The connection is gone: all waiters get Errc::unavailable.
  void lost();

  // The job's result in systemd's word ("done", "failed", "dependency" ...).
  boost::asio::awaitable<Result<std::string>> wait(std::string job, Millis limit);

 private:
  struct Waiter;
  using Waiters = std::multimap<std::string, Waiter*>;  // systemd merges equal requests into one job
  std::shared_ptr<Waiters> waiters_;
  std::deque<std::pair<std::string, std::string>> recent_;  // job paths are not used twice while systemd runs
};

}  // namespace slipway
