// The probe of the network: people start it and read what came of it, agents take part.
#include <algorithm>

#include "common/core/text.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

constexpr Seconds k_heard{150};  // agents report every minute
constexpr std::uint64_t k_max_wait_seconds = 30;
constexpr std::size_t k_id_bytes = 8;

std::string unready_text(const NodeContact& contact) {
  for (const proto::Condition& condition : contact.report.conditions)
    if (condition.type == "NetworkReady" && !condition.ok)
      return condition.message.empty() ? "it says so" : condition.message;
  return {};
}

Handling ready_error(Error error) {
  co_return error;
}

}  // namespace

Handling Handlers::start_network_probe(RequestContext) {
  std::function<Handling()> there = [this] { return start_probe_on_state(); };
  return run_on<http::Response>(deps_.state, std::move(there));
}

// One at a time: who comes while one is under way gets that one.
Handling Handlers::start_probe_on_state() {
  const SteadyTime now = deps_.clock.steady();
  if (!probe_.under_way(now)) {
    std::string id = to_hex(deps_.random_bytes(k_id_bytes));
    probe_.start(std::move(id), probe_members(), deps_.registrar.state().cluster().spec.network, now,
                 deps_.clock.wall());
    probe_changed_.notify();
    // Those that wait for news look again, and find the probe.
    deps_.registrar.feed().changed().notify();
  }
  Handling viewing = probe_view();
  co_return co_await std::move(viewing);
}

std::vector<ProbeMember> Handlers::probe_members() const {
  const WallTime now = deps_.clock.wall();
  const bool fresh = now - started_ <= k_heard;
  std::vector<ProbeMember> members;
  for (const auto& [name, node] : deps_.registrar.state().nodes()) {
    if (node.replacing) continue;
    ProbeMember member{node.uid, name, fresh, "", "", {node.address}, blocks_of(node)};
    if (const NodeContact* contact = deps_.board.find(node.uid)) {
      if (contact->last_contact != WallTime{}) member.heard = now - contact->last_contact <= k_heard;
      member.version = contact->report.facts.agent_version;
      member.unready = unready_text(*contact);
    }
    members.push_back(std::move(member));
  }
  return members;
}

Handling Handlers::probe_view() {
  const auto view = probe_.view(deps_.clock.steady());
  if (view) return answer_durably(json_response(200, *view));
  return answer_durably(make_error(
      Errc::not_found,
      "no probe of the network was made since the coordinator's start (slipwayctl health network)"));
}

// What the answer rests on is durable: a node may have been deleted a moment ago.
Handling Handlers::answer_durably(Reply reply) {
  boost::asio::awaitable<Status> durable = deps_.registrar.durable(deps_.registrar.state().revision());
  const Status safe = co_await std::move(durable);
  if (!safe) co_return safe.error();
  co_return reply;
}

Handling Handlers::get_network_probe(RequestContext context) {
  std::uint64_t seconds = 0;
  if (const auto text = http::query_parameter(context.request, "wait")) {
    const auto wait = parse_u64(*text, k_max_wait_seconds);
    if (!wait) return ready_error(parameter_error("wait", " must be a number of seconds from 0 to 30"));
    seconds = *wait;
  }
  const SteadyTime deadline = deps_.clock.steady() + std::chrono::seconds(seconds);
  std::function<Handling()> there = [this, deadline] { return get_probe_on_state(deadline); };
  return run_on<http::Response>(deps_.state, std::move(there));
}

// Until it is done, or the time is over.
Handling Handlers::get_probe_on_state(SteadyTime deadline) {
  for (;;) {
    const SteadyTime now = deps_.clock.steady();
    const std::uint64_t before = probe_.changes();
    const bool running = probe_.under_way(now);
    tell_probe_changes(before);
    if (!running || now >= deadline || stopping_) break;
    const auto left = std::chrono::ceil<Millis>(std::min(deadline, probe_.phase_ends()) - now);
    boost::asio::awaitable<bool> waiting = probe_changed_.wait(left);
    co_await std::move(waiting);
  }
  Handling viewing = probe_view();
  co_return co_await std::move(viewing);
}

void Handlers::tell_probe_changes(std::uint64_t before) {
  if (probe_.changes() != before) probe_changed_.notify();
}

const std::string& Handlers::probe_news(const SyncPosition& have, const Node& node) {
  static const std::string none;
  return have.probe ? probe_.news_for(node.uid, *have.probe, deps_.clock.steady()) : none;
}

Handling Handlers::offer_probe(RequestContext context) {
  auto offer = agent_body_as<proto::ProbeOffer>(context.request);
  if (!offer) return ready_error(offer.error());
  const auto given = std::make_shared<const proto::ProbeOffer>(std::move(*offer));
  const ProbeSender sender{context.principal, context.request.peer.address};
  std::function<Handling()> there = [this, given, sender] { return offer_on_state(given, sender); };
  return run_on<http::Response>(deps_.state, std::move(there));
}

// Answered when all have said where their pods are, or the time for that is over: then it is known whom to
// ping.
Handling Handlers::offer_on_state(std::shared_ptr<const proto::ProbeOffer> offer, ProbeSender sender) {
  const auto offering = live_node(sender.who->agent, sender.from);
  if (!offering) co_return offering.error();
  const std::uint64_t before = probe_.changes();
  const Status taken = probe_.offer((*offering)->uid, *offer, deps_.clock.steady());
  tell_probe_changes(before);
  Handling waiting = taken ? await_targets(offer, sender) : answer_durably(taken.error());
  co_return co_await std::move(waiting);
}

Handling Handlers::await_targets(std::shared_ptr<const proto::ProbeOffer> offer, ProbeSender sender) {
  for (;;) {
    // The node may have been removed meanwhile.
    const auto live = live_node(sender.who->agent, sender.from);
    if (!live) co_return live.error();
    const SteadyTime now = deps_.clock.steady();
    const std::uint64_t before = probe_.changes();
    const auto targets = probe_.targets((*live)->uid, offer->probe, now);
    tell_probe_changes(before);
    if (!targets || *targets) {
      Handling answering =
          answer_durably(targets ? Reply(json_response(200, **targets)) : Reply(targets.error()));
      co_return co_await std::move(answering);
    }
    if (stopping_)
      co_return make_error(Errc::unavailable, "the coordinator stops: the network probe is over");
    boost::asio::awaitable<bool> waiting =
        probe_changed_.wait(std::chrono::ceil<Millis>(probe_.phase_ends() - now));
    co_await std::move(waiting);
  }
}

Handling Handlers::report_probe(RequestContext context) {
  auto report = agent_body_as<proto::ProbeReport>(context.request);
  if (!report) return ready_error(report.error());
  const auto given = std::make_shared<const proto::ProbeReport>(std::move(*report));
  const ProbeSender sender{context.principal, context.request.peer.address};
  std::function<Handling()> there = [this, given, sender] { return report_probe_on_state(given, sender); };
  return run_on<http::Response>(deps_.state, std::move(there));
}

Handling Handlers::report_probe_on_state(std::shared_ptr<const proto::ProbeReport> report,
                                         ProbeSender sender) {
  const auto live = live_node(sender.who->agent, sender.from);
  if (!live) co_return live.error();
  const std::uint64_t before = probe_.changes();
  const Status taken = probe_.report((*live)->uid, *report, deps_.clock.steady());
  tell_probe_changes(before);
  Handling answering = answer_durably(taken ? Reply(empty_response(204)) : Reply(taken.error()));
  co_return co_await std::move(answering);
}

}  // namespace slipway::api
