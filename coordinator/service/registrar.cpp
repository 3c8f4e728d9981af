#include "coordinator/service/registrar.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/async/spawn.hpp"
#include "common/log/log.hpp"
#include "coordinator/domain/audit.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

// Longer than any commit takes: who waits so long is told, and the store's own time-outs will have spoken before.
constexpr Millis k_patience = std::chrono::minutes(5);

// What is committed together: one flush of the audit log, then one of the store.
struct Group {
  std::vector<Change> changes;
  std::vector<proto::AuditRecord> records;
};

// The log first: the store never knows of anything that the log lacks. After a crash between the two the log may tell of
// what never came about.
Result<bool> commit_group(StateStore& store, AuditLog* audit, const Group& group) {
  Status committed;
  if (audit == nullptr) {
    committed = store.commit(group.changes);
  } else {
    const auto head = audit->append(group.records);
    if (!head) return head.error();
    committed = store.commit_audited(group.changes, *head);
  }
  if (!committed) return committed.error();
  return true;
}

bool changes_settings(const Operation& operation) {
  return std::holds_alternative<ApplyCluster>(operation) || std::holds_alternative<CreatePool>(operation) ||
         std::holds_alternative<GrowPool>(operation) || std::holds_alternative<DrainPool>(operation) ||
         std::holds_alternative<DeletePool>(operation);
}

Error store_failed() {
  return make_error(Errc::unavailable, "the coordinator could not write its store and is restarting: try again");
}

}  // namespace

struct Registrar::Impl {
  Impl(State initial, Deps given)
      : state(std::move(initial)),
        deps(std::move(given)),
        durable_revision(state.revision()),
        feed({deps.executor, deps.workers, state, deps.clock, [this](std::uint64_t revision) { return durable(revision); }}) {}

  State state;
  Deps deps;
  Group pending;  // applied, not yet on its way to the disk
  std::uint64_t noted = 0;          // audit records taken so far
  std::uint64_t durable_notes = 0;  // of these on disk
  std::uint64_t durable_revision;
  bool committing = false;
  std::optional<Error> failure;
  WallTime committed_at{};
  std::optional<SteadyTime> commit_began;
  AllocationTimes allocations;
  Notifier progress;  // after each commit
  Feed feed;

  // A new node's admission is the one allocation there is.
  Result<Outcome> apply_timed(const Operation& operation) {
    const auto* admission = std::get_if<AdmitNode>(&operation);
    const bool timed = deps.clock != nullptr && admission != nullptr && admission->kind == AdmissionKind::new_node;
    const SteadyTime begin = timed ? deps.clock->steady() : SteadyTime{};
    Result<Outcome> outcome = apply(state, operation, pending.changes);
    if (timed && outcome) allocations.add(deps.clock->steady() - begin);
    if (admission != nullptr && outcome) {
      for (const std::string& note : outcome->notes) log::warning("a block of pod addresses left quarantine early (slipwayctl pool grow)", {{"block", note}});
    }
    return outcome;
  }

  bool nothing_pending() const { return pending.changes.empty() && pending.records.empty(); }
  bool idle() const { return !committing && nothing_pending(); }

  asio::awaitable<Status> durable(std::uint64_t revision) {
    while (durable_revision < revision) {
      if (failure) co_return store_failed();
      asio::awaitable<bool> waiting = progress.wait(k_patience);
      const bool woken = co_await std::move(waiting);
      if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator's store: whether the change was made is not known");
    }
    co_return Status{};
  }

  void take(proto::AuditRecord record) {
    if (deps.audit == nullptr) return;
    if (deps.clock != nullptr) record.time = to_rfc3339(deps.clock->wall());
    pending.records.push_back(std::move(record));
    ++noted;
  }

  void start_commit() {
    if (committing || nothing_pending()) return;
    committing = true;
    spawn_detached(deps.executor, "commit", commit_all());
  }

