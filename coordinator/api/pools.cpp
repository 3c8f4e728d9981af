// Pools of pod addresses.
#include <algorithm>

#include "coordinator/api/handlers.hpp"
#include "coordinator/service/pool_view.hpp"

namespace slipway::api {

namespace {

// "10.10.3.0-24": a slash would end the path's segment.
Result<Cidr> block_parameter(std::string text) {
  const std::size_t dash = text.rfind('-');
  if (dash != std::string::npos) text[dash] = '/';
  auto block = Cidr::parse(text);
  if (block) return block;
  Error error = error_of(block, "block (written with a dash, as in 10.10.3.0-24)");
  error.parameter = "block";
  return error;
}

Result<std::vector<Cidr>> parse_ranges(const std::vector<std::string>& texts) {
  std::vector<Cidr> ranges;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto range = Cidr::parse(texts[i]);
    if (!range) return at_field("/ranges/" + std::to_string(i), range.error());
    ranges.push_back(*range);
  }
  return ranges;
}

Error no_pool(const std::string& name) {
  return make_error(Errc::not_found, "there is no pool named \"" + name.substr(0, 64) + "\"");
}

}  // namespace

Handling Handlers::list_pools(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  std::function<Result<proto::PoolList>()> job = [this, wish = *page] {
    const State& state = deps_.registrar.state();
    const WallTime now = deps_.clock.wall();
    return Result<proto::PoolList>(page_of<proto::PoolList>(
        state.ledger().pools(), wish, [&](const auto& entry) { return std::optional(pool_view(state, entry.second, now)); },
        [](const proto::PoolView& view) { return view.name; }));
  };
  boost::asio::awaitable<Result<proto::PoolList>> reading = read_state<proto::PoolList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::pool_response(int status, std::string name) {
  std::function<Result<Tagged<proto::PoolView>>()> job = [this, name]() -> Result<Tagged<proto::PoolView>> {
    const State& state = deps_.registrar.state();
    const AddressPool* pool = state.ledger().pool(name);
    if (pool == nullptr) return no_pool(name);
    return Tagged<proto::PoolView>{pool_view(state, *pool, deps_.clock.wall()), etag_of(state, *pool)};
  };
  boost::asio::awaitable<Result<Tagged<proto::PoolView>>> reading = read_state<Tagged<proto::PoolView>>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(status, *view);
}

Handling Handlers::get_pool(RequestContext context) {
  return pool_response(200, context.parameters["name"]);
}

Handling Handlers::list_pool_nodes(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  const std::string name = context.parameters["name"];
  std::function<Result<proto::PoolTenantList>()> job = [this, name, wish = *page]() -> Result<proto::PoolTenantList> {
    const State& state = deps_.registrar.state();
    const AddressPool* pool = state.ledger().pool(name);
    if (pool == nullptr) return no_pool(name);
    return page_of<proto::PoolTenantList>(
        state.nodes(), wish, [&](const auto& entry) { return tenant_of(*pool, entry.second); },
        [](const proto::PoolTenant& tenant) { return tenant.node; });
  };
  boost::asio::awaitable<Result<proto::PoolTenantList>> reading = read_state<proto::PoolTenantList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

// The routes that nodes report are read where the operation is applied: nothing comes between.
boost::asio::awaitable<Result<Outcome>> Handlers::change_pool_on_state(Operation operation, proto::AuditActor actor, Guard guard) {
  std::vector<OccupiedRange> routes = reported_routes(deps_.registrar.state(), deps_.board);
  if (auto* create = std::get_if<CreatePool>(&operation)) create->host_routes = std::move(routes);
  else if (auto* grow = std::get_if<GrowPool>(&operation)) grow->host_routes = std::move(routes);
  return submit_on_state(std::move(operation), std::move(actor), std::move(guard));
}

boost::asio::awaitable<Result<Outcome>> Handlers::change_pool(Operation operation, proto::AuditActor actor, Guard guard) {
  std::function<boost::asio::awaitable<Result<Outcome>>()> there = [this, operation, actor, guard] {
    return change_pool_on_state(operation, actor, guard);
  };
  boost::asio::awaitable<Result<Outcome>> hop = run_on<Outcome>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Handling Handlers::create_pool(RequestContext context) {
  const auto settings = body_as<proto::PoolSettings>(context.request);
  if (!settings) co_return settings.error();
  Problems problems;
  const auto pool = read_pool(*settings, "", problems);
  if (!pool) co_return problems.error(Errc::invalid);
  boost::asio::awaitable<Result<Outcome>> creating = change_pool(CreatePool{*pool, {}}, actor_of(context), {});
  const auto created = co_await std::move(creating);
  if (!created) co_return created.error();
  Handling answering = pool_response(201, pool->name);
  co_return co_await std::move(answering);
}

Handling Handlers::delete_pool(RequestContext context) {
  const std::string name = context.parameters["name"];
  boost::asio::awaitable<Result<Outcome>> deleting = submit(DeletePool{name}, actor_of(context), pool_guard(context.request, name));
  const auto deleted = co_await std::move(deleting);
  if (!deleted) co_return deleted.error();
  co_return empty_response(204);
}

Handling Handlers::grow_pool(RequestContext context) {
  const auto request = body_as<proto::PoolGrowRequest>(context.request);
  if (!request) co_return request.error();
  const auto ranges = parse_ranges(request->ranges);
  if (!ranges) co_return ranges.error();
  if (ranges->empty() && request->node_prefix_length == 0) {
    co_return field_error("/ranges", " is missing, and so is another /nodePrefixLength: nothing is asked for");
  }
  GrowPool operation{context.parameters["name"], *ranges, std::nullopt, {}};
  if (request->node_prefix_length != 0) operation.node_prefix_length = static_cast<int>(std::min<std::uint64_t>(request->node_prefix_length, 129));
  const std::string name = operation.name;
  boost::asio::awaitable<Result<Outcome>> growing = change_pool(std::move(operation), actor_of(context), pool_guard(context.request, name));
  const auto grown = co_await std::move(growing);
  if (!grown) co_return grown.error();
  Handling answering = pool_response(200, name);
  co_return co_await std::move(answering);
}

Handling Handlers::drain_pool(RequestContext context) {
  const auto request = body_as<proto::PoolDrainRequest>(context.request);
  if (!request) co_return request.error();
  const std::string name = context.parameters["name"];
  boost::asio::awaitable<Result<Outcome>> draining = submit(DrainPool{name, request->draining}, actor_of(context), pool_guard(context.request, name));
  const auto drained = co_await std::move(draining);
  if (!drained) co_return drained.error();
  Handling answering = pool_response(200, name);
  co_return co_await std::move(answering);
}

Handling Handlers::create_reservation(RequestContext context) {
  const auto request = body_as<proto::ReservationRequest>(context.request);
  if (!request) co_return request.error();
  const auto block = Cidr::parse(request->block);
  if (!block) co_return at_field("/block", block.error());
  HoldBlock operation{context.parameters["name"], {*block, request->node, false, request->note, deps_.clock.wall()}};
  const BlockHold hold = operation.hold;
  const Guard guard = pool_guard(context.request, operation.pool);
  boost::asio::awaitable<Result<Outcome>> holding = submit(std::move(operation), actor_of(context), guard);
  const auto held = co_await std::move(holding);
  if (!held) co_return held.error();
  std::function<Result<proto::Reservation>()> job = [this, hold]() -> Result<proto::Reservation> {
    const AddressPool* pool = deps_.registrar.state().ledger().pool_of(hold.block);
    if (pool == nullptr) return no_pool("");
    return reservation_view(*pool, hold);
  };
  boost::asio::awaitable<Result<proto::Reservation>> reading = read_state<proto::Reservation>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(201, *view);
}

Handling Handlers::delete_reservation(RequestContext context) {
  const auto block = block_parameter(context.parameters["block"]);
  if (!block) co_return block.error();
  const std::string name = context.parameters["name"];
  boost::asio::awaitable<Result<Outcome>> releasing = submit(ReleaseHold{name, *block}, actor_of(context), pool_guard(context.request, name));
  const auto released = co_await std::move(releasing);
  if (!released) co_return released.error();
  co_return empty_response(204);
}

}  // namespace slipway::api
