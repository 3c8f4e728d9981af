#pragma once
// Adapter: the ProcessSupervisor port for hosts where systemd is not process 1. It starts the units' processes itself, from
// the same unit files. They live on when this ends or is killed; the next one finds them again.
//
// On disk: <enabled_dir>/UNIT, a link to the unit file of what comes up with the machine; <run_dir>/UNIT.run, the record of
// the run under way (domain/run_record.hpp); <log_dir>/UNIT.log and UNIT.log.1, what the processes print.
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/process_supervisor.hpp"
#include "common/async/clock.hpp"

namespace slipway {

struct DirectOptions {
  std::string unit_dir = "/etc/systemd/system";
  std::string enabled_dir = "/var/lib/slipway/agent/units";
  std::string run_dir = "/run/slipway/units";
  std::string log_dir = "/var/log/slipway";
  std::string cgroup = "slipway";  // folder in the cgroup hierarchies
  std::size_t log_limit = std::size_t{8} << 20;  // bytes; as much again is kept in UNIT.log.1
  Millis job_limit{180'000};       // from the start of a job to its end
  bool only_ends = false;  // for a reset: it makes nothing, and what ends stays ended; an agent may keep the units meanwhile
};

// On one executor's thread. Must outlive the coroutines of its calls; its own stop watching when it ends.
class DirectSupervisor final : public ProcessSupervisor {
 public:
  // Takes over what a former one left running.
  static Result<std::unique_ptr<DirectSupervisor>> open(boost::asio::any_io_executor executor, DirectOptions options = {});
  ~DirectSupervisor() override;

  // Starts all enabled units in the order of their After=, once after each boot: a unit that somebody stopped stays stopped
  // when only the agent starts anew. An error is the first unit's that did not start; the others are started regardless.
  boost::asio::awaitable<Status> start_enabled();

  boost::asio::awaitable<Status> reload() override;
  boost::asio::awaitable<Status> enable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> disable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> start(std::string name) override;
  boost::asio::awaitable<Status> restart(std::string name) override;
  boost::asio::awaitable<Status> stop(std::string name) override;
  boost::asio::awaitable<Result<UnitStatus>> status(std::string name) override;
  boost::asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> changed() override;

 private:
  struct Impl;
  explicit DirectSupervisor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
