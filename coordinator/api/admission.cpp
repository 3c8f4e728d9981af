// What operators say of joins: who waits, who is approved, denied, replaced.
#include "coordinator/api/handlers.hpp"
#include "coordinator/api/list_filters.hpp"

namespace slipway::api {

namespace {

proto::PendingNodeView view_of(const PendingNode& node) {
  proto::PendingNodeView view;
  view.name = node.name;
  view.role = to_string(node.role);
  view.address = node.address.to_string();
  view.fingerprint = node.fingerprint;
  view.state = to_string(node.decision);
  view.since = to_rfc3339(node.since);
  view.token_id = node.token_id;
  view.pool = node.pool;
  view.facts = node.facts;
  if (node.decided_at != WallTime{}) view.decided_at = to_rfc3339(node.decided_at);
  view.decided_by = node.decided_by;
  view.reason = node.reason;
  return view;
}

}  // namespace

Handling Handlers::list_joins(RequestContext context) {
  const auto query = join_query(context.request);
  if (!query) co_return query.error();
  std::function<Result<proto::JoinAttemptList>()> job = [this, wish = *query] {
    return Result<proto::JoinAttemptList>(deps_.enrollment.attempts(wish));
  };
  boost::asio::awaitable<Result<proto::JoinAttemptList>> reading =
      read_state<proto::JoinAttemptList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::list_pending_nodes(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  std::function<Result<proto::PendingNodeList>()> job = [this, wish = *page] {
    return Result<proto::PendingNodeList>(page_of<proto::PendingNodeList>(
        deps_.registrar.state().pending(), wish, [](const auto& entry) { return std::optional(view_of(entry.second)); },
        [](const proto::PendingNodeView& view) { return view.name; }));
  };
  boost::asio::awaitable<Result<proto::PendingNodeList>> reading =
      read_state<proto::PendingNodeList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::decide(DecideNode decision, proto::AuditActor actor) {
  decision.now = deps_.clock.wall();
  boost::asio::awaitable<Result<Outcome>> deciding = submit(std::move(decision), std::move(actor));
  const auto outcome = co_await std::move(deciding);
  if (!outcome) co_return outcome.error();
  co_return json_response(200, view_of(*outcome->pending));
}

Handling Handlers::approve_node(RequestContext context) {
  const auto request = body_as<proto::ApproveRequest>(context.request);
  if (!request) co_return request.error();
  DecideNode decision;
  decision.name = context.parameters["name"];
  decision.approve = true;
  decision.fingerprint = request->fingerprint;
  decision.by = context.principal->name;
  Handling deciding = decide(std::move(decision), actor_of(context));
  co_return co_await std::move(deciding);
}

Handling Handlers::deny_node(RequestContext context) {
  const auto request = body_as<proto::DenyRequest>(context.request);
  if (!request) co_return request.error();
  DecideNode decision;
  decision.name = context.parameters["name"];
  decision.reason = request->reason;
  decision.by = context.principal->name;
  Handling deciding = decide(std::move(decision), actor_of(context));
  co_return co_await std::move(deciding);
}

Handling Handlers::replace_node(RequestContext context) {
  const auto request = body_as<proto::ReplaceRequest>(context.request);
  if (!request) co_return request.error();
  const auto ttl = token_ttl(request->ttl);
  if (!ttl) co_return ttl.error();
  TokenSpec spec;
  spec.ttl = *ttl;
  auto token = new_token(spec, deps_.clock.wall());
  if (!token) co_return token.error();
  boost::asio::awaitable<Result<CaFacts>> asking = current_pin();
  const auto pin = co_await std::move(asking);
  if (!pin) co_return pin.error();
  token->record.pinned_ca = pin->number;
  const ReplaceNode replacement{context.parameters["name"], token->record};
  const proto::AuditActor actor = actor_of(context);
  const Guard guard = node_guard(context.request, replacement.name);
  std::function<boost::asio::awaitable<Result<Outcome>>()> there = [this, replacement, actor, guard] {
    return replace_on_state(replacement, actor, guard);
  };
  boost::asio::awaitable<Result<Outcome>> hop = run_on<Outcome>(deps_.state, std::move(there));
  const auto outcome = co_await std::move(hop);
  if (!outcome) co_return outcome.error();
  const Node& node = *outcome->node;
  token->record.role = node.role;
  boost::asio::awaitable<Result<proto::TokenReply>> replying = token_reply(*token, pin->sha256);
  auto reply = co_await std::move(replying);
  if (!reply) co_return reply.error();
  co_return json_response(201, proto::ReplaceReply{node.name, node.generation + 1, node.pod_cidr.to_string(),
                                                   std::move(*reply)});
}

boost::asio::awaitable<Result<Outcome>> Handlers::replace_on_state(ReplaceNode replacement, proto::AuditActor actor, Guard guard) {
  boost::asio::awaitable<Result<Outcome>> replacing = submit_on_state(std::move(replacement), std::move(actor), std::move(guard));
  auto outcome = co_await std::move(replacing);
  if (outcome && outcome->node) {
    deps_.board.forget(outcome->node->uid);
    deps_.cut_node(*outcome->node);
    nodes_changed_.notify();
  }
  co_return outcome;
}

boost::asio::awaitable<Result<proto::TokenReply>> Handlers::token_reply(NewToken token, std::string pin) {
  std::function<Result<proto::CoordinatorSettings>()> job = [this] {
    return Result<proto::CoordinatorSettings>(deps_.registrar.state().cluster().spec.coordinator);
  };
  boost::asio::awaitable<Result<proto::CoordinatorSettings>> reading =
      read_state<proto::CoordinatorSettings>(std::move(job));
  const auto settings = co_await std::move(reading);
  if (!settings) co_return settings.error();
  proto::TokenReply reply{token.record.id, "slipway1" + pin + "::" + token.text,
                          to_rfc3339(token.record.expires_at), ""};
  reply.join_command = "slipway-agent join --server " + coordinator_url(*settings) + " --token-file FILE" +
                       (token.record.role == NodeRole::master ? " --role master" : "");
  co_return reply;
}

}  // namespace slipway::api
