#include "agent/service/liveness.hpp"

#include <catch2/catch.hpp>

#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

using namespace slipway;
using namespace slipway::test;
using std::chrono::seconds;

namespace {

UnitStatus running(const std::string& invocation) {
  UnitStatus unit;
  unit.active = UnitActivity::active;
  unit.main_pid = 7;
  unit.invocation = invocation;
  return unit;
}

const Status k_well;
const Status k_ill = make_error(Errc::timeout, "no answer within 5 s");

boost::asio::awaitable<Status> answer_with(const Status* answer, int* asked) {
  ++*asked;
  co_return *answer;
}

struct LivenessWorld {
  LivenessWorld() {
    PassReport pass;
    ComponentOutcome kubelet{"kubelet", "1.20.2", "", "", "kubelet.service", HealthProbe{HealthProbe::Kind::http, "127.0.0.1", 10248, "/healthz", "", ""}};
    ComponentOutcome cni{"cni", "1.1.1", "", "", "", std::nullopt};
    pass.components = {kubelet, cni};
    state.last_pass = pass;
    state.units["kubelet.service"] = running("a");
  }
  void round() { REQUIRE(io.run(keeper.round())); }

  IoTest io;
  ManualClock clock;
  AgentState state;
  Status answer;
  int asked = 0;
  LivenessKeeper keeper{{clock, state, [this](HealthProbe) { return answer_with(&answer, &asked); }}};
};

}  // namespace

TEST_CASE("an illness is several bad answers in a row, after a time of grace", "[agent][liveness]") {
  LivenessWatch watch(LivenessLimits{3, seconds(60)});
  LivenessWatch::Instant now{};
  const UnitStatus unit = running("a");
  CHECK_FALSE(watch.asks(unit, now));
  now += seconds(59);
  CHECK_FALSE(watch.asks(unit, now));
  now += seconds(1);
  CHECK(watch.asks(unit, now));
  CHECK_FALSE(watch.observe(k_ill, now));
  CHECK_FALSE(watch.observe(k_ill, now));
  CHECK_FALSE(watch.observe(k_well, now));
  CHECK_FALSE(watch.observe(k_ill, now));
  CHECK_FALSE(watch.observe(k_ill, now));
  const auto verdict = watch.observe(k_ill, now);
  REQUIRE(verdict);
  CHECK(verdict->find("no answer within 5 s") != std::string::npos);
}

TEST_CASE("starting anew that does not help is tried ever more rarely, until it is well", "[agent][liveness]") {
  LivenessWatch watch(LivenessLimits{1, seconds(60)});
  LivenessWatch::Instant now{};
  int start = 0;
  CHECK_FALSE(watch.asks(running("0"), now));
  for (const int minutes : {1, 2, 4, 8, 16, 16}) {
    now += std::chrono::minutes(minutes) - seconds(1);
    CHECK_FALSE(watch.asks(running(std::to_string(start)), now));
    now += seconds(1);
    CHECK(watch.asks(running(std::to_string(start)), now));
    REQUIRE(watch.observe(k_ill, now));
    ++start;
    CHECK_FALSE(watch.asks(running(std::to_string(start)), now));
  }
  now += std::chrono::minutes(16);
  REQUIRE(watch.asks(running(std::to_string(start)), now));
  CHECK_FALSE(watch.observe(k_well, now));
  REQUIRE(watch.observe(k_ill, now));
  CHECK_FALSE(watch.asks(running("z"), now));
  now += std::chrono::minutes(2);
  CHECK(watch.asks(running("z"), now));
}

TEST_CASE("who does not run is not asked", "[agent][liveness]") {
  LivenessWatch watch(LivenessLimits{1, seconds(0)});
  UnitStatus unit = running("a");
  CHECK(watch.asks(unit, {}));
  unit.main_pid = 0;
  CHECK_FALSE(watch.asks(unit, {}));
  unit = running("a");
  unit.active = UnitActivity::activating;
  CHECK_FALSE(watch.asks(unit, {}));
}

TEST_CASE("the keeper names the process that is ill, and wakes the reconciler", "[agent][liveness]") {
  LivenessWorld w;
  w.round();
  CHECK(w.asked == 0);
  w.clock.advance(seconds(60));
  w.answer = k_ill;
  w.round();
  w.round();
  CHECK(w.state.ill.empty());
  CHECK_FALSE(w.state.reconcile.is_set());
  w.round();
  CHECK(w.asked == 3);
  REQUIRE(w.state.ill.count("kubelet.service") == 1);
  CHECK(w.state.ill["kubelet.service"].invocation == "a");
  CHECK(w.state.reconcile.is_set());
}

TEST_CASE("the control plane has more patience: it waits for others", "[agent][liveness]") {
  LivenessWorld w;
  w.state.last_pass->components[0].probe->kind = HealthProbe::Kind::https;
  w.round();
  w.clock.advance(seconds(60));
  w.answer = k_ill;
  for (int i = 0; i < 7; ++i) w.round();
  CHECK(w.state.ill.empty());
  w.round();
  CHECK(w.state.ill.count("kubelet.service") == 1);
}
