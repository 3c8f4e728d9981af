#pragma once
// The single writer. Validates and applies at once in memory, commits in groups on a worker, answers when it is durable.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/notifier.hpp"
#include "common/async/runtime.hpp"
#include "common/core/result.hpp"
#include "coordinator/domain/operations.hpp"
#include "common/async/clock.hpp"
#include "coordinator/ports/audit_log.hpp"
#include "coordinator/ports/state_store.hpp"
#include "coordinator/service/feed.hpp"

namespace slipway {

// How the store keeps up.
struct CommitState {
  WallTime last{};                       // 1970: none since the start
  std::optional<Millis> under_way = {};  // how long one has been on its way to the disk
};

// How long it took to admit a new node and cut out its block, on the state; for the metrics.
struct AllocationTimes {
  static constexpr std::array<std::chrono::microseconds, 4> k_bounds = {std::chrono::microseconds(10), std::chrono::microseconds(100),
                                                                        std::chrono::microseconds(1'000), std::chrono::microseconds(10'000)};
  std::array<std::uint64_t, 4> within{};  // by bound; one that is in a bound is in all larger ones
  std::uint64_t count = 0;
  std::chrono::nanoseconds sum{0};
  void add(std::chrono::nanoseconds took);
};

class Registrar {
 public:
  struct Deps {
    boost::asio::any_io_executor executor;  // of the state thread
    Workers& workers;
    StateStore& store;
    // Called once, on the state thread, when the store has failed: the process must end (nothing is acknowledged any more).
    std::function<void(const Error&)> on_failure;
    // Gets a record of every change before the change is committed, in one flush a group. Null in tests that are not about
    // it; the clock tells the records' time.
    AuditLog* audit = nullptr;
    Clock* clock = nullptr;
    // The cluster's settings or pools are others now, if not on disk yet; called before any later operation. State thread.
    std::function<void(const State&)> settings_changed = {};
  };
  // `state` is what store.load() gave. The registrar must outlive its coroutines: it ends after the state thread has stopped.
  Registrar(State state, Deps deps);
  ~Registrar();
  Registrar(const Registrar&) = delete;
  Registrar& operator=(const Registrar&) = delete;

  // All of these on the state thread only.

  // Applies and resumes when the outcome is durable. An error of the operation, too, is told only when what it saw is
  // durable. Errc::unavailable after the store has failed.
  // `actor` goes into the audit log; the default is the coordinator itself.
  boost::asio::awaitable<Result<Outcome>> submit(Operation operation, proto::AuditActor actor = {});
  // A record of what changed nothing, a refusal; resumes when it is durable. Time, number and hashes are filled in.
  boost::asio::awaitable<Status> note(proto::AuditRecord record);

  // May be ahead of the disk: what leaves the process must wait for durable(state().revision()) first. No reference into it
  // survives a co_await.
  const State& state() const;
  // Resumes when everything up to `revision` is on disk; at once when it is.
  boost::asio::awaitable<Status> durable(std::uint64_t revision);

  // What agents are told of it.
  Feed& feed();
  CommitState commit_state() const;
  const AllocationTimes& allocation_times() const;
  // True when nothing is on its way to the disk.
  bool idle() const;
  // Resumes when idle() and the feed has told what it knows: before the process ends.
  boost::asio::awaitable<Status> drained();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