  asio::awaitable<Status> commit_all() {
    while (!nothing_pending()) {
      const auto group = std::make_shared<const Group>(std::exchange(pending, {}));
      const std::uint64_t revision = state.revision();
      const std::uint64_t desired = state.has_cluster() ? state.desired_revision() : 0;
      const std::uint64_t notes = noted;
      StateStore* store = &deps.store;
      AuditLog* audit = deps.audit;
      std::function<Result<bool>()> job = [store, audit, group] { return commit_group(*store, audit, *group); };
      if (deps.clock != nullptr) commit_began = deps.clock->steady();
      asio::awaitable<Result<bool>> working = offload<bool>(deps.workers, std::move(job));
      const Result<bool> committed = co_await std::move(working);
      commit_began.reset();
      if (!committed) {
        fail(committed.error());
        co_return Status{};
      }
      durable_revision = revision;
      durable_notes = notes;
      if (deps.clock != nullptr) committed_at = deps.clock->wall();
      progress.notify();
      feed.committed(desired);
    }
    committing = false;
    progress.notify();
    co_return Status{};
  }

  // Nothing is acknowledged any more: what is on disk is known only after it has been read again.
  void fail(const Error& error) {
    if (failure) return;
    failure = error;
    log::error("the store has failed, ending", {{"error", error}});
    progress.notify();
    feed.fail();
    if (deps.on_failure) deps.on_failure(error);
  }
};

Registrar::Registrar(State state, Deps deps) : impl_(std::make_unique<Impl>(std::move(state), std::move(deps))) {}
Registrar::~Registrar() = default;

asio::awaitable<Result<Outcome>> Registrar::submit(Operation operation, proto::AuditActor actor) {
  if (impl_->failure) co_return store_failed();
  const Result<Outcome> outcome = impl_->apply_timed(operation);
  if (outcome) {
    auto record = audit_record(operation, *outcome, std::move(actor));
    if (record) impl_->take(std::move(*record));
    if (impl_->deps.settings_changed && outcome->changed && changes_settings(operation)) impl_->deps.settings_changed(impl_->state);
  }
  impl_->start_commit();
  asio::awaitable<Status> waiting = durable(impl_->state.revision());
  const Status safe = co_await std::move(waiting);
  if (!safe) co_return safe.error();
  co_return outcome;
}

asio::awaitable<Status> Registrar::note(proto::AuditRecord record) {
  if (impl_->failure) co_return store_failed();
  impl_->take(std::move(record));
  const std::uint64_t mine = impl_->noted;
  impl_->start_commit();
  while (impl_->durable_notes < mine) {
    if (impl_->failure) co_return store_failed();
    asio::awaitable<bool> waiting = impl_->progress.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator's audit log");
  }
  co_return Status{};
}

void AllocationTimes::add(std::chrono::nanoseconds took) {
  ++count;
  sum += took;
  for (std::size_t i = 0; i < k_bounds.size(); ++i) within[i] += took <= k_bounds[i] ? 1 : 0;
}

CommitState Registrar::commit_state() const {
  CommitState commit{impl_->committed_at, {}};
  if (impl_->commit_began) commit.under_way = std::chrono::duration_cast<Millis>(impl_->deps.clock->steady() - *impl_->commit_began);
  return commit;
}

const AllocationTimes& Registrar::allocation_times() const { return impl_->allocations; }

const State& Registrar::state() const { return impl_->state; }

asio::awaitable<Status> Registrar::durable(std::uint64_t revision) { return impl_->durable(revision); }

Feed& Registrar::feed() { return impl_->feed; }
bool Registrar::idle() const { return impl_->idle(); }

asio::awaitable<Status> Registrar::drained() {
  while (!impl_->idle()) {
    if (impl_->failure) co_return store_failed();
    asio::awaitable<bool> waiting = impl_->progress.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator's store to finish");
  }
  impl_->feed.hurry();
  co_return Status{};
}

}  // namespace slipway
