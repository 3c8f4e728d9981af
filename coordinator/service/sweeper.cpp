#include "coordinator/service/sweeper.hpp"

#include <utility>

#include "common/log/log.hpp"
#include "coordinator/domain/pod_mtu.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

// A node that is being replaced has no host; one that was not heard of since our start may be the one with the smallest MTU.
PodMtuSight pod_mtu_sight(const State& state, const NodeStatusBoard& board) {
  PodMtuSight sight{{}, true};
  for (const auto& [name, node] : state.nodes()) {
    if (node.replacing) continue;
    const NodeContact* const contact = board.find(node.uid);
    const std::uint64_t told = contact == nullptr ? 0 : contact->report.facts.pod_mtu;
    if (told == 0) sight.all = false;
    else sight.told.push_back(told);
  }
  return sight;
}

std::uint32_t limit_now(const State& state, const NodeStatusBoard& board) {
  const std::uint32_t before = state.pod_mtu_limit();
  const std::uint32_t limit = pod_mtu_limit(pod_mtu_sight(state, board), before);
  if (limit != before) log::info("the largest MTU that all nodes can give their pods", {{"mtu", limit}, {"before", before}});
  return limit;
}

}  // namespace

asio::awaitable<Status> sweep_once(SweeperDeps deps) {
  const State& state = deps.registrar.state();
  deps.status.prune(state);
  const std::uint64_t acknowledged = deps.status.acknowledged(state);
  deps.registrar.feed().trim(acknowledged);
  Sweep sweep;
  sweep.maturity = {deps.clock.wall(), deps.quarantine_min_age, acknowledged};
  sweep.pod_mtu_limit = limit_now(state, deps.status);
  asio::awaitable<Result<Outcome>> submitting = deps.registrar.submit(std::move(sweep));
  const Result<Outcome> swept = co_await std::move(submitting);
  if (!swept) co_return swept.error();
  co_return Status{};
}

}  // namespace slipway
