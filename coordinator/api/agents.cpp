// What hosts and agents call.
#include "common/core/text.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

constexpr std::uint64_t k_max_wait_seconds = 60;

struct SyncWish {
  std::string epoch;
  std::uint64_t revision = 0;
  std::uint64_t applied = 0;
  std::uint64_t wait = 0;  // seconds
  std::optional<std::string> probe;
};

Status read_number(const http::Request& request, const char* name, std::uint64_t& number) {
  const auto text = http::query_parameter(request, name);
  const auto value = text ? parse_u64(*text) : number;
  if (!value) return parameter_error(name, " must be a whole number");
  number = *value;
  return {};
}

Result<SyncWish> sync_wish(const http::Request& request) {
  SyncWish wish;
  wish.epoch = http::query_parameter(request, "epoch").value_or("");
  if (const Status read = read_number(request, "revision", wish.revision); !read) return read.error();
  if (const Status read = read_number(request, "applied", wish.applied); !read) return read.error();
  if (const auto text = http::query_parameter(request, "wait")) {
    const auto wait = parse_u64(*text, k_max_wait_seconds);
    if (!wait) return parameter_error("wait", " must be a number of seconds from 0 to 60");
    wish.wait = *wait;
  }
  wish.probe = http::query_parameter(request, "probe");
  return wish;
}

// RFC 9110 section 12.5.1, as far as it goes here: agents name the type without a weight, or do not know it.
bool accepts_deltas(const http::Request& request) {
  const std::string* const accept = request.headers.find("Accept");
  if (accept == nullptr) return false;
  for (const std::string_view type : split(*accept, ',')) {
    if (trim(type) == proto::k_delta_type) return true;
  }
  return false;
}

http::Response state_response(const std::shared_ptr<const Document>& document) {
  http::Response response = json_text_response(200, "");
  response.shared_body = std::shared_ptr<const std::string>(document, &document->json);
  return response;
}

http::Response delta_response(const std::shared_ptr<const Delta>& delta) {
  http::Response response = text_response(200, "", proto::k_delta_type);
  response.shared_body = std::shared_ptr<const std::string>(delta, &delta->json);
  return response;
}

}  // namespace

Handling Handlers::join_node(RequestContext context) {
  auto request = agent_body_as<proto::JoinRequest>(context.request);
  if (!request) {
    count_join(request.error());
    boost::asio::awaitable<Status> noting =
        deps_.enrollment.note_unreadable(request.error(), context.request.peer.address);
    const Status noted = co_await std::move(noting);
    if (!noted) co_return noted.error();
    co_return request.error();
  }
  boost::asio::awaitable<Result<proto::JoinReply>> joining =
      deps_.enrollment.join(std::move(*request), context.request.peer.address);
  const auto reply = co_await std::move(joining);
  count_join(reply ? Status{} : Status(reply.error()));
  if (!reply) co_return reply.error();
  co_return json_response(200, *reply);
}

void Handlers::count_join(const Status& result) {
  const std::size_t index = result ? k_codes - 1 : static_cast<std::size_t>(result.error().code);
  joins_[index].fetch_add(1, std::memory_order_relaxed);
}

Handling Handlers::get_ca_certificates(RequestContext) {
  co_return text_response(200, deps_.signer.ca_pem(CaKind::fabric), "application/pem-certificate-chain");
}

Handling Handlers::sync_agent(RequestContext context) {
  auto wish = sync_wish(context.request);
  if (!wish) return refuse_live(context.principal, context.request.peer.address, wish.error());
  SyncPosition position{context.principal,
                        std::move(wish->epoch),
                        wish->revision,
                        wish->applied,
                        accepts_deltas(context.request),
                        deps_.clock.steady() + std::chrono::seconds(wish->wait),
                        context.request.peer.address,
                        std::move(wish->probe)};
  const auto have = std::make_shared<const SyncPosition>(std::move(position));
  std::function<Handling()> there = [this, have] { return sync_on_state(have); };
  return run_on<http::Response>(deps_.state, std::move(there));
}

// To a removed node it does not matter what was wrong with its request.
Handling Handlers::refuse_live(std::shared_ptr<const Principal> principal, IpAddress from, Error error) {
  boost::asio::awaitable<Status> checking = check_live(std::move(principal), from);
  const Status live = co_await std::move(checking);
  if (!live) co_return live.error();
  co_return error;
}

Handling Handlers::sync_on_state(std::shared_ptr<const SyncPosition> have) {
  Feed& feed = deps_.registrar.feed();
  for (bool arrives = true;; arrives = false) {
    // Asked again after each wait: the node may have been removed meanwhile.
    const auto live = live_node(have->who->agent, have->from);
    if (!live) co_return live.error();
    const bool same_epoch = feed.epoch() == have->epoch;
    // Only now has it spoken; what it says later, in a report, is newer.
    if (arrives) deps_.board.contact((*live)->uid, same_epoch ? have->applied : 0, origin_of(nat_sources(), **live, have->from));
    const std::string probe = probe_news(*have, **live);
    if (feed.revision() > 0 && (!same_epoch || feed.revision() > have->revision)) {
      Handling telling = tell_news(have);
      Reply news = co_await std::move(telling);
      if (news && !probe.empty()) news->headers.set(proto::k_probe_header, probe);
      co_return news;
    }
    if (!probe.empty()) {
      http::Response asking = empty_response(204);
      asking.headers.set(proto::k_probe_header, probe);
      co_return asking;
    }
    const auto left = std::chrono::ceil<Millis>(have->deadline - deps_.clock.steady());
    if (left <= Millis(0) || stopping_) co_return empty_response(204);
    boost::asio::awaitable<bool> waiting = feed.changed().wait(left);
    co_await std::move(waiting);
  }
}

