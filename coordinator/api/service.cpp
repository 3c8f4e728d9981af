// The coordinator itself: probes, health, metrics, contract.
#include <algorithm>

#include "common/async/timeout.hpp"
#include "coordinator/api/handlers.hpp"
#include "coordinator/api/metrics.hpp"
#include "coordinator/api/openapi_text.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/service/pool_view.hpp"
#include "slipway_version.hpp"

namespace slipway::api {

namespace {

constexpr Millis k_ready_limit{2'000};

proto::CertificateView ca_view(CaKind kind, const CaFacts& facts) {
  return {"(cluster)",
          "ca:" + std::string(to_string(kind)),
          facts.serial,
          to_rfc3339(facts.not_before),
          to_rfc3339(facts.not_after),
          facts.sha256};
}

}  // namespace

std::vector<proto::NodeView> Handlers::node_views() const {
  std::vector<proto::NodeView> views;
  const State& state = deps_.registrar.state();
  views.reserve(state.nodes().size());
  for (const auto& [name, node] : state.nodes())
    views.push_back(node_view(state, node, deps_.board.find(node.uid)));
  return views;
}

std::vector<proto::CertificateView> Handlers::certificates_with_cas() const {
  std::vector<proto::CertificateView> views =
      current_certificates(deps_.registrar.state(), deps_.clock.wall());
  for (const auto& [kind, line] : deps_.registrar.state().cas()) {
    views.push_back(ca_view(kind, line.signing));
    if (line.other) views.push_back(ca_view(kind, *line.other));
  }
  std::sort(views.begin(), views.end(), [](const proto::CertificateView& a, const proto::CertificateView& b) {
    return a.node + "/" + a.usage + "/" + a.serial < b.node + "/" + b.usage + "/" + b.serial;
  });
  return views;
}

HealthInput Handlers::health_input() const {
  const State& state = deps_.registrar.state();
  HealthInput input;
  input.nodes = node_views();
  input.certificates = certificates_with_cas();
  input.components = desired_components(state);
  input.pools = pool_list(state, deps_.clock.wall()).items;
  input.kube = deps_.kube_state();
  if (deps_.outside_routes) input.outside = deps_.outside_routes();
  input.coordinator = deps_.coordinator_state();
  input.store.commit = deps_.registrar.commit_state();
  const Lifetimes lifetimes = lifetimes_of(state.cluster());
  for (const auto& [kind, line] : state.cas()) input.authorities.push_back({deps_.cas.view(line), longest_life(kind, lifetimes)});
  input.route_collisions = route_collisions(state, deps_.board);
  input.wanted_mtu = state.cluster().spec.network.mtu;
  input.rollout_paused = state.cluster().spec.rollout.paused;
  input.audit_damage = deps_.audit_damage;
  input.now = deps_.clock.wall();
  input.started = started_;
  return input;
}

Handling Handlers::get_health(RequestContext) {
  std::function<boost::asio::awaitable<Result<HealthInput>>()> there = [this] { return health_input_there(); };
  boost::asio::awaitable<Result<HealthInput>> hop = run_on<HealthInput>(deps_.state, std::move(there));
  auto input = co_await std::move(hop);
  if (!input) co_return input.error();
  boost::asio::awaitable<Result<StoreSpace>> asking = store_space();
  const auto space = co_await std::move(asking);
  if (space) input->store.space = *space;
  else input->store.problem = space.error().message;
  co_return json_response(200, check_health(*input));
}

// Not read_state(): health must answer while the disk does not, to say so.
boost::asio::awaitable<Result<HealthInput>> Handlers::health_input_there() { co_return health_input(); }

boost::asio::awaitable<Result<StoreSpace>> Handlers::store_space() {
  std::function<Result<StoreSpace>()> job = deps_.store_space;
  boost::asio::awaitable<Result<StoreSpace>> working = offload<StoreSpace>(deps_.workers, std::move(job));
  boost::asio::awaitable<Result<StoreSpace>> limited = with_timeout<StoreSpace>(k_ready_limit, std::move(working));
  auto space = co_await std::move(limited);
  if (!space) co_return error_of(space, "asking for the store's file");
  co_return space;
}

Handling Handlers::get_open_api(RequestContext) {
  co_return json_text_response(200, std::string(openapi_text()));
}

Handling Handlers::get_livez(RequestContext) {
  co_return text_response(200, "ok\n");
}

// Ready: the state thread answers and what it holds is on disk.
Handling Handlers::get_readyz(RequestContext context) {
  std::function<Result<std::uint64_t>()> job = [this] {
    return Result<std::uint64_t>(deps_.registrar.state().nodes().size());
  };
  boost::asio::awaitable<Result<std::uint64_t>> reading = read_state<std::uint64_t>(std::move(job));
  boost::asio::awaitable<Result<std::uint64_t>> limited =
      with_timeout<std::uint64_t>(k_ready_limit, std::move(reading));
  const auto nodes = co_await std::move(limited);
  if (!nodes) co_return make_error(Errc::unavailable, "not ready: " + nodes.error().message);
  const bool verbose = http::query_parameter(context.request, "verbose").has_value();
  co_return text_response(
      200, verbose ? "[+] state ok, " + std::to_string(*nodes) + " nodes\n[+] store ok\nok\n" : "ok\n");
}

Handling Handlers::get_version(RequestContext) {
  co_return json_response(200, proto::VersionInfo{k_version, "v1"});
}

Handling Handlers::get_metrics(RequestContext) {
  std::function<Result<MetricsInput>()> job = [this] {
    MetricsInput input;
    input.nodes = node_views();
    input.certificates = certificates_with_cas();
    input.pools = pool_list(deps_.registrar.state(), deps_.clock.wall()).items;
    for (const auto& [name, pool] : deps_.registrar.state().ledger().pools()) input.free_blocks[name] = pool.free_blocks();
    input.allocations = deps_.registrar.allocation_times();
    input.duplicate_claims = deps_.kube_state().conflicts.size();
    input.revision = deps_.registrar.state().revision();
    Feed& feed = deps_.registrar.feed();
    input.desired_revision = feed.revision();
    input.acknowledged_revision = deps_.board.acknowledged(deps_.registrar.state());
    input.waiting_agents = feed.changed().waiter_count();
    input.feed = feed.counts();
    return Result<MetricsInput>(std::move(input));
  };
  boost::asio::awaitable<Result<MetricsInput>> reading = read_state<MetricsInput>(std::move(job));
  auto input = co_await std::move(reading);
  if (!input) co_return input.error();
  input->now = deps_.clock.wall();
  input->connections = deps_.connection_count();
  input->rejected_overlaps = overlaps_.load(std::memory_order_relaxed);
  input->join_requests[{"accepted", ""}] = joins_[k_codes - 1].load(std::memory_order_relaxed);
  for (std::size_t i = 0; i + 1 < k_codes; ++i) {
    const std::uint64_t count = joins_[i].load(std::memory_order_relaxed);
    const auto code = static_cast<Errc>(i);
    const char* result = code == Errc::pending ? "waiting" : "refused";
    if (count > 0) input->join_requests[{result, std::string(to_string(code))}] = count;
  }
  input->renewals = {{"failed", renewals_[0].load(std::memory_order_relaxed)},
                     {"ok", renewals_[1].load(std::memory_order_relaxed)}};
  co_return text_response(200, render_metrics(*input), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace slipway::api
