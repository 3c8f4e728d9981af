// Certificate authorities: what agents fetch and what operators do with them.
#include "coordinator/api/handlers.hpp"
#include "coordinator/domain/ca_gates.hpp"

namespace slipway::api {

namespace {

Error no_kind() {
  return make_error(Errc::not_found, "there is no such kind of authority: fabric, kubeClient, kubeletServing, apiserver, frontProxy, etcd");
}

}  // namespace

Handling Handlers::get_ca_bundles(RequestContext context) {
  const AgentIdentity agent = context.principal->agent;
  std::function<Result<proto::CaBundles>()> job = [this, agent]() -> Result<proto::CaBundles> {
    const auto node = deps_.registrar.state().authenticate_agent(agent.uid, agent.generation, agent.serial, deps_.clock.wall());
    if (!node) return node.error();
    proto::CaBundles reply;
    for (const CaKind kind : k_ca_kinds) {
      if (node_trusts((*node)->role, kind)) reply.ca_bundles.emplace(to_string(kind), deps_.signer.ca_pem(kind));
    }
    return reply;
  };
  boost::asio::awaitable<Result<proto::CaBundles>> reading = read_state<proto::CaBundles>(std::move(job));
  const auto reply = co_await std::move(reading);
  if (!reply) co_return reply.error();
  co_return json_response(200, *reply);
}

Handling Handlers::list_cas(RequestContext) {
  std::function<Result<proto::CaList>()> job = [this] { return Result<proto::CaList>(deps_.cas.list()); };
  boost::asio::awaitable<Result<proto::CaList>> reading = read_state<proto::CaList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::get_ca(RequestContext context) {
  const auto kind = ca_kind_from_string(context.parameters["kind"]);
  if (!kind) co_return no_kind();
  std::function<Result<Tagged<proto::CaView>>()> job = [this, kind = *kind]() -> Result<Tagged<proto::CaView>> {
    const CaLine* line = deps_.registrar.state().ca(kind);
    if (line == nullptr) return no_kind();
    return Tagged<proto::CaView>{deps_.cas.view(*line), etag_of(*line)};
  };
  boost::asio::awaitable<Result<Tagged<proto::CaView>>> reading = read_state<Tagged<proto::CaView>>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(200, *view);
}

Handling Handlers::change_ca(RequestContext context) {
  const auto request = body_as<proto::CaChangeRequest>(context.request);
  if (!request) co_return request.error();
  const auto kind = ca_kind_from_string(context.parameters["kind"]);
  if (!kind) co_return no_kind();
  const auto step = ca_step_from_string(request->action);
  if (!step) co_return field_error("/action", " must be prepare, activate, retire or abort");
  if (request->force && *step != CaStep::retire) co_return field_error("/force", " is for retire alone");
  if (request->from_files && *step != CaStep::prepare) co_return field_error("/import", " is for prepare alone");
  const CaRotation::Wish wish{*kind, *step, request->force, request->from_files};
  const proto::AuditActor actor = actor_of(context);
  const Guard guard = ca_guard(context.request, *kind);
  std::function<Handling()> there = [this, wish, actor, guard] { return change_ca_on_state(wish, actor, guard); };
  Handling hop = run_on<http::Response>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

// The steps of a kind come one at a time, so the state that the guard saw is the one that the step begins from.
Handling Handlers::change_ca_on_state(CaRotation::Wish wish, proto::AuditActor actor, Guard guard) {
  const Status allowed = guard ? guard(deps_.registrar.state()) : Status{};
  if (!allowed) co_return allowed.error();
  boost::asio::awaitable<Status> running = deps_.cas.run(wish, std::move(actor));
  const Status done = co_await std::move(running);
  if (!done) co_return done.error();
  const CaLine& line = *deps_.registrar.state().ca(wish.kind);
  co_return json_response(200, Tagged<proto::CaView>{deps_.cas.view(line), etag_of(line)});
}

}  // namespace slipway::api
