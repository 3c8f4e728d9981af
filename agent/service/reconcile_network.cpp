// The Reconciler's part that is the pod network: in each pass, and by itself while a pass takes long.
#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "agent/render/traces.hpp"
#include "agent/service/network_pass.hpp"
#include "agent/service/reconcile.hpp"
#include "agent/service/reconcile_pass.hpp"
#include "common/core/text.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

// An interface that comes up is a handful of events.
constexpr Millis k_gather{20};
// Ten looks a second at most: links that keep changing shall not take the processor.
constexpr Millis k_rest{80};
constexpr std::chrono::hours k_until_news{24};  // longer than any quiet; then it waits anew

// At once, not when the pass is over: an installation may take minutes.
void note_routes(AgentState& state, const proto::DesiredState& desired) {
  if (state.routes.epoch == desired.epoch && state.routes.revision >= desired.revision) return;
  state.routes = {desired.epoch, desired.revision};
  state.told_routes = false;
  state.routes_news.set();
}

void add_new(const std::vector<std::string>& from, std::vector<std::string>& to) {
  for (const std::string& text : from)
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
}

}  // namespace

// A worker that unpacks an archive is not waited for when everything was noted before.
asio::awaitable<Status> Reconciler::note_network(std::vector<Intent> intents) {
  asio::awaitable<Status> noting = note_intents(intents);
  if (const Status noted = co_await std::move(noting); !noted) co_return noted.error();
  for (const Intent& intent : intents) noted_.emplace(intent.kind, intent.name);
  co_return Status{};
}

std::vector<Intent> Reconciler::not_noted(std::vector<Intent> intents) const {
  if (!deps_.intend) return {};
  std::erase_if(intents, [this](const Intent& intent) { return noted_.count({intent.kind, intent.name}) != 0; });
  return intents;
}

asio::awaitable<Result<NetworkTurn>> Reconciler::turn_network() {
  std::vector<Intent> intents = not_noted(network_intents());
  for (;;) {
    if (!intents.empty()) {
      asio::awaitable<Status> noting = note_network(std::move(intents));
      if (const Status noted = co_await std::move(noting); !noted) co_return noted.error();
    }
    // Both as they are now: another turn, and news, may have come while that was noted.
    const std::optional<proto::DesiredState>& desired = deps_.state.desired;
    if (!desired || !deps_.state.identity)
      co_return make_error(Errc::unavailable, "the pod network: this node is not told any more what it should be");
    NetworkDraft draft = draft_network(deps_.network, *desired, *deps_.state.identity);
    intents = not_noted(device_intents(draft.steps));
    if (!intents.empty()) continue;
    ++network_turns_;
    deps_.state.network_news.take();
    NetworkTurn turn{carry_out(deps_.network, std::move(draft)), desired->epoch, desired->revision};
    deps_.state.facts.pod_mtu = turn.outcome.mtu_left;
    deps_.state.silent_sysctls = turn.outcome.silent_sysctls;
    if (turn.outcome.peers_applied) note_routes(deps_.state, *desired);
    note_written(turn.outcome.files);
    co_return turn;
  }
}

// With what is wanted now, which may be newer than the pass: an older one must not be brought back.
asio::awaitable<Result<NetworkOutcome>> Reconciler::program_network(Pass& pass) {
  asio::awaitable<Result<NetworkTurn>> turning = turn_network();
  Result<NetworkTurn> turn = co_await std::move(turning);
  if (!turn) co_return turn.error();
  NetworkOutcome& network = turn->outcome;
  pass.report.network_ready = network.ready;
  pass.report.network_message = network.message;
  pass.report.peers_applied = network.peers_applied;
  pass.report.changes.insert(pass.report.changes.end(), network.changes.begin(), network.changes.end());
  add_new(network.problems, pass.report.problems);
  const bool same_wish = turn->epoch == pass.desired.epoch && turn->revision == pass.desired.revision;
  if (!same_wish) network.changes.clear();  // nobody's drift
  co_return std::move(network);
}

// Whether the host was whatever is wanted for that revision: what is not now, somebody changed.
bool Reconciler::stood(std::uint64_t revision) const {
  const std::optional<PassReport>& before = deps_.state.last_pass;
  return before && before->clean() && before->network_ready && before->revision == revision;
}

asio::awaitable<Status> Reconciler::mend_network() {
  asio::awaitable<Result<NetworkTurn>> turning = turn_network();
  const Result<NetworkTurn> turn = co_await std::move(turning);
  if (!turn) co_return turn.error();
  const std::vector<std::string>& changes = turn->outcome.changes;
  if (changes.empty()) co_return Status{};
  log_changes(changes);
  if (stood(turn->revision)) note_drift(changes);
  // What hangs on it: the files that name the MTU, the programs that read ours, the report.
  deps_.state.reconcile.set();
  co_return Status{};
}

asio::awaitable<Status> Reconciler::run_network() {
  for (;;) {
    asio::awaitable<bool> waiting = deps_.state.network_news.wait(k_until_news);
    const bool news = co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "stopping");
    if (!news || !deps_.state.identity || !deps_.state.desired) continue;
    const std::uint64_t before = network_turns_;
    asio::awaitable<Status> gathering = deps_.clock.sleep_for(k_gather);
    if (const Status gathered = co_await std::move(gathering); !gathered) co_return gathered.error();
    if (network_turns_ != before) continue;  // by a pass that began meanwhile
    asio::awaitable<Status> mending = mend_network();
    const Status mended = co_await std::move(mending);
    if (mended) {
      network_trouble_.clear();
    } else if (network_trouble_.worth_logging(mended.error().message, deps_.clock.steady())) {
      log::warning("the pod network waits for the next pass", {{"error", mended.error()}});
    }
    asio::awaitable<Status> resting = deps_.clock.sleep_for(k_rest);
    if (const Status rested = co_await std::move(resting); !rested) co_return rested.error();
  }
}

}  // namespace slipway
