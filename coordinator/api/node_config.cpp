// A node's settings, and leave to restart for new ones.
#include "coordinator/api/handlers.hpp"
#include "coordinator/service/node_config_view.hpp"

namespace slipway::api {

Handling Handlers::get_node_config(RequestContext context) {
  return node_config_response(context.parameters["name"]);
}

Handling Handlers::node_config_response(std::string name) {
  using View = Tagged<proto::NodeConfigView>;
  std::function<Result<View>()> job = [this, name]() -> Result<View> {
    const State& state = deps_.registrar.state();
    const Node* node = state.node(name);
    if (node == nullptr)
      return make_error(Errc::not_found,
                        "there is no node named \"" + name.substr(0, 64) + "\" (slipwayctl node list)");
    return View{node_config_view(state, *node, deps_.board.find(node->uid)), etag_of(*node)};
  };
  boost::asio::awaitable<Result<View>> reading = read_state<View>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(200, *view);
}

Handling Handlers::set_node_config(RequestContext context) {
  auto settings = body_as<proto::NodeSettings>(context.request);
  if (!settings) co_return settings.error();
  const std::string name = context.parameters["name"];
  boost::asio::awaitable<Result<Outcome>> setting = submit(
      SetNodeSettings{name, std::move(*settings)}, actor_of(context), node_guard(context.request, name));
  const auto set = co_await std::move(setting);
  if (!set) co_return set.error();
  Handling answering = node_config_response(name);
  co_return co_await std::move(answering);
}

Handling Handlers::request_restart(RequestContext context) {
  auto request = agent_body_as<proto::RestartRequest>(context.request);
  if (!request) co_return request.error();
  std::function<Result<proto::RestartReply>()> job =
      [this, done = request->done, who = context.principal,
       from = context.request.peer.address]() -> Result<proto::RestartReply> {
    const auto live = live_node(who->agent, from);
    if (!live) return live.error();
    if (!done) return budget_.ask(deps_.registrar.state(), **live);
    budget_.done((*live)->uid);
    return proto::RestartReply{true, "", 0};
  };
  boost::asio::awaitable<Result<proto::RestartReply>> asking =
      read_state<proto::RestartReply>(std::move(job));
  const auto reply = co_await std::move(asking);
  if (!reply) co_return reply.error();
  co_return json_response(200, *reply);
}

}  // namespace slipway::api
