#include "agent/reset_command.hpp"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "agent/config.hpp"
#include "agent/process/host_units.hpp"
#include "agent/service/reset.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "agent/store/file_node_store.hpp"
#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/dir_lock.hpp"
#include "common/files/tree.hpp"
#include "proto/codec.hpp"
#include "proto/preflight.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr char k_agent_unit[] = "slipway-agent.service";
constexpr std::size_t k_max_identity = 64 * 1024;

// The name alone: a broken file is no reason not to reset.
std::string node_name_in(const std::string& data_dir) {
  const auto text = read_file(data_dir + "/node.json", k_max_identity);
  if (!text) return "";
  const std::string key = "\"nodeName\": \"";
  const std::size_t at = text->find(key);
  if (at == std::string::npos) return "?";
  const std::size_t begin = at + key.size();
  return text->substr(begin, text->find('"', begin) - begin);
}

std::string data_dir_of(const ResetOptions& options) {
  auto config = load_agent_config(options.config_file);
  return config ? config->data_dir : options.data_dir;
}

// Only what the agent itself has put there: the folder may have been chosen by somebody who keeps other
// things in it.
Status forget_state(const std::string& data_dir, bool keep_ledger) {
  if (!path_exists(data_dir)) return {};
  for (const char* name : k_state_files) {
    if (auto gone = remove_file(data_dir + "/" + name); !gone) return gone;
    remove_stale(data_dir, "." + std::string(name) + ".tmp-");
  }
  for (const char* name : {"pki", "cache", "units"}) {
    if (auto gone = remove_tree(data_dir + "/" + name); !gone) return gone;
  }
  if (keep_ledger) return {};
  // The last: without it nothing could be undone any more.
  if (auto gone = remove_tree(FileChangeLedger::folder(data_dir)); !gone) return gone;
  if (auto gone = remove_file(data_dir + "/.lock"); !gone) return gone;
  if (::rmdir(data_dir.c_str()) != 0 && errno != ENOENT) {
    if (errno != ENOTEMPTY && errno != EEXIST) return from_errno("remove " + data_dir, errno);
    const auto names = list_dir(data_dir);
    return make_error(Errc::conflict, "it holds what is not the agent's" + (names ? ": " + join(*names, ", ") : std::string()));
  }
  // Shared with the coordinator; named after us.
  const std::string above = parent_path(data_dir);
  if (above.ends_with("/slipway")) (void)::rmdir(above.c_str());
  return {};
}

asio::awaitable<Status> stop_agent(ProcessSupervisor* supervisor) {
  asio::awaitable<Status> stopping = supervisor->stop(k_agent_unit);
  const Status stopped = co_await std::move(stopping);
  // No systemd: whether an agent runs the lock tells.
  if (!stopped && stopped.error().code == Errc::unavailable) co_return Status{};
  co_return stopped;
}

ResetResult nothing_known(const ResetOptions& options, const std::string& data_dir, ResetResult result) {
  if (path_exists(data_dir + "/node.json")) {
    result.leftovers.push_back({ChangeKind::dir, data_dir,
                                "this node was set up by an agent that kept no change ledger: start "
                                "slipway-agent once, which begins one from what is there, "
                                "then reset again"});
    return result;
  }
  if (options.dry_run) return result;
  if (auto forgotten = forget_state(data_dir, false); !forgotten)
    result.leftovers.push_back({ChangeKind::dir, data_dir, forgotten.error().message});
  return result;
}

// After the host: what the agent is itself.
Status finish(const ResetOptions& options, const std::string& data_dir, FileChangeLedger& ledger,
              const std::vector<Change>& left, ResetResult& result) {
  if (auto gone = remove_tree(options.run_dir); !gone)
    result.leftovers.push_back({ChangeKind::tree, options.run_dir, gone.error().message});
  if (!left.empty()) {
    // So that another reset goes on with these.
    if (auto kept = ledger.keep_only(left); !kept) return kept;
  }
  const bool keep = !left.empty() || ledger.damaged() > 0;
  auto forgotten = forget_state(data_dir, keep);
  if (!forgotten) result.leftovers.push_back({ChangeKind::dir, data_dir, forgotten.error().message});
  return {};
}

Result<std::unique_ptr<HostUndo>> open_host(const ResetOptions& options) {
  if (options.open_host) return options.open_host(options.paths);
  auto host = KernelUndo::open(options.paths);
  if (!host) return host.error();
  return std::unique_ptr<HostUndo>(std::move(*host));
}

