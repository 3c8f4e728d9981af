#include "coordinator/service/registrar.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/async/spawn.hpp"
#include "common/log/log.hpp"
#include "coordinator/domain/audit.hpp"
#include "coordinator/domain/desired.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

// Longer than any commit takes: who waits so long is told, and the store's own time-outs will have spoken before.
constexpr Millis k_patience = std::chrono::minutes(5);

using Snapshot = std::shared_ptr<const proto::DesiredState>;
using Encoded = std::shared_ptr<const Published>;

// The rest between two publications. Encoding grows with the number of nodes, about 2 us each: with this it stays at a few percent
// of a core while nodes join by the hundred, and a fleet hears of a burst at most once a second. The first change after a
// quiet time is published at once.
Millis pace_for(std::size_t nodes) { return std::min(Millis(nodes / 10), Millis(1'000)); }

Encoded encode_desired(const proto::DesiredState& desired) {
  return std::make_shared<const Published>(Published{desired.epoch, desired.revision, proto::encode(desired)});
}

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
      : state(std::move(initial)), deps(std::move(given)), durable_revision(state.revision()) {}

  State state;
  Deps deps;
  Group pending;  // applied, not yet on its way to the disk
  std::uint64_t noted = 0;          // audit records taken so far
  std::uint64_t durable_notes = 0;  // of these on disk
  std::uint64_t durable_revision;
  std::uint64_t captured_revision = 0;  // desired revision that was last taken for publishing
  bool committing = false;
  bool publishing = false;
  std::optional<Error> failure;
  WallTime committed_at{};
  std::optional<SteadyTime> commit_began;
  AllocationTimes allocations;
  Encoded published;
  Notifier progress;  // after each commit and publication
  Notifier changed;
  Notifier pacing;  // never notified: its time-out is the rest between publications

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
  bool idle() const { return !committing && nothing_pending() && !publishing; }

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

  // Taken where memory is exactly what the disk has or will have: at the cut of a batch, or when nothing is under way.
  // One at a time, so under load a publication is as rare as its encoding is slow, and costs the state thread a copy.
  Snapshot capture() {
    if (publishing || !state.has_cluster() || captured_revision == state.desired_revision()) return nullptr;
    captured_revision = state.desired_revision();
    publishing = true;
    return std::make_shared<const proto::DesiredState>(desired_state(state));
  }

  void start_publishing(Snapshot snapshot) {
    if (snapshot) spawn_detached(deps.executor, "publish", publish_all(std::move(snapshot)));
  }

  asio::awaitable<Status> commit_all() {
    while (!nothing_pending()) {
      const auto group = std::make_shared<const Group>(std::exchange(pending, {}));
      const std::uint64_t revision = state.revision();
      const std::uint64_t notes = noted;
      Snapshot snapshot = capture();
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
      start_publishing(std::move(snapshot));
    }
    committing = false;
    start_publishing(capture());
    progress.notify();
    co_return Status{};
  }

  asio::awaitable<Status> publish_all(Snapshot snapshot) {
    while (snapshot) {
      std::function<Result<Encoded>()> job = [snapshot] { return Result<Encoded>(encode_desired(*snapshot)); };
      asio::awaitable<Result<Encoded>> working = offload<Encoded>(deps.workers, std::move(job));
      const Result<Encoded> encoded = co_await std::move(working);
      if (!encoded) {
        publishing = false;
        fail(encoded.error());
        co_return Status{};
      }
      published = *encoded;
      const Millis rest = pace_for(snapshot->nodes.size());
      snapshot.reset();
      changed.notify();
      if (rest.count() > 0) {
        asio::awaitable<bool> resting = pacing.wait(rest);
        co_await std::move(resting);
      }
      publishing = false;
      // While a commit is under way memory is ahead of the disk; its end captures what came meanwhile.
      if (!committing) snapshot = capture();
      progress.notify();
    }
    co_return Status{};
  }

  // Nothing is acknowledged any more: what is on disk is known only after it has been read again.
  void fail(const Error& error) {
    if (failure) return;
    failure = error;
    log::error("the store has failed, ending", {{"error", error}});
    progress.notify();
    changed.notify();
    if (deps.on_failure) deps.on_failure(error);
  }
};

Registrar::Registrar(State state, Deps deps) : impl_(std::make_unique<Impl>(std::move(state), std::move(deps))) {
  if (!impl_->state.has_cluster()) return;
  impl_->published = encode_desired(desired_state(impl_->state));
  impl_->captured_revision = impl_->state.desired_revision();
}
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

asio::awaitable<Status> Registrar::durable(std::uint64_t revision) {
  while (impl_->durable_revision < revision) {
    if (impl_->failure) co_return store_failed();
    asio::awaitable<bool> waiting = impl_->progress.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator's store: whether the change was made is not known");
  }
  co_return Status{};
}

std::shared_ptr<const Published> Registrar::published() const { return impl_->published; }
Notifier& Registrar::published_changed() { return impl_->changed; }
bool Registrar::idle() const { return impl_->idle(); }

asio::awaitable<Status> Registrar::drained() {
  while (!impl_->idle()) {
    if (impl_->failure) co_return store_failed();
    asio::awaitable<bool> waiting = impl_->progress.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator's store to finish");
  }
  co_return Status{};
}

}  // namespace slipway
