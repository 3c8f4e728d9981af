#include "agent/service/liveness.hpp"

#include <utility>
#include <vector>

#include "agent/service/rounds.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_period{10'000};
// The control plane's health depends on others: an API server is ill while etcd is, and starting it anew would not help. kubeadm's probes too
// wait for eight answers.
constexpr int k_control_plane_failures = 8;

struct Question {
  std::string unit;
  HealthProbe probe;
};

std::vector<Question> questions_of(const AgentState& state) {
  std::vector<Question> questions;
  if (!state.last_pass) return questions;
  for (const ComponentOutcome& outcome : state.last_pass->components) {
    if (!outcome.unit.empty() && outcome.probe) questions.push_back({outcome.unit, *outcome.probe});
  }
  return questions;
}

LivenessWatch watch_for(const HealthProbe& probe) {
  LivenessLimits limits;
  if (probe.kind == HealthProbe::Kind::https) limits.failures = k_control_plane_failures;
  return LivenessWatch(limits);
}

}  // namespace

asio::awaitable<Status> LivenessKeeper::round() {
  const std::vector<Question> questions = questions_of(deps_.state);
  for (const Question& question : questions) {
    const auto unit = deps_.state.units.find(question.unit);
    LivenessWatch& watch = watches_.try_emplace(question.unit, watch_for(question.probe)).first->second;
    if (unit == deps_.state.units.end() || !watch.asks(unit->second, deps_.clock.steady())) continue;
    const std::string invocation = unit->second.invocation;
    asio::awaitable<Status> asking = deps_.probe(question.probe);
    const Status answer = co_await std::move(asking);
    if (!answer && answer.error().code == Errc::canceled) co_return answer.error();
    // Another process by now: the answer says nothing of it.
    const auto after = deps_.state.units.find(question.unit);
    if (after == deps_.state.units.end() || after->second.invocation != invocation) continue;
    const auto verdict = watch.observe(answer, deps_.clock.steady());
    if (!verdict) continue;
    log::warning("a component is ill", {{"unit", question.unit}, {"why", *verdict}});
    deps_.state.ill[question.unit] = {invocation, *verdict};
    deps_.state.reconcile.set();
  }
  co_return Status{};
}

asio::awaitable<Status> LivenessKeeper::run() {
  for (;;) {
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(until_round(deps_.clock.steady(), k_period));
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
    asio::awaitable<Status> asking = round();
    if (const Status asked = co_await std::move(asking); !asked) co_return asked.error();
  }
}

}  // namespace slipway
