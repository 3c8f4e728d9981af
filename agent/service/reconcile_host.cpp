// The Reconciler's part beside the components: firewalld, programs that read our drop-ins, and copies of
// programs in others' folders.
#include <algorithm>
#include <utility>

#include "agent/service/network_pass.hpp"
#include "agent/service/reconcile.hpp"
#include "agent/service/reconcile_pass.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

// Pods may come whatever firewalld says: only somebody who looks at it can tell why it refuses.
asio::awaitable<Status> Reconciler::open_firewall(Pass& pass, std::string underlay) {
  std::vector<std::string> told;  // by the network's own part already
  const auto network = network_desired(pass.desired, pass.identity, told);
  if (!network) co_return Status{};
  FirewallDeps deps = deps_.firewall;
  deps.note = [this](std::vector<Intent> intents) { return note_intents(std::move(intents)); };
  asio::awaitable<FirewallOutcome> bringing =
      bring_firewall_about(std::move(deps), *network, std::move(underlay));
  const FirewallOutcome outcome = co_await std::move(bringing);
  pass.add(outcome.changes, outcome.problems);
  if (outcome.reloaded) {
    asio::awaitable<Result<NetworkOutcome>> again = program_network(pass);
    if (const Result<NetworkOutcome> done = co_await std::move(again); !done) co_return done.error();
  }
  co_return Status{};
}

void Reconciler::note_written(const std::vector<NetworkFile>& files) {
  for (const NetworkFile file : files) {
    if (const auto reader = reader_of(file)) untold_.insert(*reader);
  }
}

// Who cannot be told reads its files at its next start: no fault of the pass.
asio::awaitable<Status> Reconciler::tell_readers() {
  if (deps_.readers == nullptr) co_return Status{};
  const std::set<FileReader> untold = untold_;
  for (const FileReader reader : untold) {
    asio::awaitable<Result<bool>> telling = deps_.readers->reread(reader);
    const Result<bool> told = co_await std::move(telling);
    if (told) {
      untold_.erase(reader);
      telling_trouble_.clear();
      if (*told)
        log::info("a program of the host has read our settings for it",
                  {{"program", std::string(describe(reader))}});
    } else if (telling_trouble_.worth_logging(told.error().message, deps_.clock.steady())) {
      log::warning("a program of the host does not read our settings for it",
                   {{"program", std::string(describe(reader))}, {"error", told.error()}});
    }
  }
  co_return Status{};
}

CopyDeps Reconciler::copy_deps() {
  CopyDeps deps = deps_.copies;
  deps.note = [this](std::vector<Intent> intents) { return note_intents(std::move(intents)); };
  deps.workers = &deps_.workers;
  return deps;
}

asio::awaitable<Status> Reconciler::copy_programs(Pass& pass) {
  const std::optional<ProgramCopies> wanted = pass.copies();
  // An artifact that is not there yet is told already.
  if (!wanted || pass.stamps.count(wanted->component) == 0) co_return Status{};
  asio::awaitable<CopyOutcome> copying = put_copies(copy_deps(), *wanted);
  CopyOutcome outcome = co_await std::move(copying);
  pass.add(outcome.changes, outcome.problems);
  pass.paths.insert(pass.paths.end(), outcome.paths.begin(), outcome.paths.end());
  co_return Status{};
}

// A runtime that looked for them, and has not been started anew, looks for them still.
asio::awaitable<Status> Reconciler::remove_old_copies(Pass& pass) {
  const bool settled = pass.report.installed &&
                       std::all_of(pass.good.begin(), pass.good.end(), [](bool good) { return good; });
  if (!settled) co_return Status{};
  asio::awaitable<CopyOutcome> removing = remove_copies(copy_deps(), pass.copies());
  CopyOutcome outcome = co_await std::move(removing);
  pass.add(outcome.changes, outcome.problems);
  co_return Status{};
}

}  // namespace slipway
