#include "coordinator/api/api.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/core/text.hpp"
#include "common/crypto/digest.hpp"
#include "common/log/log.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

constexpr const char* k_retry_seconds = "10";

// Deletes a spooled body that no handler has taken over.
class SpooledBody {
 public:
  explicit SpooledBody(std::string path) : path_(std::move(path)) {}
  SpooledBody(SpooledBody&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  SpooledBody& operator=(SpooledBody&&) = delete;
  SpooledBody(const SpooledBody&) = delete;
  SpooledBody& operator=(const SpooledBody&) = delete;
  ~SpooledBody() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
};

// Who changed what: the journal's line for every change by an operator, also for a refused one.
void note_change(const std::string& who, const proto::Route& route, const std::string& path,
                 const Reply& reply) {
  log::info("operator request", {{"user", who},
                                 {"operation", route.operation},
                                 {"path", path},
                                 {"result", reply ? std::to_string(reply->status) : reply.error().message}});
}

proto::AuditRecord refusal_record(proto::AuditActor actor, const proto::Route& route, const std::string& path, const Error& error) {
  proto::AuditRecord record;
  record.action = "operator.request";
  record.actor = std::move(actor);
  record.subject = std::string(route.operation) + " " + path.substr(0, 256);
  record.detail = error.message.substr(0, 1024);
  return record;
}

http::Response route_refusal(const proto::RouteMatch& match, const http::Request& head) {
  if (!match.path_known)
    return problem_response(
        make_error(Errc::not_found, "there is no " + head.path + " here; see /v1/openapi.json"));
  const std::string allowed = proto::allowed_methods(head.path);
  http::Response refusal =
      problem_response(make_error(Errc::invalid, Cause::wrong_method, "this path knows " + allowed + "; see /v1/openapi.json"));
  refusal.headers.set("Allow", allowed);  // RFC 9110 section 15.5.6
  return refusal;
}

// Heartbeats, by far the most requests: they go to the state thread anyway, and begin with live_node() there.
bool asks_the_state_itself(std::string_view operation) { return operation == "syncAgent" || operation == "reportStatus"; }

// What is known at once, for who waits.
template <class T>
boost::asio::awaitable<T> ready(T value) { co_return value; }

boost::asio::awaitable<http::Response> to_response(Handling handling, [[maybe_unused]] SpooledBody spooled, std::string path) {
  Reply reply = co_await std::move(handling);
  if (reply) co_return std::move(*reply);
  if (reply.error().code == Errc::internal) log::error("request failed", {{"path", path}, {"error", reply.error()}});
  co_return problem_response(reply.error());
}

const std::shared_ptr<const Principal>& nobody() {
  static const auto anonymous = std::make_shared<const Principal>();
  return anonymous;
}

}  // namespace

proto::AuditActor actor_of(const Principal& principal, const http::Request& request) {
  const std::string address = request.peer.address.to_string();
  const std::string certificate = request.peer.has_certificate() ? sha256_hex(request.peer.certificate_der()) : "";
  switch (principal.kind) {
    case PrincipalKind::person: return {"operator", principal.name, certificate, address};
    case PrincipalKind::agent: return {"agent", principal.name, certificate, address};
    case PrincipalKind::anonymous: break;
  }
  return {"anonymous", "", certificate, address};
}

http::Response text_response(int status, std::string text, std::string type) {
  http::Response response;
  response.status = status;
  response.headers.set("Content-Type", std::move(type));
  response.body = std::move(text);
  return response;
}

http::Response json_text_response(int status, std::string json) {
  return text_response(status, std::move(json), "application/json");
}

http::Response empty_response(int status) {
  http::Response response;
  response.status = status;
  return response;
}

http::Response problem_response(const Error& error) {
  const proto::Problem problem = proto::to_problem(error);
  const int status = static_cast<int>(problem.status);
  http::Response response = text_response(status, proto::encode(problem), "application/problem+json");
  if (error.retry_after > 0)
    response.headers.set("Retry-After", std::to_string(error.retry_after));
  else if (status == 429 || status == 503)
    response.headers.set("Retry-After", k_retry_seconds);
  return response;
}

