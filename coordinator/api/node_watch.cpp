#include "coordinator/api/node_watch.hpp"

#include "common/async/timeout.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

constexpr std::size_t k_max_watches = 64;
constexpr Millis k_gather{250};
constexpr Millis k_look{1'000};
// Well below the times after which middleboxes forget a connection.
constexpr Millis k_keep_alive{15'000};
constexpr const char* k_keep_alive_text = ": still here\n\n";

std::string event(std::string_view name, const std::string& data) {
  std::string text = "event: ";
  text.append(name).append("\n");
  return text.append("data: ").append(data).append("\n\n");
}

std::string removed(const std::string& name, const std::string& uid) {
  proto::NodeView view;
  view.name = name;
  view.uid = uid;
  return event("removed", proto::encode(view));
}

}  // namespace

NodeWatch::NodeWatch(Handlers& handlers, NodeFilter filter, std::shared_ptr<const Principal> who, IpAddress from)
    : handlers_(handlers), seen_(std::make_shared<Seen>()) {
  seen_->filter = std::move(filter);
  seen_->who = std::move(who);
  seen_->from = from;
  handlers_.watches_.fetch_add(1);
}

NodeWatch::~NodeWatch() {
  handlers_.watches_.fetch_sub(1);
}

// What the other end knows and the state does not.
std::string NodeWatch::drop_missing(const State& state, Seen& seen) {
  std::string text;
  for (auto it = seen.nodes.begin(); it != seen.nodes.end();) {
    const Node* node = state.node(it->first);
    if (node != nullptr && node->uid == it->second.uid) {
      ++it;
      continue;
    }
    if (it->second.shown) text += removed(it->first, it->second.uid);
    it = seen.nodes.erase(it);
  }
  return text;
}

std::string NodeWatch::collect_node(Handlers& handlers, Seen& seen, const Node& node) {
  const NodeContact* contact = handlers.deps_.board.find(node.uid);
  const auto [known, is_new] = seen.nodes.try_emplace(node.name, Known{node.uid, false});
  const bool reported = contact != nullptr && contact->changed > seen.board_changes;
  if (!is_new && !reported) return {};
  const proto::NodeView view = node_view(handlers.deps_.registrar.state(), node, contact);
  const bool was_shown = known->second.shown;
  known->second.shown = seen.filter.matches(view);
  if (known->second.shown) return event(was_shown ? "modified" : "added", proto::encode(view));
  return was_shown ? removed(node.name, node.uid) : std::string();
}

// All that is new to the other end. State thread.
std::string NodeWatch::collect(Handlers& handlers, Seen& seen) {
  const State& state = handlers.deps_.registrar.state();
  const NodeStatusBoard& board = handlers.deps_.board;
  if (seen.synced && seen.desired_revision == state.desired_revision() &&
      seen.board_changes == board.change_count())
    return {};
  std::string text = drop_missing(state, seen);
  for (const auto& [name, node] : state.nodes()) text += collect_node(handlers, seen, node);
  seen.desired_revision = state.desired_revision();
  seen.board_changes = board.change_count();
  if (!seen.synced) text += "event: synced\ndata: {}\n\n";
  seen.synced = true;
  return text;
}

boost::asio::awaitable<Result<std::string>> NodeWatch::next_on_state(Handlers* handlers,
                                                                     std::shared_ptr<Seen> seen) {
  const SteadyTime until = handlers->deps_.clock.steady() + k_keep_alive;
  while (!handlers->stopping_) {
    // Asked again after each wait: the certificate may have been revoked, or have ended, meanwhile.
    const Status live = handlers->still_counts(*seen->who, seen->from);
    if (!live) co_return live.error();
    std::string text = collect(*handlers, *seen);
    if (!text.empty()) {
      boost::asio::awaitable<Status> durable =
          handlers->deps_.registrar.durable(handlers->deps_.registrar.state().revision());
      const Status safe = co_await std::move(durable);
      if (!safe) co_return safe.error();
      co_return text;
    }
    if (handlers->deps_.clock.steady() >= until) co_return std::string(k_keep_alive_text);
    boost::asio::awaitable<bool> waiting = handlers->nodes_changed_.wait(k_look);
    const bool notified = co_await std::move(waiting);
    // What else comes at this moment goes along.
    if (!notified || handlers->stopping_) continue;
    boost::asio::awaitable<Status> gathering = handlers->deps_.clock.sleep_for(k_gather);
    co_await std::move(gathering);
  }
  co_return std::string();
}

boost::asio::awaitable<Result<std::string>> NodeWatch::next() {
  Handlers* handlers = &handlers_;
  const std::shared_ptr<Seen> seen = seen_;
  std::function<boost::asio::awaitable<Result<std::string>>()> there = [handlers, seen] {
    return next_on_state(handlers, seen);
  };
  boost::asio::awaitable<Result<std::string>> hop = run_on<std::string>(handlers_.deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Handling Handlers::watch_nodes(NodeFilter filter, RequestContext context) {
  if (watches_.load() >= k_max_watches)
    co_return make_error(Errc::too_many, "64 watches are open already: close one, or list instead");
  http::Response response;
  response.headers.set("Content-Type", "text/event-stream");
  response.headers.set("Cache-Control", "no-store");
  response.stream = std::make_shared<NodeWatch>(*this, std::move(filter), context.principal, context.request.peer.address);
  co_return response;
}

}  // namespace slipway::api
