#include "agent/service/desired_sync.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/domain/desired_merge.hpp"
#include "agent/domain/enrollment_state.hpp"
#include "agent/service/stored_desired.hpp"
#include "common/log/log.hpp"
#include "proto/codec.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_first_retry{1'000};
constexpr Millis k_longest_retry{60'000};
constexpr Millis k_removed_retry{300'000};
constexpr Millis k_shortest_round{200};  // a coordinator that always answers at once must not keep us busy
constexpr Millis k_longest_pace{10'000};
constexpr Millis k_routes_patience{1'000};  // then it is asked without them, and a report tells of them
constexpr std::size_t k_small_log = 64 * 1024;
// What a coordinator needs for a handshake: a fleet that lost it comes back spread over as much time as its handshakes take.
constexpr std::chrono::microseconds k_handshake{500};

bool names_node(const proto::DesiredState& desired, const NodeIdentity& identity) {
  return std::any_of(desired.nodes.begin(), desired.nodes.end(),
                     [&](const proto::PeerNode& node) { return node.uid == identity.node_uid; });
}

// What is for other nodes alone is not kept in memory: of a large cluster it may be much.
void forget_others(proto::DesiredState& desired, const std::optional<NodeIdentity>& identity) {
  if (!identity) return;
  std::erase_if(desired.overrides, [&identity](const auto& entry) { return entry.first != identity->node_name; });
}

}  // namespace

DesiredSync::DesiredSync(Enroller::Deps deps, std::uint64_t seed)
    : deps_(deps), backoff_(k_first_retry, k_longest_retry, seed) {}

asio::awaitable<Status> DesiredSync::load() {
  using Stored = std::optional<StoredDesired>;
  NodeStore* nodes = &deps_.nodes;
  std::function<Result<Stored>()> read = [nodes] { return nodes->desired(); };
  asio::awaitable<Result<Stored>> reading = offload<Stored>(deps_.workers, std::move(read));
  const Result<Stored> stored = co_await std::move(reading);
  if (!stored) co_return context(stored.error(), "reading the last desired state");
  if (!*stored) co_return Status{};
  auto desired = desired_of(**stored);
  if (!desired) co_return desired.error();
  kept_bytes_ = (*stored)->json.size();
  for (const std::string& json : (*stored)->deltas) delta_bytes_ += json.size();
  forget_others(*desired, deps_.state.identity);
  left_epochs_ = (*stored)->left_epochs;
  deps_.state.renew_at = desired->cluster.certificates.renew_at;
  deps_.state.desired = std::move(*desired);
  deps_.state.reconcile.set();
  co_return Status{};
}

SyncPosition DesiredSync::position() {
  SyncPosition position;
  if (deps_.state.desired) {
    position.epoch = deps_.state.desired->epoch;
    position.revision = wants_whole_ ? 0 : deps_.state.desired->revision;
    position.takes_delta = !wants_whole_;
  }
  position.probe = deps_.state.probe;
  position.at_once = !deps_.state.sync_message.empty();
  if (deps_.state.routes.epoch == position.epoch) position.applied = deps_.state.routes.revision;
  return position;
}

asio::awaitable<Status> DesiredSync::poll_once() {
  SyncPosition asked = position();
  const std::uint64_t applied = asked.applied;
  deps_.state.told_routes = deps_.state.desired && deps_.state.desired->form && applied > 0 && applied == deps_.state.routes.revision;
  asio::awaitable<Result<std::optional<SyncNews>>> polling = deps_.coordinator.sync(std::move(asked));
  Result<std::optional<SyncNews>> answer = co_await std::move(polling);
  if (!answer) {
    deps_.state.told_routes = false;
    co_return answer.error();
  }
  deps_.state.last_contact = deps_.clock.wall();
  if (!answer->has_value()) co_return Status{};
  if (!(*answer)->probe.empty()) {
    deps_.state.probe = (*answer)->probe;
    deps_.state.probe_news.set();
  }
  if ((*answer)->json.empty()) co_return Status{};
  asio::awaitable<Status> taking = take(std::move(**answer));
  co_return co_await std::move(taking);
}

Result<proto::DesiredState> DesiredSync::whole_of(const std::string& json) {
  auto desired = proto::decode<proto::DesiredState>(json);
  if (!desired) return context(desired.error(), "reading the coordinator's desired state");
  if (deps_.state.identity && !names_node(*desired, *deps_.state.identity)) {
    return make_error(Errc::unavailable,
                      "the coordinator's desired state does not name this node: what is known is kept");
  }
  if (const Status whole = check_nodes(*desired); !whole) return whole.error();
  if (!deps_.state.desired) return desired;
  const DesiredPlace held{deps_.state.desired->epoch, deps_.state.desired->revision};
  const DesiredPlace offered{desired->epoch, desired->revision};
  if (const Status follows = may_follow(held, left_epochs_, offered); !follows) return follows.error();
  doubt_ = loses_most(deps_.state.desired->nodes, desired->nodes) ? told_again(doubt_, offered) : Doubt{};
  if (doubt_.told == 0) return desired;
  if (const Status sure = confirmed(doubt_); !sure) return sure.error();
  doubt_ = {};
  return desired;
}

Result<proto::DesiredState> DesiredSync::changed_by(const std::string& json) {
  const auto delta = proto::decode<proto::DesiredDelta>(json);
  if (!delta) return context(delta.error(), "reading the coordinator's changes");
  if (!deps_.state.desired) return make_error(Errc::conflict, "the coordinator tells changes to a node that has nothing yet");
  pace_ = std::min(k_longest_pace, Millis(static_cast<std::int64_t>(std::min<std::uint64_t>(delta->pace_ms, 1'000'000))));
  auto desired = merged(*deps_.state.desired, *delta);
  wants_whole_ = !desired || tells_more(*deps_.state.desired, *delta);
  doubt_ = {};
  return desired;
}

asio::awaitable<Status> DesiredSync::take(SyncNews news) {
  auto desired = news.is_delta ? changed_by(news.json) : whole_of(news.json);
  if (!desired) co_return desired.error();
  if (!news.is_delta) wants_whole_ = false;
  log::info("desired state", {{"revision", desired->revision}, {"nodes", desired->nodes.size()}, {"changes", news.is_delta}});
  forget_others(*desired, deps_.state.identity);
  proto::DesiredState copy = *desired;
  asio::awaitable<Status> keeping = keep(std::move(news.json), news.is_delta, std::move(copy));
  const Status kept = co_await std::move(keeping);
  if (!kept) co_return context(kept.error(), "keeping the desired state");
  act_on(std::move(*desired));
  co_return Status{};
}

// Changes go behind the file of the whole until they are half as long.
asio::awaitable<Status> DesiredSync::keep(std::string json, bool is_delta, proto::DesiredState state) {
  NodeStore* nodes = &deps_.nodes;
  if (is_delta && !log_broken_ && delta_bytes_ + json.size() <= std::max(k_small_log, kept_bytes_ / 2)) {
    const std::size_t size = json.size();
    std::function<Status()> append = [nodes, json = std::move(json)] { return nodes->append_delta(json); };
    asio::awaitable<Status> appending = offload<void>(deps_.workers, std::move(append));
    const Status appended = co_await std::move(appending);
    delta_bytes_ += size;
    // It may stand there all the same, and what is not acted on must not come before what is.
    log_broken_ = !appended;
    co_return appended;
  }
  StoredDesired stored;
  stored.epoch = state.epoch;
  stored.revision = state.revision;
  stored.left_epochs = left_epochs_;
  if (!is_delta && deps_.state.desired) {
    stored.left_epochs = epochs_left({deps_.state.desired->epoch, deps_.state.desired->revision}, std::move(stored.left_epochs), {state.epoch, state.revision});
  }
  // What this version does not know is lost when it is encoded anew.
  if (is_delta && state.form) state.form = std::min(*state.form, proto::k_desired_form);
  stored.json = is_delta ? proto::encode(state) : std::move(json);
  std::function<Status()> save = [nodes, stored] { return nodes->save_desired(stored); };
  asio::awaitable<Status> saving = offload<void>(deps_.workers, std::move(save));
  const Status saved = co_await std::move(saving);
  if (!saved) co_return saved;
  left_epochs_ = std::move(stored.left_epochs);
  kept_bytes_ = stored.json.size();
  delta_bytes_ = 0;
  log_broken_ = false;
  co_return Status{};
}

void DesiredSync::act_on(proto::DesiredState state) {
  AgentState& known = deps_.state;
  known.renew_at = state.cluster.certificates.renew_at;
  const bool other_cas = !known.desired || known.desired->cas != state.cas;
  const WallTime mark_before = rotation_mark(known.desired, known.identity);
  known.desired = std::move(state);
  known.reconcile.set();
  known.network_news.set();
  if (other_cas) known.ca_news.set();
  if (other_cas || rotation_mark(known.desired, known.identity) != mark_before) known.renew.set();
  has_news_ = true;
}

// The question after news tells that the kernel has them: one request for both, and not before the coordinator's pace is over.
asio::awaitable<Status> DesiredSync::await_routes(SteadyTime asked) {
  const SteadyTime patience = deps_.clock.steady() + k_routes_patience;
  const SteadyTime paced = deps_.clock.steady() + std::exchange(pace_, Millis(0));
  const auto have_routes = [this] {
    return deps_.state.routes.epoch == deps_.state.desired->epoch && deps_.state.routes.revision >= deps_.state.desired->revision;
  };
  while (!have_routes() && deps_.clock.steady() < patience) {
    deps_.state.routes_news.take();
    asio::awaitable<bool> waiting = deps_.state.routes_news.wait(std::chrono::ceil<Millis>(patience - deps_.clock.steady()));
    const bool woken = co_await std::move(waiting);
    if (!woken) break;
  }
  asio::awaitable<Status> sleeping = deps_.clock.sleep_until(std::max(paced, asked + k_shortest_round));
  co_return co_await std::move(sleeping);
}

Millis DesiredSync::after_failure(const Error& error) {
  const bool gone = error.code == Errc::gone;
  const std::size_t fleet = deps_.state.desired ? deps_.state.desired->nodes.size() : 0;
  const Millis wait = backoff_.next() + backoff_.within(std::chrono::duration_cast<Millis>(k_handshake * fleet));
  return polite_wait(gone ? k_removed_retry : wait, error);
}

asio::awaitable<Status> DesiredSync::run() {
  for (;;) {
    const SteadyTime began = deps_.clock.steady();
    asio::awaitable<Status> polling = poll_once();
    const Status done = co_await std::move(polling);
    Millis wait{};
    if (done) {
      backoff_.reset();
      if (!deps_.state.sync_message.empty()) deps_.state.report.set();
      deps_.state.sync_message.clear();
      deps_.state.removed = false;
      if (trouble_.clear()) log::info("the coordinator answers again");
      if (std::exchange(has_news_, false)) {
        asio::awaitable<Status> settling = await_routes(began);
        if (const Status settled = co_await std::move(settling); !settled) co_return settled.error();
        continue;
      }
      const auto took = std::chrono::duration_cast<Millis>(deps_.clock.steady() - began);
      wait = took < k_shortest_round ? k_shortest_round - took : Millis(0);
    } else {
      if (done.error().code == Errc::canceled) co_return done.error();
      const bool gone = done.error().code == Errc::gone;
      wait = after_failure(done.error());
      deps_.state.removed = gone;
      deps_.state.sync_message = done.error().message;
      deps_.state.report.set();
      if (trouble_.worth_logging(done.error().message, deps_.clock.steady())) {
        const std::string what = gone ? std::string("this node was deleted from the cluster: pods are left alone; to join anew: ") + k_join_anew
                                      : "the coordinator cannot be asked; the node goes on as it is";
        log::warning(what, {{"error", done.error()}, {"nextTrySeconds", (wait.count() + 999) / 1000}});
      }
    }
    if (wait == Millis(0)) continue;
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(wait);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
  }
}

}  // namespace slipway