Status check_query(const proto::Route& route, const http::Request& request) {
  if (request.query.empty() || !proto::is_for_people(route.role)) return {};
  const std::vector<std::string> keys = http::query_keys(request);
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    const std::string shown = key->substr(0, 64);
    if (!proto::knows_query(route, *key)) return parameter_error(shown, " is not a parameter of this path; see /v1/openapi.json");
    if (std::find(keys.begin(), key, *key) != key) return parameter_error(shown, " stands twice in the query");
  }
  return {};
}

Handlers::Handlers(ApiDeps deps) : deps_(std::move(deps)), started_(deps_.clock.wall()) {}

const std::map<std::string_view, Handlers::Function>& Handlers::table() {
  static const std::map<std::string_view, Function> functions = {
      {"joinNode", &Handlers::join_node},
      {"getCaCertificates", &Handlers::get_ca_certificates},
      {"syncAgent", &Handlers::sync_agent},
      {"reportStatus", &Handlers::report_status},
      {"renewCertificates", &Handlers::renew_certificates},
      {"getMasterSecrets", &Handlers::get_master_secrets},
      {"getCaBundles", &Handlers::get_ca_bundles},
      {"listCas", &Handlers::list_cas},
      {"getCa", &Handlers::get_ca},
      {"changeCa", &Handlers::change_ca},
      {"getArtifactContent", &Handlers::get_artifact_content},
      {"getCluster", &Handlers::get_cluster},
      {"applyCluster", &Handlers::apply_cluster},
      {"planCluster", &Handlers::plan_cluster},
      {"createKubeconfig", &Handlers::create_kubeconfig},
      {"listNodes", &Handlers::list_nodes},
      {"getNode", &Handlers::get_node},
      {"deleteNode", &Handlers::delete_node},
      {"cordonNode", &Handlers::cordon_node},
      {"uncordonNode", &Handlers::uncordon_node},
      {"drainNode", &Handlers::drain_node},
      {"getNodeConfig", &Handlers::get_node_config},
      {"setNodeConfig", &Handlers::set_node_config},
      {"requestRestart", &Handlers::request_restart},
      {"rotateNode", &Handlers::rotate_node},
      {"rotateCertificates", &Handlers::rotate_certificates},
      {"listJoins", &Handlers::list_joins},
      {"listPendingNodes", &Handlers::list_pending_nodes},
      {"approveNode", &Handlers::approve_node},
      {"denyNode", &Handlers::deny_node},
      {"replaceNode", &Handlers::replace_node},
      {"createToken", &Handlers::create_token},
      {"listTokens", &Handlers::list_tokens},
      {"deleteToken", &Handlers::delete_token},
      {"listPools", &Handlers::list_pools},
      {"createPool", &Handlers::create_pool},
      {"getPool", &Handlers::get_pool},
      {"listPoolNodes", &Handlers::list_pool_nodes},
      {"deletePool", &Handlers::delete_pool},
      {"growPool", &Handlers::grow_pool},
      {"drainPool", &Handlers::drain_pool},
      {"createReservation", &Handlers::create_reservation},
      {"deleteReservation", &Handlers::delete_reservation},
      {"uploadBlob", &Handlers::upload_blob},
      {"registerArtifact", &Handlers::register_artifact},
      {"listArtifacts", &Handlers::list_artifacts},
      {"deleteArtifact", &Handlers::delete_artifact},
      {"collectBlobs", &Handlers::collect_blobs},
      {"getArtifactManifest", &Handlers::get_artifact_manifest},
      {"putArtifactManifest", &Handlers::put_artifact_manifest},
      {"listCertificates", &Handlers::list_certificates},
      {"createOperator", &Handlers::create_operator},
      {"listOperators", &Handlers::list_operators},
      {"revokeOperator", &Handlers::revoke_operator},
      {"listRevoked", &Handlers::list_revoked},
      {"getCrl", &Handlers::get_crl},
      {"listAudit", &Handlers::list_audit},
      {"verifyAudit", &Handlers::verify_audit},
      {"startNetworkProbe", &Handlers::start_network_probe},
      {"getNetworkProbe", &Handlers::get_network_probe},
      {"offerProbe", &Handlers::offer_probe},
      {"reportProbe", &Handlers::report_probe},
      {"getHealth", &Handlers::get_health},
      {"getOpenApi", &Handlers::get_open_api},
      {"getLivez", &Handlers::get_livez},
      {"getReadyz", &Handlers::get_readyz},
      {"getVersion", &Handlers::get_version},
      {"getMetrics", &Handlers::get_metrics},
  };
  return functions;
}

