#include "agent/service/local_api.hpp"

#include <algorithm>
#include <utility>

#include "agent/service/health.hpp"
#include "agent/service/status.hpp"
#include "common/core/text.hpp"
#include "proto/codec.hpp"
#include "proto/problem.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

http::Response json(std::string body) {
  http::Response response;
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

http::Response problem(const Error& error) {
  const proto::Problem told = proto::to_problem(error);
  http::Response response = json(proto::encode(told));
  response.status = static_cast<int>(told.status);
  response.headers.set("Content-Type", "application/problem+json");
  return response;
}

}  // namespace

http::UnixHandler LocalApi::handler() {
  http::UnixHandler handler;
  handler.refuse = [this](const http::UnixPeer& peer, const http::Request& request) {
    return refuse(peer, request);
  };
  handler.handle = [this](http::Request request) { return handle(std::move(request)); };
  return handler;
}

// The socket's mode keeps others out already; a descriptor may be handed on.
std::optional<http::Response> LocalApi::refuse(const http::UnixPeer& peer,
                                               const http::Request& request) const {
  if (peer.uid == 0) return std::nullopt;
  const bool member =
      deps_.group && std::find(peer.groups.begin(), peer.groups.end(), *deps_.group) != peer.groups.end();
  if (member && request.path != "/v1/support") return std::nullopt;
  return problem(
      make_error(Errc::denied, member ? "the archive for support is for root: it holds logs"
                                      : "only root may ask the agent here, and localGroup of agent.yaml"));
}

asio::awaitable<http::Response> LocalApi::handle(http::Request request) {
  if (request.path == "/v1/status") co_return status();
  if (request.path == "/v1/health") {
    asio::awaitable<proto::HealthReport> looking = health();
    const proto::HealthReport report = co_await std::move(looking);
    co_return json(proto::encode(report));
  }
  if (request.path == "/v1/preflight") {
    asio::awaitable<http::Response> looking = preflight_response(std::move(request));
    co_return co_await std::move(looking);
  }
  if (request.path == "/v1/support") {
    asio::awaitable<http::Response> packing = support();
    co_return co_await std::move(packing);
  }
  co_return problem(
      make_error(Errc::not_found, "there is /v1/status, /v1/health, /v1/preflight and /v1/support"));
}

http::Response LocalApi::status() {
  deps_.state.troubles.update(standing_errors(deps_.state), deps_.clock.wall());
  return json(proto::encode(build_local_status(deps_.state, deps_.clock.wall())));
}

asio::awaitable<Result<proto::PreflightReport>> LocalApi::preflight(std::vector<std::string> ignore) {
  std::function<Result<proto::PreflightReport>()> job = [look = deps_.preflight, ignore] {
    return look(ignore);
  };
  asio::awaitable<Result<proto::PreflightReport>> looking =
      offload<proto::PreflightReport>(deps_.workers(), std::move(job));
  co_return co_await std::move(looking);
}

asio::awaitable<http::Response> LocalApi::preflight_response(http::Request request) {
  std::vector<std::string> ignore;
  const std::string listed = http::query_parameter(request, "ignore").value_or("");
  for (const std::string_view name : split(listed, ',')) {
    if (!name.empty()) ignore.emplace_back(name);
  }
  asio::awaitable<Result<proto::PreflightReport>> looking = preflight(std::move(ignore));
  const Result<proto::PreflightReport> report = co_await std::move(looking);
  if (!report) co_return problem(report.error());
  co_return json(proto::encode(*report));
}

asio::awaitable<proto::HealthReport> LocalApi::health() {
  HealthEvidence evidence;
  std::vector<ComponentOutcome> components;
  if (deps_.state.last_pass) components = deps_.state.last_pass->components;
  for (const ComponentOutcome& component : components) {
    if (!component.probe || component.unit.empty()) continue;
    asio::awaitable<Status> asking = deps_.probe(*component.probe);
    const Status answer = co_await std::move(asking);
    evidence.probes.emplace(component.name, answer);
  }
  asio::awaitable<Result<proto::PreflightReport>> looking = preflight({});
  Result<proto::PreflightReport> host = co_await std::move(looking);
  if (host) {
    evidence.host = std::move(*host);
  } else {
    evidence.host.findings.push_back(
        {"preflight", "error", host.error().message, "journalctl -u slipway-agent", false});
  }
  co_return agent_health(deps_.state, evidence, deps_.clock.wall());
}

asio::awaitable<http::Response> LocalApi::support() {
  if (*packing_)
    co_return problem(
        make_error(Errc::too_many, "an archive is being made already: try again when that is done"));
  *packing_ = true;
  std::shared_ptr<void> busy(nullptr, [packing = packing_](void*) { *packing = false; });
  asio::awaitable<proto::HealthReport> looking = health();
  const proto::HealthReport report = co_await std::move(looking);
  auto packer = std::make_shared<SupportPacker>(deps_.sections(report), deps_.secrets, deps_.clock);
  http::Response response;
  response.headers.set("Content-Type", "application/gzip");
  response.headers.set("Cache-Control", "no-store");
  response.stream = std::make_shared<SupportStream>(std::move(packer), deps_.workers(), std::move(busy));
  co_return response;
}

}  // namespace slipway
