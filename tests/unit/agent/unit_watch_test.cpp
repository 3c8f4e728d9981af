#include "agent/service/unit_watch.hpp"

#include <catch2/catch.hpp>

#include "agent/service/status.hpp"
#include "tests/support/fake_supervisor.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

constexpr char k_kubelet[] = "kubelet.service";

struct FakeLog final : UnitLog {
  std::vector<std::string> lines = {"cannot load the configuration"};
  std::optional<Error> error;
  int reads = 0;
  Result<std::vector<std::string>> last_lines(const std::string&) override {
    ++reads;
    if (error) return *error;
    return lines;
  }
};

struct Watching {
  ManualClock clock;  // outlives the coroutines that sleep by it
  IoTest io;
  Workers workers{1};
  AgentState state;
  FakeSupervisor units;
  FakeLog log;
  UnitWatch watch{UnitWatch::Deps{units, clock, workers, state, log}};

  Watching() {
    PassReport pass;
    pass.installed = pass.configured = pass.network_ready = true;
    pass.components = {{"kubelet", "1.20.2", "", "", k_kubelet}};
    state.last_pass = pass;
    units.install(k_kubelet);
    REQUIRE(io.run(units.reload()));
    REQUIRE(io.run(units.start(k_kubelet)));
  }
  ~Watching() { workers.join(); }
  void look() { REQUIRE(io.run(watch.look(k_kubelet))); }
  void crash() {
    units.crash(k_kubelet, ExitKind::exited, 255);
    look();
  }
  proto::ComponentStatus reported() { return build_report(state).components.at(0); }
};

}  // namespace

TEST_CASE("a component that ends again and again is held back, and released when it runs well", "[agent][unit_watch]") {
  Watching world;
  world.look();
  CHECK(world.units.pauses[k_kubelet].count() == 0);
  const int told = world.units.count("pause kubelet.service 0");
  CHECK(told == 1);  // a pause that a former agent left behind is taken away
  for (int i = 0; i < 2; ++i) world.crash();
  CHECK(world.units.pauses[k_kubelet].count() == 0);
  world.crash();
  CHECK(world.units.pauses[k_kubelet].count() == 1);
  CHECK(world.state.notes[k_kubelet].pause.count() == 1);
  CHECK(world.reported().pause_seconds == 1);
  CHECK(world.reported().starts == 4);
  world.clock.advance(std::chrono::minutes(3));
  world.look();
  CHECK(world.units.pauses[k_kubelet].count() == 0);
  CHECK(world.reported().pause_seconds == 0);
}

TEST_CASE("a pause that somebody took away is back within five seconds", "[agent][unit_watch]") {
  Watching world;
  world.look();
  for (int i = 0; i < 3; ++i) world.crash();
  REQUIRE(world.units.pauses[k_kubelet].count() == 1);
  world.units.pauses.clear();
  world.state.report.take();
  const auto rounds = world.io.start(world.watch.run_rounds());
  world.io.poll();
  world.clock.advance(std::chrono::seconds(5));
  for (int i = 0; i < 5; ++i) world.io.poll();
  CHECK(world.units.pauses[k_kubelet].count() == 1);
  CHECK_FALSE(world.state.report.is_set());
}

TEST_CASE("an end is reported at once, with its reason and last words", "[agent][unit_watch]") {
  Watching world;
  world.look();
  world.state.report.take();
  CHECK(world.reported().ends.empty());
  CHECK(world.log.reads == 0);
  world.crash();
  CHECK(world.state.report.is_set());
  const proto::ComponentStatus status = world.reported();
  REQUIRE(status.ends.size() == 1);
  CHECK(status.ends[0].reason == "exited");
  CHECK(status.ends[0].exit_code == 255);
  CHECK(status.ends[0].signal.empty());
  CHECK(status.ends[0].lines == world.log.lines);
  world.state.report.take();
  world.look();  // nothing new
  CHECK(world.log.reads == 1);
  CHECK_FALSE(world.state.report.is_set());
}

TEST_CASE("three quick ends are a crash loop in the report that follows", "[agent][unit_watch]") {
  Watching world;
  ServiceFixture other;
  StatusReporter reporter({other.coordinator, world.units, world.clock, world.state, [](const proto::AgentLocalStatus&) { return Status{}; },
                           [](const std::string&) {}});
  REQUIRE(world.io.run(reporter.tick()));
  for (int i = 0; i < 3; ++i) world.crash();
  REQUIRE(world.io.run(reporter.tick()));
  const proto::ComponentStatus status = world.reported();
  CHECK(status.state == "crash-loop");
  CHECK(status.message == "3 restarts: exited with code 255");
  CHECK(status.since == to_rfc3339(world.clock.wall()));
  CHECK(status.ends.size() == 1);
}

TEST_CASE("a log that cannot be read, and a supervisor that is away, stop nothing", "[agent][unit_watch]") {
  Watching world;
  world.log.error = make_error(Errc::unavailable, "no journal");
  world.look();
  world.crash();
  CHECK(world.reported().ends.at(0).lines.empty());
  world.units.call_errors.emplace("pause kubelet.service 1", make_error(Errc::unavailable, "away"));
  world.units.crash(k_kubelet, ExitKind::exited, 255);
  world.units.crash(k_kubelet, ExitKind::exited, 255);
  CHECK_FALSE(world.io.run(world.watch.look(k_kubelet)));
  world.units.call_errors.clear();
  world.look();  // and is told when it is back
  CHECK(world.units.pauses[k_kubelet].count() == 1);
}

TEST_CASE("news of units wake the watcher, those that are no component's are passed over", "[agent][unit_watch]") {
  Watching world;
  const auto running = world.io.start(world.watch.run());
  world.io.poll();
  world.units.install("other.service");
  REQUIRE(world.io.run(world.units.reload()));
  world.units.tell("other.service");
  world.io.poll();
  CHECK(world.state.units.count("other.service") == 0);
  CHECK(world.state.units.count(k_kubelet) == 0);
  world.units.tell(k_kubelet);
  world.clock.advance(Millis(200));
  world.io.poll();
  CHECK(world.state.units.count(k_kubelet) == 1);
  CHECK_FALSE(running->done);
}

TEST_CASE("a component that somebody stopped asks for a pass, one that crashed does not", "[agent][unit_watch][drift]") {
  Watching world;
  world.look();
  world.state.reconcile.take();
  world.crash();
  CHECK_FALSE(world.state.reconcile.is_set());
  REQUIRE(world.io.run(world.units.start(k_kubelet)));
  world.look();
  CHECK_FALSE(world.state.reconcile.is_set());
  REQUIRE(world.io.run(world.units.stop(k_kubelet)));
  world.look();
  CHECK(world.state.reconcile.take());
  // Known by now.
  world.look();
  CHECK_FALSE(world.state.reconcile.is_set());
}