http::Admission Handlers::admit(const http::Request& head) {
  http::Admission admission;
  const proto::RouteMatch match = proto::match_route(http::to_string(head.method), head.path);
  admission.body_limit = match.route != nullptr ? match.route->body_limit : 0;
  if (match.route == nullptr) {
    admission.refuse = route_refusal(match, head);
    return admission;
  }
  if (match.route->role != proto::Role::none) {
    const auto principal = principal_of(head.peer, deps_.cluster_id);
    const Status allowed = principal ? authorize(match.route->role, **principal) : Status(principal.error());
    if (!allowed) admission.refuse = problem_response(allowed.error());
    // Who has a certificate and tries to change what is not his to change.
    const bool told = !allowed && principal && (*principal)->kind != PrincipalKind::anonymous && match.route->method != "GET";
    if (told && deps_.trail != nullptr)
      deps_.trail->refused_later(refusal_record(actor_of(**principal, head), *match.route, head.path, allowed.error()));
    // A certificate whose role would do may have been revoked: its gigabytes must not come to lie on our disk first.
    if (allowed && match.route->spooled)
      admission.confirm = [this, who = *principal, from = head.peer.address] { return confirm_live(who, from); };
  }
  if (match.route->spooled) admission.spool_dir = deps_.blobs.spool_dir();
  return admission;
}

boost::asio::awaitable<std::optional<http::Response>> Handlers::confirm_live(std::shared_ptr<const Principal> principal, IpAddress from) {
  boost::asio::awaitable<Status> checking = check_live(std::move(principal), from);
  const Status live = co_await std::move(checking);
  if (live) co_return std::nullopt;
  co_return problem_response(live.error());
}

std::shared_ptr<const http::PeerIdentity> Handlers::identify(const http::Peer& peer) const {
  return known_peer(peer.certificate_der(), deps_.cluster_id);
}

boost::asio::awaitable<http::Response> Handlers::handle(http::Request request) {
  SpooledBody spooled(request.body_file);
  std::string path = request.path;
  Handling handling = dispatch(std::move(request));
  return to_response(std::move(handling), std::move(spooled), std::move(path));
}

// admit() has looked at route and role already; what decides is looked at here again, where the handler is
// called. No coroutine of its own: thousands of heartbeats wait in their handlers, and each frame above them would wait too.
Handling Handlers::dispatch(http::Request request) {
  proto::RouteMatch match = proto::match_route(http::to_string(request.method), request.path);
  if (match.route == nullptr) return ready<Reply>(route_refusal(match, request));
  RequestContext context{{}, std::move(match.parameters), nobody()};
  if (match.route->role != proto::Role::none) {
    auto principal = principal_of(request.peer, deps_.cluster_id);
    if (!principal) return ready<Reply>(principal.error());
    const Status allowed = authorize(match.route->role, **principal);
    if (!allowed) return ready<Reply>(allowed.error());
    context.principal = std::move(*principal);
  }
  context.request = std::move(request);
  if (!asks_the_state_itself(match.route->operation)) return dispatch_live(*match.route, std::move(context));
  return (this->*table().find(match.route->operation)->second)(std::move(context));
}

Handling Handlers::dispatch_live(const proto::Route& route, RequestContext context) {
  if (context.principal->kind != PrincipalKind::anonymous) {
    boost::asio::awaitable<Status> checking = check_live(context.principal, context.request.peer.address);
    const Status live = co_await std::move(checking);
    if (!live) co_return live.error();
  }
  const bool change = context.principal->kind == PrincipalKind::person && route.method != "GET";
  const std::string who = context.principal->name;
  const proto::AuditActor actor = change ? actor_of(context) : proto::AuditActor{};
  const std::string path = context.request.path;
  const Function function = table().find(route.operation)->second;
  const Status asked = check_query(route, context.request);
  Handling handling = asked ? (this->*function)(std::move(context)) : ready<Reply>(asked.error());
  Reply reply = co_await std::move(handling);
  if (!reply && tells_overlap(reply.error())) overlaps_.fetch_add(1, std::memory_order_relaxed);
  if (change) note_change(who, route, path, reply);
  if (change && !reply) {
    boost::asio::awaitable<Status> noting = audit_refusal(refusal_record(actor, route, path, reply.error()));
    const Status noted = co_await std::move(noting);
    if (!noted) co_return noted.error();
  }
  co_return reply;
}