// Apart from the wait, whose frame thousands have.
Handling Handlers::tell_news(std::shared_ptr<const SyncPosition> have) {
  Feed& feed = deps_.registrar.feed();
  const bool same_epoch = feed.epoch() == have->epoch;
  if (const auto delta = have->takes_deltas && same_epoch ? feed.delta(have->revision) : nullptr) {
    boost::asio::awaitable<Status> durable = deps_.registrar.durable(delta->rests);
    const Status safe = co_await std::move(durable);
    if (!safe) co_return safe.error();
    co_return delta_response(delta);
  }
  // Who knows nothing yet has just joined: in what was told so far he may not stand.
  const std::uint64_t at_least = same_epoch ? feed.revision() : deps_.registrar.state().desired_revision();
  boost::asio::awaitable<Result<std::shared_ptr<const Document>>> encoding = feed.document(at_least);
  const auto document = co_await std::move(encoding);
  if (!document) co_return document.error();
  const auto live = live_node(have->who->agent, have->from);
  if (!live) co_return live.error();
  co_return state_response(*document);
}

// Most reports are the last one again, byte for byte: such a one is a sign of life and is not read.
Handling Handlers::report_status(RequestContext context) {
  Sender sender{context.principal, context.request.peer.address, report_mark(context.request.body)};
  std::function<boost::asio::awaitable<Result<bool>>()> asking = [this, sender] { return repeats_on_state(sender); };
  boost::asio::awaitable<Result<bool>> hop = run_on<bool>(deps_.state, std::move(asking));
  const Result<bool> repeats = co_await std::move(hop);
  if (!repeats) co_return repeats.error();
  if (*repeats) co_return empty_response(204);
  auto report = agent_body_as<proto::NodeStatusReport>(context.request);
  if (!report) co_return report.error();
  const auto given = std::make_shared<const proto::NodeStatusReport>(std::move(*report));
  std::function<Handling()> there = [this, given, sender] { return status_on_state(given, sender); };
  Handling taking = run_on<http::Response>(deps_.state, std::move(there));
  co_return co_await std::move(taking);
}

boost::asio::awaitable<Result<bool>> Handlers::repeats_on_state(Sender sender) {
  const auto live = live_node(sender.who->agent, sender.from);
  if (!live) co_return live.error();
  co_return deps_.board.repeat((*live)->uid, sender.mark, origin_of(nat_sources(), **live, sender.from));
}

Handling Handlers::status_on_state(std::shared_ptr<const proto::NodeStatusReport> given, Sender sender) {
  const auto live = live_node(sender.who->agent, sender.from);
  if (!live) co_return live.error();
  const Node& node = **live;
  const std::uint64_t before = deps_.board.change_count();
  deps_.board.report(node.uid, *given, origin_of(nat_sources(), node, sender.from), sender.mark);
  if (deps_.board.change_count() != before) nodes_changed_.notify();
  // What the answer rests on is durable: the node may have been deleted a moment ago.
  boost::asio::awaitable<Status> durable = deps_.registrar.durable(deps_.registrar.state().revision());
  const Status safe = co_await std::move(durable);
  if (!safe) co_return safe.error();
  co_return empty_response(204);
}

Handling Handlers::renew_certificates(RequestContext context) {
  auto request = agent_body_as<proto::RenewRequest>(context.request);
  if (!request) co_return request.error();
  boost::asio::awaitable<Result<proto::RenewReply>> renewing =
      deps_.enrollment.renew(std::move(*request), context.principal->agent, actor_of(context), context.request.peer.address);
  const auto reply = co_await std::move(renewing);
  renewals_[reply ? 1 : 0].fetch_add(1, std::memory_order_relaxed);
  if (!reply) co_return reply.error();
  co_return json_response(200, *reply);
}

Handling Handlers::get_master_secrets(RequestContext context) {
  const AgentIdentity agent = context.principal->agent;
  std::function<Status()> job = [this, agent]() -> Status {
    const auto node = deps_.registrar.state().authenticate_agent(agent.uid, agent.generation, agent.serial, deps_.clock.wall());
    if (!node) return node.error();
    if ((*node)->role != NodeRole::master)
      return make_error(Errc::denied, "this route is for masters, " + (*node)->name + " is a node");
    return {};
  };
  boost::asio::awaitable<Status> asking = read_state<void>(std::move(job));
  const Status allowed = co_await std::move(asking);
  if (!allowed) co_return allowed.error();
  const proto::MasterSecrets secrets{std::string(deps_.service_account_key.reveal())};
  http::Response response = json_response(200, secrets);
  response.headers.set("Cache-Control", "no-store");
  co_return response;
}

}  // namespace slipway::api
