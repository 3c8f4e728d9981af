#include "coordinator/service/feed.hpp"

#include "common/async/spawn.hpp"
#include "coordinator/domain/desired.hpp"
#include "coordinator/domain/feed_pace.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr Millis k_patience = std::chrono::minutes(5);  // longer than any encoding takes
constexpr Millis k_document_kept{30'000};
constexpr std::chrono::hours k_remembered{1};
constexpr std::size_t k_most_deltas = 256;  // agents that lag differently; more are encoded anew

using Told = std::shared_ptr<const Document>;

Told encode_document(const proto::DesiredState& desired) {
  return std::make_shared<const Document>(Document{desired.epoch, desired.revision, proto::encode(desired)});
}

}  // namespace

Feed::Feed(Deps deps) : deps_(std::move(deps)) {
  if (!deps_.state.has_cluster()) return;
  told_ = durable_ = deps_.state.desired_revision();
}

void Feed::committed(std::uint64_t desired_revision) {
  durable_ = desired_revision;
  if (!resting_ && durable_ > told_) tell();
}

void Feed::hurry() {
  if (durable_ > told_) tell();
}

void Feed::fail() {
  changed_.notify();
  encoded_.notify();
}

void Feed::tell() {
  told_ = durable_;
  deltas_.clear();
  changed_.notify();
  if (resting_) return;
  resting_ = true;
  // By all nodes, not by those that wait at this moment: in a storm most are on their way back.
  spawn_detached(deps_.executor, "rest of the feed", rest_and_tell(feed_window(deps_.state.nodes().size())));
}

asio::awaitable<bool> Feed::rest(Millis duration) {
  if (duration <= Millis(0)) co_return true;
  if (deps_.clock == nullptr) {
    asio::awaitable<bool> resting = pacing_.wait(duration);
    co_await std::move(resting);
    co_return true;
  }
  asio::awaitable<Status> sleeping = deps_.clock->sleep_for(duration);
  const Status slept = co_await std::move(sleeping);
  co_return slept.has_value();
}

asio::awaitable<Status> Feed::rest_and_tell(Millis window) {
  asio::awaitable<bool> resting = rest(window);
  const bool rested = co_await std::move(resting);
  resting_ = false;
  if (rested && durable_ > told_) tell();
  co_return Status{};
}

std::shared_ptr<const Delta> Feed::delta(std::uint64_t since) {
  const auto known = deltas_.find(since);
  if (known != deltas_.end()) return known->second;
  // Of the state as it is: it may be ahead of what was told, and even of the disk.
  auto changes = desired_delta(deps_.state, since);
  std::shared_ptr<const Delta> made;
  if (changes) {
    changes->pace_ms = static_cast<std::uint64_t>(feed_window(deps_.state.nodes().size()).count());
    made = std::make_shared<const Delta>(Delta{changes->to, deps_.state.revision(), proto::encode(*changes)});
    ++counts_.deltas;
  }
  if (deltas_.size() < k_most_deltas) deltas_.emplace(since, made);
  return made;
}

asio::awaitable<Result<Told>> Feed::document(std::uint64_t at_least) {
  while (!document_ || document_->epoch != epoch() || document_->revision < at_least) {
    wanted_ = true;
    if (!encoding_) {
      encoding_ = true;
      spawn_detached(deps_.executor, "desired state", encode_wanted());
    }
    asio::awaitable<bool> waiting = encoded_.wait(k_patience);
    const bool woken = co_await std::move(waiting);
    if (!woken) co_return make_error(Errc::timeout, "waiting for the coordinator to encode the desired state");
    if (trouble_) co_return *trouble_;
  }
  used_ = true;
  co_return document_;
}

// One at a time and not without a rest: under load it is as rare as its encoding is slow.
asio::awaitable<Status> Feed::encode_wanted() {
  while (std::exchange(wanted_, false)) {
    asio::awaitable<Status> encoding = encode_one();
    const Status encoded = co_await std::move(encoding);
    trouble_.reset();
    if (!encoded) trouble_ = encoded.error();
    wanted_ = false;  // whoever asked meanwhile and needs more than this asks again
    encoded_.notify();
    asio::awaitable<bool> resting = rest(document_rest(deps_.state.nodes().size()));
    const bool rested = co_await std::move(resting);
    if (!rested) break;
  }
  encoding_ = false;
  if (!std::exchange(forgetting_, true)) spawn_detached(deps_.executor, "old desired state", forget_document());
  co_return Status{};
}

asio::awaitable<Status> Feed::encode_one() {
  const auto snapshot = std::make_shared<const proto::DesiredState>(desired_state(deps_.state));
  const std::uint64_t revision = deps_.state.revision();
  std::function<Result<Told>()> job = [snapshot] { return Result<Told>(encode_document(*snapshot)); };
  asio::awaitable<Result<Told>> working = offload<Told>(deps_.workers, std::move(job));
  const Result<Told> encoded = co_await std::move(working);
  if (!encoded) co_return encoded.error();
  asio::awaitable<Status> waiting = deps_.durable(revision);
  const Status safe = co_await std::move(waiting);
  if (!safe) co_return safe.error();
  ++counts_.documents;
  document_ = *encoded;
  co_return Status{};
}

// A fifth of a kilobyte a node, which agents that are up to date never ask for.
asio::awaitable<Status> Feed::forget_document() {
  for (used_ = true; std::exchange(used_, false);) {
    asio::awaitable<bool> resting = rest(k_document_kept);
    const bool rested = co_await std::move(resting);
    if (!rested) break;
  }
  document_.reset();
  forgetting_ = false;
  co_return Status{};
}

void Feed::trim(std::uint64_t acknowledged) {
  std::uint64_t forgotten = std::min(acknowledged, told_);
  if (deps_.clock != nullptr) {
    const SteadyTime now = deps_.clock->steady();
    past_.emplace_back(now, told_);
    for (; now - past_.front().first >= k_remembered; past_.pop_front()) forgotten = std::max(forgotten, past_.front().second);
  }
  deps_.state.forget_history(forgotten);
}

}  // namespace slipway
