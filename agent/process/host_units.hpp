#pragma once
// What keeps the node's units on this host: systemd where it is process 1, elsewhere we ourselves.
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/domain/change_ledger.hpp"
#include "agent/ports/process_supervisor.hpp"
#include "agent/ports/unit_log.hpp"
#include "agent/process/direct_supervisor.hpp"

namespace slipway {

// sd_booted(3).
bool systemd_runs(const std::string& mark = "/run/systemd/system");

struct HostUnits {
  std::unique_ptr<ProcessSupervisor> supervisor;
  DirectSupervisor* direct = nullptr;  // supervisor, when it is that one
  std::unique_ptr<UnitLog> log;
};

// `options`: of our own supervisor; systemd needs none.
Result<HostUnits> open_host_units(boost::asio::any_io_executor executor, DirectOptions options = {});

// What our own supervisor makes on the host: for the change ledger, before it is opened.
std::vector<Intent> direct_intents(const DirectOptions& options = {});

// What the unit wrote last, for an archive for support: about 200 lines, as they were written. Blocks. Errc::unavailable,
// not_found: there is nothing to read.
Result<std::string> last_log(const std::string& unit);

}  // namespace slipway
