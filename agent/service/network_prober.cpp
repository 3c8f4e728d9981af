#include "agent/service/network_prober.hpp"

#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "agent/service/network_pass.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_patience = std::chrono::hours(1);  // until it is asked again whether there is news

}  // namespace

Result<ProbeSelf> NetworkProber::look() {
  const AgentState& state = deps_.state;
  if (!state.desired || !state.identity)
    return make_error(Errc::unavailable, "this node was not told yet what its network is to be");
  std::vector<std::string> problems;
  const auto desired = network_desired(*state.desired, *state.identity, problems);
  if (!desired) return desired.error();
  const auto observed = deps_.network.observe();
  if (!observed) return context(observed.error(), "looking at this node's network");
  return probe_self(*desired, *observed);
}

asio::awaitable<Result<proto::ProbeOffer>> NetworkProber::make_offer(std::string probe, ProbeSelf self) {
  using Addresses = std::vector<IpAddress>;
  std::function<Result<Addresses>()> job = [leased = deps_.leased]() -> Result<Addresses> {
    return leased();
  };
  asio::awaitable<Result<Addresses>> reading = offload<Addresses>(deps_.workers, std::move(job));
  const Result<Addresses> leased = co_await std::move(reading);
  if (!leased) co_return leased.error();
  const std::vector<Ping> pings = plan_local_probe(self, *leased);
  asio::awaitable<Result<std::vector<PingOutcome>>> pinging = deps_.pinger.ping(pings);
  const auto outcomes = co_await std::move(pinging);
  if (!outcomes) co_return context(outcomes.error(), "pinging the pods of this node");
  co_return probe_offer(probe, self, pings, *outcomes);
}

asio::awaitable<Status> NetworkProber::take_part() {
  const auto self = look();
  if (!self) co_return self.error();
  asio::awaitable<Result<proto::ProbeOffer>> making = make_offer(deps_.state.probe, *self);
  auto offer = co_await std::move(making);
  if (!offer) co_return offer.error();
  asio::awaitable<Result<proto::ProbeTargets>> offering = deps_.coordinator.offer_probe(std::move(*offer));
  const auto targets = co_await std::move(offering);
  if (!targets) co_return targets.error();
  const std::vector<PlannedPing> planned = plan_probe(*self, *targets);
  std::vector<Ping> pings;
  for (const PlannedPing& one : planned) pings.push_back(one.ping);
  asio::awaitable<Result<std::vector<PingOutcome>>> pinging = deps_.pinger.ping(std::move(pings));
  const auto outcomes = co_await std::move(pinging);
  if (!outcomes) co_return context(outcomes.error(), "pinging the other nodes");
  proto::ProbeReport report = probe_report(*self, *targets, planned, *outcomes);
  log::info(
      "took part in a probe of the network",
      {{"targets", targets->targets.size()}, {"pings", planned.size()}, {"lost", report.losses.size()}});
  asio::awaitable<Status> reporting = deps_.coordinator.report_probe(std::move(report));
  co_return co_await std::move(reporting);
}

asio::awaitable<Status> NetworkProber::run() {
  for (;;) {
    asio::awaitable<bool> waiting = deps_.state.probe_news.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "stopping");
    if (!woken) continue;
    asio::awaitable<Status> taking = take_part();
    const Status took = co_await std::move(taking);
    if (!took && took.error().code == Errc::canceled) co_return took.error();
    // Whoever asked for the probe is told that this node brought nothing.
    if (!took)
      log::warning("this node's part in a probe of the network came to nothing", {{"error", took.error()}});
  }
}

}  // namespace slipway
