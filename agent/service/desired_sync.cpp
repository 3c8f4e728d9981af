#include "agent/service/desired_sync.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/domain/desired_order.hpp"
#include "common/log/log.hpp"
#include "proto/codec.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_first_retry{1'000};
constexpr Millis k_longest_retry{60'000};
constexpr Millis k_removed_retry{300'000};
constexpr Millis k_shortest_round{200};  // a coordinator that always answers at once must not keep us busy

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
  auto desired = proto::decode<proto::DesiredState>((*stored)->json);
  if (!desired) co_return context(desired.error(), "reading the last desired state");
  forget_others(*desired, deps_.state.identity);
  left_epochs_ = (*stored)->left_epochs;
  deps_.state.renew_at = desired->cluster.certificates.renew_at;
  deps_.state.desired = std::move(*desired);
  deps_.state.reconcile.set();
  co_return Status{};
}

asio::awaitable<Status> DesiredSync::poll_once() {
  SyncPosition position;
  if (deps_.state.desired) {
    position.epoch = deps_.state.desired->epoch;
    position.revision = deps_.state.desired->revision;
  }
  position.at_once = !deps_.state.sync_message.empty();
  if (deps_.state.last_pass && deps_.state.last_pass->peers_applied)
    position.applied = deps_.state.last_pass->revision;
  asio::awaitable<Result<std::optional<std::string>>> polling = deps_.coordinator.sync(position);
  Result<std::optional<std::string>> answer = co_await std::move(polling);
  if (!answer) co_return answer.error();
  deps_.state.last_contact = deps_.clock.wall();
  if (!answer->has_value()) co_return Status{};
  asio::awaitable<Status> taking = take(std::move(**answer));
  co_return co_await std::move(taking);
}

asio::awaitable<Status> DesiredSync::take(std::string json) {
  auto desired = proto::decode<proto::DesiredState>(json);
  if (!desired) co_return context(desired.error(), "reading the coordinator's desired state");
  if (deps_.state.identity && !names_node(*desired, *deps_.state.identity)) {
    co_return make_error(Errc::unavailable,
                         "the coordinator's desired state does not name this node: what is known is kept");
  }
  std::vector<std::string> left = left_epochs_;
  if (deps_.state.desired) {
    const DesiredPlace held{deps_.state.desired->epoch, deps_.state.desired->revision};
    const DesiredPlace offered{desired->epoch, desired->revision};
    if (const Status follows = may_follow(held, left, offered); !follows) co_return follows.error();
    left = epochs_left(held, std::move(left), offered);
  }
  StoredDesired stored;
  stored.left_epochs = left;
  stored.epoch = desired->epoch;
  stored.revision = desired->revision;
  stored.json = std::move(json);
  NodeStore* nodes = &deps_.nodes;
  std::function<Status()> save = [nodes, stored] { return nodes->save_desired(stored); };
  asio::awaitable<Status> saving = offload<void>(deps_.workers, std::move(save));
  const Status saved = co_await std::move(saving);
  if (!saved) co_return context(saved.error(), "keeping the desired state");
  left_epochs_ = std::move(left);
  log::info("desired state", {{"revision", desired->revision}, {"nodes", desired->nodes.size()}});
  deps_.state.renew_at = desired->cluster.certificates.renew_at;
  forget_others(*desired, deps_.state.identity);
  const bool other_cas = !deps_.state.desired || deps_.state.desired->cas != desired->cas;
  const WallTime mark_before = rotation_mark(deps_.state.desired, deps_.state.identity);
  deps_.state.desired = std::move(*desired);
  deps_.state.reconcile.set();
  if (other_cas) deps_.state.ca_news.set();
  if (other_cas || rotation_mark(deps_.state.desired, deps_.state.identity) != mark_before) deps_.state.renew.set();
  co_return Status{};
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
      const auto took = std::chrono::duration_cast<Millis>(deps_.clock.steady() - began);
      wait = took < k_shortest_round ? k_shortest_round - took : Millis(0);
    } else {
      if (done.error().code == Errc::canceled) co_return done.error();
      const bool gone = done.error().code == Errc::gone;
      wait = polite_wait(gone ? k_removed_retry : backoff_.next(), done.error());
      deps_.state.removed = gone;
      deps_.state.sync_message = done.error().message;
      deps_.state.report.set();
      if (trouble_.worth_logging(done.error().message, deps_.clock.steady())) {
        const char* what = gone ? "this node was deleted from the cluster: pods are left alone; to join anew "
                                  "remove the data directory and run slipway-agent join"
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
