#pragma once
// `slipway-agent reset`: takes everything away that the change ledger speaks of, then the agent's own state.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/domain/reset_plan.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/ports/process_supervisor.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct ResetOptions {
  std::string config_file;                          // only dataDir counts; it may be missing or broken
  std::string data_dir = "/var/lib/slipway/agent";  // where the configuration names none
  std::string run_dir = "/run/slipway";
  bool dry_run = false;
  UndoPaths paths = {};
  // Opens what the host is looked at and undone with; empty: KernelUndo on `paths`.
  std::function<Result<std::unique_ptr<HostUndo>>(const UndoPaths& paths)> open_host = {};
};

struct ResetResult {
  bool dry_run = false;
  std::string node;                // that the coordinator still knows; empty: it never joined
  std::vector<std::string> steps;  // done, or to be done
  std::vector<Leftover> leftovers;
  bool clean() const { return leftovers.empty(); }
};

using ResetProgress = std::function<void(const std::string& step)>;

// Blocks its executor. Works without the coordinator; may be killed at any point and called again.
// Errc::conflict: the agent runs and cannot be stopped.
boost::asio::awaitable<Result<ResetResult>> reset_now(ResetOptions options, ProcessSupervisor* supervisor,
                                                      ResetProgress progress);

// With systemd, or with our own supervisor where there is none. Blocks.
Result<ResetResult> run_reset(const ResetOptions& options, const ResetProgress& progress);

std::string reset_json(const ResetResult& result);
// What is left or, of a dry run, what would be done; ends with a line feed.
std::string reset_text(const ResetResult& result);

}  // namespace slipway
