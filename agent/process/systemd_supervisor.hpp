#pragma once
// Adapter: the ProcessSupervisor port on systemd's manager over D-Bus.
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/process_supervisor.hpp"
#include "common/async/clock.hpp"

namespace slipway {

struct SystemdOptions {
  std::string bus_address;      // empty: the system bus
  std::string run_dir = "/run/systemd/system";  // units' drop-ins that are gone with the next boot
  Millis call_limit{10'000};    // for a question
  Millis reload_limit{90'000};  // reading all units again may take long on a loaded machine
  Millis job_limit{180'000};    // from the start of a job to its end; longer than a unit's own start limit
};

// Connects at the first call and anew when the connection was lost. Must outlive the coroutines of its calls.
class SystemdSupervisor final : public ProcessSupervisor {
 public:
  SystemdSupervisor(boost::asio::any_io_executor executor, SystemdOptions options = {});
  ~SystemdSupervisor() override;

  boost::asio::awaitable<Status> reload() override;
  boost::asio::awaitable<Status> enable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> disable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> start(std::string name) override;
  boost::asio::awaitable<Status> restart(std::string name) override;
  boost::asio::awaitable<Status> stop(std::string name) override;
  boost::asio::awaitable<Result<UnitStatus>> status(std::string name) override;
  // A drop-in in memory (pause_dropin()): systemd goes by it also while no agent runs.
  boost::asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> changed() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
