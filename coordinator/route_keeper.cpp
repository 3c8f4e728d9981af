#include "coordinator/route_keeper.hpp"

#include <utility>

#include "common/core/time.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/config.hpp"
#include "coordinator/routes/program_hook.hpp"
#include "coordinator/routes/route_notes_file.hpp"
#include "coordinator/service/route_sync.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr Millis k_longest_wait = std::chrono::hours(1);

}  // namespace

struct RouteKeeper::Parts {
  Parts(const Deps& deps, std::unique_ptr<ProgramHook> program, std::size_t concurrency, Millis period)
      : hook(std::move(program)), notes(deps.workers, routes_file(deps.config.data_dir)), sync({deps.executor, deps.clock, *hook, notes, [&registrar = deps.registrar] { return wanted_outside(registrar.state()); }, concurrency, period,
              deps.seed}) {}

  std::unique_ptr<ProgramHook> hook;
  RouteNotesFile notes;
  RouteSync sync;
};

RouteKeeper::RouteKeeper(Deps deps, bool used, std::unique_ptr<Parts> parts) : deps_(std::move(deps)), used_(used), parts_(std::move(parts)) {}
RouteKeeper::~RouteKeeper() = default;

Result<std::unique_ptr<RouteKeeper>> RouteKeeper::make(Deps deps) {
  const State& state = deps.registrar.state();
  const bool used = state.cluster().spec.network.backend == "routes";
  const proto::RoutesHook& wanted = deps.config.routes_hook;
  if (!used || wanted.command.empty()) return std::unique_ptr<RouteKeeper>(new RouteKeeper(std::move(deps), used, nullptr));
  auto settings = hook_settings(wanted);
  if (!settings) return settings.error();
  settings->cluster_name = state.cluster().spec.metadata.name;
  settings->cluster_id = state.identity().id;
  const std::size_t concurrency = settings->concurrency;
  auto hook = ProgramHook::make(std::move(*settings));
  if (!hook) return hook.error();
  const Millis period = parse_duration(wanted.period).value_or(Seconds(60));
  auto parts = std::make_unique<Parts>(deps, std::move(*hook), concurrency, period);
  return std::unique_ptr<RouteKeeper>(new RouteKeeper(std::move(deps), used, std::move(parts)));
}

asio::awaitable<Status> RouteKeeper::run() {
  if (parts_ == nullptr) co_return Status{};
  asio::awaitable<Status> running = parts_->sync.run();
  co_return co_await std::move(running);
}

asio::awaitable<Status> RouteKeeper::follow_nodes() {
  std::uint64_t seen = 0;
  while (parts_ != nullptr) {
    const std::uint64_t now = deps_.registrar.state().desired_revision();
    if (now != seen) parts_->sync.nodes_changed();
    seen = now;
    asio::awaitable<bool> waiting = deps_.registrar.feed().changed().wait(k_longest_wait);
    (void)co_await std::move(waiting);
  }
  co_return Status{};
}

void RouteKeeper::stop() {
  if (parts_ != nullptr) parts_->hook->stop();
}

api::OutsideRoutes RouteKeeper::state() const {
  api::OutsideRoutes state;
  state.used = used_;
  if (parts_ == nullptr) {
    if (used_) state.message = "network.backend is routes, and coordinator.yaml names no routesHook: nobody sets the nodes' routes";
    return state;
  }
  state.message = parts_->sync.message();
  state.good = parts_->sync.route_count();
  for (const RouteTrouble& trouble : parts_->sync.trouble()) state.trouble.push_back({trouble.node, trouble.what});
  return state;
}

}  // namespace slipway
