#include "agent/service/reset.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace slipway {

namespace {

// Without a supervisor nothing that it supervises runs; then only its files are to be removed.
asio::awaitable<Status> look_at_units(ProcessSupervisor* supervisor, const std::vector<Change>* changes,
                                      ResetSeen* seen) {
  for (std::size_t i = 0; i < changes->size(); ++i) {
    const Change change = (*changes)[i];
    if (change.kind != ChangeKind::unit) continue;
    asio::awaitable<Result<UnitStatus>> asking = supervisor->status(change.name);
    const Result<UnitStatus> status = co_await std::move(asking);
    if (!status && status.error().code == Errc::unavailable) co_return Status{};
    if (!status) co_return status.error();
    seen->of[i].there = status->running() || status->active == UnitActivity::activating ||
                        status->active == UnitActivity::failed ||
                        status->active == UnitActivity::deactivating;
    seen->of[i].value = status->unit_file;
  }
  co_return Status{};
}

asio::awaitable<Result<ResetSeen>> look(ResetDeps deps, const std::vector<Change>* changes) {
  auto seen = deps.host.look(*changes);
  if (!seen) co_return seen.error();
  seen->of.resize(changes->size());
  asio::awaitable<Status> asking = look_at_units(&deps.supervisor, changes, &*seen);
  if (const Status asked = co_await std::move(asking); !asked) co_return asked.error();
  co_return seen;
}

asio::awaitable<Status> carry_out(ResetDeps deps, ResetStep step) {
  if (step.action == ResetAction::stop_unit) {
    asio::awaitable<Status> stopping = deps.supervisor.stop(step.name);
    co_return co_await std::move(stopping);
  }
  if (step.action == ResetAction::reload_units) {
    asio::awaitable<Status> reloading = deps.supervisor.reload();
    const Status reloaded = co_await std::move(reloading);
    co_return !reloaded && reloaded.error().code == Errc::unavailable ? Status() : reloaded;
  }
  if (step.action == ResetAction::remove_cgroup && step.name.ends_with(".slice")) {
    // systemd's own group: it would make it anew.
    asio::awaitable<Status> stopping = deps.supervisor.stop(step.name);
    (void)(co_await std::move(stopping)).has_value();
  }
  co_return deps.host.undo(step);
}

bool is_about(const Leftover& leftover, const Change& change) {
  return leftover.kind == change.kind && leftover.name == change.name;
}

void note_failure(std::vector<Leftover>& leftovers, const ResetStep& step, const Error& error) {
  const bool of_host = step.action == ResetAction::reload_units;
  const Leftover leftover{of_host ? ChangeKind::unit : step.change.kind,
                          of_host ? "systemd's view of its units" : step.change.name, error.message};
  const bool known = std::any_of(leftovers.begin(), leftovers.end(), [&](const Leftover& other) {
    return other.kind == leftover.kind && other.name == leftover.name;
  });
  if (!known) leftovers.push_back(leftover);
}

}  // namespace

asio::awaitable<Result<ResetPlan>> look_and_plan(ResetDeps deps, std::vector<Change> changes) {
  asio::awaitable<Result<ResetSeen>> looking = look(deps, &changes);
  const Result<ResetSeen> seen = co_await std::move(looking);
  if (!seen) co_return seen.error();
  co_return plan_reset(changes, *seen);
}

asio::awaitable<Result<ResetOutcome>> reset_host(ResetDeps deps, std::vector<Change> changes) {
  ResetOutcome outcome;
  asio::awaitable<Result<ResetPlan>> planning = look_and_plan(deps, changes);
  const Result<ResetPlan> plan = co_await std::move(planning);
  if (!plan) co_return plan.error();
  std::vector<Leftover> failed;
  for (const ResetStep& step : plan->steps) {
    if (deps.begins) deps.begins(step);
    asio::awaitable<Status> acting = carry_out(deps, step);
    const Status done = co_await std::move(acting);
    if (done) {
      outcome.done.push_back(describe(step));
    } else {
      note_failure(failed, step, done.error());
    }
  }
  // Another look: what failed may have gone with something else, and what was found may have come back.
  asio::awaitable<Result<ResetPlan>> checking = look_and_plan(deps, changes);
  const Result<ResetPlan> after = co_await std::move(checking);
  if (!after) co_return after.error();
  outcome.leftovers = after->leftovers;
  for (const ResetStep& step : after->steps) {
    if (step.action == ResetAction::reload_units) continue;
    const auto why = std::find_if(failed.begin(), failed.end(), [&step](const Leftover& leftover) {
      return is_about(leftover, step.change);
    });
    // systemd remembers that one failed, also when its file is gone; what of it still runs is told with its
    // programs.
    if (step.action == ResetAction::stop_unit && why == failed.end()) continue;
    note_failure(outcome.leftovers, step,
                 make_error(Errc::internal,
                            why == failed.end() ? "it is there again: something brings it back" : why->why));
  }
  for (const Leftover& leftover : failed) {
    if (leftover.name == "systemd's view of its units") outcome.leftovers.push_back(leftover);
  }
  for (const Change& change : changes) {
    const bool left = std::any_of(outcome.leftovers.begin(), outcome.leftovers.end(),
                                  [&change](const Leftover& leftover) { return is_about(leftover, change); });
    if (left) outcome.left.push_back(change);
  }
  co_return outcome;
}

}  // namespace slipway