boost::asio::awaitable<Status> Handlers::check_live(std::shared_ptr<const Principal> principal, IpAddress from) {
  std::function<boost::asio::awaitable<Status>()> there = [this, principal, from]() -> boost::asio::awaitable<Status> {
    return ready(still_counts(*principal, from));
  };
  boost::asio::awaitable<Status> hop = run_on<void>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Status Handlers::still_counts(const Principal& principal, const IpAddress& from) const {
  if (principal.kind == PrincipalKind::person)
    return deps_.registrar.state().authenticate_operator(principal.name, principal.serial, deps_.clock.wall());
  const auto node = live_node(principal.agent, from);
  return node ? Status{} : Status(node.error());
}

Result<const Node*> Handlers::live_node(const AgentIdentity& agent, const IpAddress& from) const {
  const auto node = deps_.registrar.state().authenticate_agent(agent.uid, agent.generation, agent.serial, deps_.clock.wall());
  if (!node) return node.error();
  const Status single = check_single(nat_sources(), **node, deps_.board.find(agent.uid), from, deps_.clock.steady());
  if (!single) return single.error();
  return node;
}

const std::vector<Cidr>& Handlers::nat_sources() const { return deps_.registrar.state().cluster().nat_sources; }

boost::asio::awaitable<Status> Handlers::audit_refusal(proto::AuditRecord record) {
  if (deps_.trail == nullptr) co_return Status{};
  std::function<boost::asio::awaitable<Status>()> there = [this, record] { return deps_.trail->refused(record); };
  boost::asio::awaitable<Status> hop = run_on<void>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

boost::asio::awaitable<Result<Outcome>> Handlers::submit_on_state(Operation operation, proto::AuditActor actor, Guard guard) {
  const Status allowed = guard ? guard(deps_.registrar.state()) : Status{};
  if (!allowed) {
    boost::asio::awaitable<Status> durable = deps_.registrar.durable(deps_.registrar.state().revision());
    const Status safe = co_await std::move(durable);
    co_return safe ? allowed.error() : safe.error();
  }
  boost::asio::awaitable<Result<Outcome>> submitting = deps_.registrar.submit(std::move(operation), std::move(actor));
  co_return co_await std::move(submitting);
}

boost::asio::awaitable<Result<Outcome>> Handlers::submit(Operation operation, proto::AuditActor actor, Guard guard) {
  std::function<boost::asio::awaitable<Result<Outcome>>()> there = [this, operation, actor, guard] {
    return submit_on_state(operation, actor, guard);
  };
  boost::asio::awaitable<Result<Outcome>> hop = run_on<Outcome>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

void Handlers::stop_waiting() {
  stopping_ = true;
  deps_.registrar.feed().changed().notify();
  nodes_changed_.notify();
  probe_changed_.notify();
}

Api::Api(std::unique_ptr<Handlers> handlers) : handlers_(std::move(handlers)) {}
Api::~Api() = default;

Result<std::unique_ptr<Api>> Api::make(ApiDeps deps) {
  const auto& functions = Handlers::table();
  for (const proto::Route& route : proto::routes()) {
    if (functions.count(route.operation) == 0)
      return make_error(Errc::internal, "the route " + std::string(route.operation) + " has no handler");
  }
  for (const auto& [operation, function] : functions) {
    const auto routes = proto::routes();
    const bool known =
        std::any_of(routes.begin(), routes.end(),
                    [&operation = operation](const proto::Route& r) { return r.operation == operation; });
    if (!known) return make_error(Errc::internal, "the handler " + std::string(operation) + " has no route");
  }
  return std::unique_ptr<Api>(new Api(std::make_unique<Handlers>(std::move(deps))));
}

http::Handler Api::handler() {
  Handlers* handlers = handlers_.get();
  return {[handlers](const http::Request& head) { return handlers->admit(head); },
          [handlers](http::Request request) { return handlers->handle(std::move(request)); },
          [handlers](const http::Peer& peer) { return handlers->identify(peer); }};
}

void Api::stop_waiting() {
  handlers_->stop_waiting();
}

}  // namespace slipway::api
