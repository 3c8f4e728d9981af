// What operators want of nodes that live: cordon, drain, new certificates.
#include "common/core/text.hpp"
#include "coordinator/api/handlers.hpp"
#include "proto/drain.hpp"

namespace slipway::api {

namespace {

constexpr std::size_t k_named_pods = 20;  // in one record of the audit log

Error no_kube() {
  return make_error(Errc::unavailable, "this coordinator does not talk to kube-apiserver: use kubectl");
}

// Who asks us is let in: that kube-apiserver does not let us in, as just after our start, is no refusal of his.
Error of_kube(Error error) {
  if (error.code == Errc::denied) error.code = Errc::unavailable;
  return error;
}

}  // namespace

Handling Handlers::cordon_node(RequestContext context) { return change_cordon(std::move(context), true); }
Handling Handlers::uncordon_node(RequestContext context) { return change_cordon(std::move(context), false); }

Handling Handlers::change_cordon(RequestContext context, bool unschedulable) {
  const CordonNode wish{context.parameters["name"], unschedulable};
  const proto::AuditActor actor = actor_of(context);
  const Guard guard = node_guard(context.request, wish.name);
  std::function<Handling()> there = [this, wish, actor, guard] { return cordon_on_state(wish, actor, guard); };
  Handling hop = run_on<http::Response>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

// The wish first, and durably: should we end in between, the node is cordoned when kube-apiserver is asked next (NodeSync).
Handling Handlers::cordon_on_state(CordonNode wish, proto::AuditActor actor, Guard guard) {
  if (deps_.drain == nullptr) co_return no_kube();
  boost::asio::awaitable<Result<Outcome>> recording = submit_on_state(wish, std::move(actor), std::move(guard));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  if (recorded->changed) {
    deps_.board.changed(recorded->node->uid);
    nodes_changed_.notify();
  }
  boost::asio::awaitable<Status> telling = deps_.drain->set_unschedulable(wish.name, wish.unschedulable);
  const Status told = co_await std::move(telling);
  // Without a Node object yet: NodeSync cordons it when its kubelet has registered.
  if (!told && told.error().code != Errc::not_found) {
    co_return context(of_kube(told.error()), wish.unschedulable ? "node " + wish.name + " is marked and is cordoned once kube-apiserver answers; cordoning it now"
                                                : "the mark of node " + wish.name + " is gone, but kube-apiserver was not told (try again)");
  }
  Handling answering = node_response(wish.name);
  co_return co_await std::move(answering);
}

Handling Handlers::drain_node(RequestContext context) {
  const auto request = body_as<proto::DrainRequest>(context.request);
  if (!request) co_return request.error();
  const DrainWish wish{context.parameters["name"], request->force};
  const proto::AuditActor actor = actor_of(context);
  const Guard guard = node_guard(context.request, wish.name);
  std::function<Handling()> there = [this, wish, actor, guard] { return drain_on_state(wish, actor, guard); };
  Handling hop = run_on<http::Response>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Handling Handlers::drain_on_state(DrainWish wish, proto::AuditActor actor, Guard guard) {
  const Node* node = deps_.registrar.state().node(wish.name);
  if (node != nullptr && node->role == NodeRole::master && !wish.force) {
    co_return make_error(Errc::conflict, "node " + wish.name + " is the master: without it there is no kube-apiserver and no etcd, and draining it "
                                         "cannot end well; --force evicts its pods all the same");
  }
  Handling cordoning = cordon_on_state({wish.name, true}, actor, std::move(guard));
  const Reply cordoned = co_await std::move(cordoning);
  if (!cordoned) co_return cordoned.error();
  boost::asio::awaitable<Result<DrainStep>> draining = deps_.drain->step(wish.name, wish.force);
  const auto step = co_await std::move(draining);
  if (!step) co_return of_kube(step.error());
  boost::asio::awaitable<Status> noting = audit_evictions(*step, std::move(actor));
  const Status noted = co_await std::move(noting);
  if (!noted) co_return noted.error();
  co_return json_response(200, step->report);
}

boost::asio::awaitable<Status> Handlers::audit_evictions(DrainStep step, proto::AuditActor actor) {
  if (step.evicted.empty()) co_return Status{};
  proto::AuditRecord record;
  record.action = "node.drain";
  record.actor = std::move(actor);
  record.node = step.report.node;
  const std::size_t count = step.evicted.size();
  if (count > k_named_pods) step.evicted.resize(k_named_pods);
  record.detail = "evicted " + std::to_string(count) + " pods: " + join(step.evicted, ", ") + (count > k_named_pods ? ", ..." : "");
  boost::asio::awaitable<Status> noting = deps_.registrar.note(std::move(record));
  co_return co_await std::move(noting);
}

Handling Handlers::rotate_node(RequestContext context) {
  const std::string name = context.parameters["name"];
  boost::asio::awaitable<Result<Outcome>> rotating = rotate(name, actor_of(context), node_guard(context.request, name));
  const auto rotated = co_await std::move(rotating);
  if (!rotated) co_return rotated.error();
  Handling answering = node_response(name);
  co_return co_await std::move(answering);
}

Handling Handlers::rotate_certificates(RequestContext context) {
  boost::asio::awaitable<Result<Outcome>> rotating = rotate("", actor_of(context), {});
  const auto rotated = co_await std::move(rotating);
  if (!rotated) co_return rotated.error();
  co_return json_response(200, proto::RotateReply{rotated->count, to_rfc3339(rotated->renew_before)});
}

boost::asio::awaitable<Result<Outcome>> Handlers::rotate(std::string name, proto::AuditActor actor, Guard guard) {
  std::function<boost::asio::awaitable<Result<Outcome>>()> there = [this, name, actor, guard] {
    return rotate_on_state(name, actor, guard);
  };
  boost::asio::awaitable<Result<Outcome>> hop = run_on<Outcome>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

boost::asio::awaitable<Result<Outcome>> Handlers::rotate_on_state(std::string name, proto::AuditActor actor, Guard guard) {
  // Certificates begin a little before they are made: what is made from now on is not older than one that begins here.
  const Validity now = validity_of(ValidityClass::node, lifetimes_of(deps_.registrar.state().cluster()), deps_.clock.wall());
  boost::asio::awaitable<Result<Outcome>> marking =
      submit_on_state(RotateCertificates{std::move(name), now.not_before}, std::move(actor), std::move(guard));
  auto marked = co_await std::move(marking);
  if (!marked || !marked->changed) co_return marked;
  if (marked->node) deps_.board.changed(marked->node->uid);
  nodes_changed_.notify();
  co_return marked;
}

}  // namespace slipway::api
