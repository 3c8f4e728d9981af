#include "coordinator/service/node_drain.hpp"

#include <utility>

namespace slipway {

namespace {

constexpr Millis k_patience{10'000};  // for others' turns
constexpr Millis k_step{15'000};      // an operator's tool waits 30 s for an answer

enum class Fate { stays, ending, kept, goes };

Fate fate_of(const KubePod& pod, bool force) {
  if (pod.mirror || (pod.controller == "DaemonSet" && !pod.finished)) return Fate::stays;
  if (pod.ending) return Fate::ending;
  if (pod.controller.empty() && !pod.finished && !force) return Fate::kept;
  return Fate::goes;
}

proto::DrainPod left(const KubePod& pod, std::string state, std::string reason) {
  return {pod.name_space, pod.name, std::move(state), std::move(reason)};
}

}  // namespace

class NodeDrain::Turn {
 public:
  explicit Turn(std::shared_ptr<Turns> turns) : turns_(std::move(turns)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    turns_->taken = false;
    turns_->freed.notify();
  }

 private:
  std::shared_ptr<Turns> turns_;
};

NodeDrain::NodeDrain(KubeApi& nodes, KubePods& pods, const Clock& clock) : nodes_(nodes), pods_(pods), clock_(clock) {}

// On success the caller makes a Turn at once.
boost::asio::awaitable<Status> NodeDrain::take_turn() {
  const std::shared_ptr<Turns> turns = turns_;
  const SteadyTime until = clock_.steady() + k_patience;
  while (turns->taken) {
    const auto patience = std::chrono::ceil<Millis>(until - clock_.steady());
    if (patience <= Millis(0)) co_return make_error(Errc::unavailable, "other drains keep kube-apiserver busy: try again");
    boost::asio::awaitable<bool> waiting = turns->freed.wait(patience);
    co_await std::move(waiting);
  }
  turns->taken = true;
  co_return Status{};
}

boost::asio::awaitable<Status> NodeDrain::set_unschedulable(std::string name, bool unschedulable) {
  boost::asio::awaitable<Status> queueing = take_turn();
  const Status mine = co_await std::move(queueing);
  if (!mine) co_return mine;
  const Turn turn(turns_);
  boost::asio::awaitable<Status> setting = nodes_.set_unschedulable(std::move(name), unschedulable);
  co_return co_await std::move(setting);
}

boost::asio::awaitable<Result<DrainStep>> NodeDrain::step(std::string name, bool force) {
  boost::asio::awaitable<Status> queueing = take_turn();
  const Status mine = co_await std::move(queueing);
  if (!mine) co_return mine.error();
  const Turn turn(turns_);
  boost::asio::awaitable<Result<DrainStep>> looking = look_and_evict(std::move(name), force);
  co_return co_await std::move(looking);
}

boost::asio::awaitable<Result<DrainStep>> NodeDrain::look_and_evict(std::string name, bool force) {
  const SteadyTime until = clock_.steady() + k_step;
  boost::asio::awaitable<Result<std::vector<KubePod>>> listing = pods_.list_pods(name);
  const auto pods = co_await std::move(listing);
  if (!pods) co_return error_of(pods, "listing the pods of node " + name);
  DrainStep step;
  step.report.node = name;
  for (const KubePod& pod : *pods) {
    const Fate fate = fate_of(pod, force);
    if (fate == Fate::stays) {
      ++step.report.staying;
    } else if (fate == Fate::ending) {
      step.report.pods.push_back(left(pod, "ending", "it is ending"));
    } else if (fate == Fate::kept) {
      step.report.pods.push_back(left(pod, "kept", "nothing would make it anew elsewhere: --force evicts it for good"));
    } else if (clock_.steady() >= until) {
      step.report.pods.push_back(left(pod, "waiting", "it is asked in the next step"));
    } else {
      boost::asio::awaitable<Result<proto::DrainPod>> evicting = evict(pod);
      auto asked = co_await std::move(evicting);
      if (!asked) co_return error_of(asked, "evicting pod " + pod.name_space + "/" + pod.name);
      if (asked->state == "ending") step.evicted.push_back(pod.name_space + "/" + pod.name);
      step.report.pods.push_back(std::move(*asked));
    }
  }
  step.report.evicted = step.evicted.size();
  step.report.done = step.report.pods.empty();
  co_return step;
}

// An error when it would be the same for all other pods.
boost::asio::awaitable<Result<proto::DrainPod>> NodeDrain::evict(KubePod pod) {
  boost::asio::awaitable<Status> asking = pods_.evict_pod(pod);
  const Status asked = co_await std::move(asking);
  if (asked) co_return left(pod, "ending", "it was asked to go");
  const Error& error = asked.error();
  if (error.code == Errc::too_many) co_return left(pod, "blocked", error.message);
  const bool of_all = error.code == Errc::unavailable || error.code == Errc::timeout || error.code == Errc::canceled;
  if (of_all) co_return error;
  co_return left(pod, "waiting", error.message);
}

}  // namespace slipway