void tell_damage(const FileChangeLedger& ledger, const std::string& data_dir, ResetResult& result) {
  if (ledger.damaged() == 0) return;
  result.leftovers.push_back(
      {ChangeKind::file, FileChangeLedger::folder(data_dir) + "/changes",
       std::to_string(ledger.damaged()) +
           " of its lines cannot be read: what they speak of is not undone. Look for it, then remove " +
           data_dir});
}

}  // namespace

asio::awaitable<Result<ResetResult>> reset_now(ResetOptions options, ProcessSupervisor* supervisor,
                                               ResetProgress progress) {
  const std::string data_dir = data_dir_of(options);
  ResetResult result;
  result.dry_run = options.dry_run;
  result.node = node_name_in(data_dir);
  std::optional<DirLock> lock;
  if (!options.dry_run) {
    asio::awaitable<Status> stopping = stop_agent(supervisor);
    if (const Status stopped = co_await std::move(stopping); !stopped)
      co_return context(stopped.error(), "stopping the agent");
    if (path_exists(data_dir)) {
      auto held = DirLock::acquire(data_dir);
      if (!held) co_return context(held.error(), "the agent runs");
      lock.emplace(std::move(*held));
    }
  }
  auto ledger = FileChangeLedger::read(data_dir);
  if (!ledger && ledger.error().code == Errc::not_found)
    co_return nothing_known(options, data_dir, std::move(result));
  if (!ledger) co_return ledger.error();
  options.paths.copies = FileChangeLedger::folder(data_dir) + "/kept";
  auto host = open_host(options);
  if (!host) co_return host.error();
  ResetDeps deps{**host, *supervisor, [progress](const ResetStep& step) {
                   if (progress) progress(describe(step));
                 }};
  const std::vector<Change> changes = (*ledger)->ledger().changes();
  if (options.dry_run) {
    asio::awaitable<Result<ResetPlan>> planning = look_and_plan(deps, changes);
    const Result<ResetPlan> plan = co_await std::move(planning);
    if (!plan) co_return plan.error();
    for (const ResetStep& step : plan->steps) result.steps.push_back(describe(step));
    result.leftovers = plan->leftovers;
    tell_damage(**ledger, data_dir, result);
    co_return result;
  }
  asio::awaitable<Result<ResetOutcome>> working = reset_host(deps, changes);
  Result<ResetOutcome> outcome = co_await std::move(working);
  if (!outcome) co_return outcome.error();
  result.steps = std::move(outcome->done);
  result.leftovers = std::move(outcome->leftovers);
  tell_damage(**ledger, data_dir, result);
  if (const Status finished = finish(options, data_dir, **ledger, outcome->left, result); !finished)
    co_return finished.error();
  co_return result;
}

namespace {

asio::awaitable<Status> reset_and_stop(ResetOptions options, ProcessSupervisor* supervisor,
                                       ResetProgress progress, EventThread* thread,
                                       Result<ResetResult>* out) {
  asio::awaitable<Result<ResetResult>> resetting =
      reset_now(std::move(options), supervisor, std::move(progress));
  *out = co_await std::move(resetting);
  thread->stop();
  co_return Status{};
}

}  // namespace

Result<ResetResult> run_reset(const ResetOptions& options, const ResetProgress& progress) {
  EventThread thread("reset");
  DirectOptions direct;
  direct.only_ends = true;
  auto units = open_host_units(thread.executor(), std::move(direct));
  if (!units) return units.error();
  Result<ResetResult> result = make_error(Errc::internal, "the reset was broken off");
  spawn_detached(thread.executor(), "reset",
                 reset_and_stop(options, units->supervisor.get(), progress, &thread, &result));
  thread.run_here();
  return result;
}

std::string reset_json(const ResetResult& result) {
  proto::ResetReport report;
  report.clean = result.clean();
  report.dry_run = result.dry_run;
  report.node = result.node;
  report.steps = result.steps;
  for (const Leftover& leftover : result.leftovers)
    report.leftovers.push_back({std::string(to_string(leftover.kind)), leftover.name, leftover.why});
  return proto::pretty(proto::encode(report)) + "\n";
}

std::string reset_text(const ResetResult& result) {
  std::ostringstream out;
  if (result.dry_run) {
    for (const std::string& step : result.steps) out << "would " << step << "\n";
    if (result.steps.empty()) out << "nothing to undo\n";
  } else {
    out << "undone: " << result.steps.size() << " steps\n";
  }
  for (const Leftover& leftover : result.leftovers)
    out << "left: " << describe(leftover.kind, leftover.name) << ": " << leftover.why << "\n";
  if (result.clean() && !result.dry_run) out << "nothing of Slipway's is left but the package\n";
  if (!result.node.empty())
    out << "the coordinator still knows this node; there: slipwayctl node delete " << result.node << "\n";
  return out.str();
}

}  // namespace slipway
