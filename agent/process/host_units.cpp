#include "agent/process/host_units.hpp"

#include <unistd.h>

#include <utility>

#include "agent/process/journal_unit_log.hpp"
#include "agent/process/systemd_supervisor.hpp"
#include "agent/process/unit_files.hpp"
#include "common/systemd/journal.hpp"

namespace slipway {

bool systemd_runs(const std::string& mark) { return ::access(mark.c_str(), F_OK) == 0; }

Result<HostUnits> open_host_units(boost::asio::any_io_executor executor, DirectOptions options) {
  HostUnits units;
  if (systemd_runs()) {
    units.supervisor = std::make_unique<SystemdSupervisor>(std::move(executor));
    units.log = std::make_unique<JournalUnitLog>();
    return units;
  }
  units.log = std::make_unique<FileUnitLog>(options.log_dir);
  auto direct = DirectSupervisor::open(std::move(executor), std::move(options));
  if (!direct) return context(direct.error(), "taking over the node's processes");
  units.direct = direct->get();
  units.supervisor = std::move(*direct);
  return units;
}

std::vector<Intent> direct_intents(const DirectOptions& options) {
  return {{ChangeKind::tree, options.enabled_dir, "", true},
          {ChangeKind::tree, options.log_dir, "", true},
          {ChangeKind::cgroup, options.cgroup, "", true}};
}

Result<std::string> last_log(const std::string& unit) {
  return systemd_runs() ? systemd::last_lines(unit) : FileUnitLog(DirectOptions{}.log_dir).tail(unit);
}

}  // namespace slipway
