#include <catch2/catch.hpp>

#include <thread>

#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/reconcile_plan.hpp"
#include "agent/service/desired_sync.hpp"
#include "agent/service/status.hpp"
#include "common/async/spawn.hpp"
#include "common/log/sink.hpp"
#include "proto/codec.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("a desired state is kept, acted on, and there again after a restart without coordinator",
          "[agent][sync]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  DesiredSync sync(life.deps(), 1);
  life.state.reconcile.take();
  world.coordinator.states.push_back(
      std::optional<std::string>(proto::encode(world.coordinator.desired(42))));
  REQUIRE(world.io.run(sync.poll_once()));
  CHECK(life.state.desired->revision == 42);
  CHECK(life.state.reconcile.is_set());
  CHECK(life.state.network_news.is_set());  // a pass may be under way for minutes
  REQUIRE(world.io.run(sync.poll_once()));
  CHECK(world.coordinator.positions.back().revision == 42);
  CHECK(world.coordinator.positions.back().epoch == "e1");

  AgentLife next(world);
  DesiredSync after(next.deps(), 1);
  REQUIRE(world.io.run(after.load()));
  CHECK(next.state.desired->revision == 42);
  CHECK(next.state.desired->nodes == life.state.desired->nodes);
}

TEST_CASE("a state without this node, or that cannot be read, changes nothing", "[agent][sync]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  DesiredSync sync(life.deps(), 1);
  world.coordinator.states.push_back(std::optional<std::string>(proto::encode(world.coordinator.desired(1))));
  REQUIRE(world.io.run(sync.poll_once()));
  auto empty = world.coordinator.desired(2);
  empty.nodes.clear();
  world.coordinator.states.push_back(std::optional<std::string>(proto::encode(empty)));
  world.coordinator.states.push_back(std::optional<std::string>("{\"epoch\": 1}"));
  CHECK_FALSE(world.io.run(sync.poll_once()));
  CHECK_FALSE(world.io.run(sync.poll_once()));
  CHECK(life.state.desired->revision == 1);
}

TEST_CASE("a state that goes back within its epoch is refused, a new epoch is followed", "[agent][sync][bundle_rollback]") {
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  DesiredSync sync(life.deps(), 1);
  const auto give = [&](const proto::DesiredState& state) {
    world.coordinator.states.push_back(std::optional<std::string>(proto::encode(state)));
    return world.io.run(sync.poll_once());
  };
  REQUIRE(give(world.coordinator.desired(7)));
  const Status back = give(world.coordinator.desired(6));
  REQUIRE_FALSE(back);
  CHECK(back.error().message.find("revision 6 after 7") != std::string::npos);
  CHECK(life.state.desired->revision == 7);
  CHECK(life.store.desired().value()->revision == 7);
  auto restored = world.coordinator.desired(3);
  restored.epoch = "e2";
  REQUIRE(give(restored));
  CHECK(life.state.desired->revision == 3);
}

namespace {

std::vector<std::string> g_told;

bool take(const log::Record& record) {
  g_told.emplace_back(record.line);
  return true;
}

}  // namespace

TEST_CASE("deleted at the coordinator: reported, and nothing is forgotten", "[agent][sync]") {
  REQUIRE(log::setup("slipway-agent", "warning"));
  g_told.clear();
  log::set_sink(take);
  ServiceFixture world;
  AgentLife life(world);
  REQUIRE(life.attempt());
  DesiredSync sync(life.deps(), 1);
  world.coordinator.states.push_back(std::optional<std::string>(proto::encode(world.coordinator.desired(1))));
  world.coordinator.states.push_back(make_error(Errc::gone, "this node was deleted"));
  TaskGroup group(world.io.executor());
  group.spawn("sync", sync.run());
  // The state is written on a worker: as many rounds as that takes, and a limit far beyond it.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!life.state.removed && std::chrono::steady_clock::now() < deadline) {
    world.io.poll();
    if (const auto wake = world.clock.next_wake(); wake && !life.state.removed) world.clock.advance(*wake);
    std::this_thread::yield();
  }
  log::set_sink(nullptr);
  CHECK(life.state.removed);
  // The ledger of what was changed here lies in the data directory: it is to be undone, not removed.
  REQUIRE(g_told.size() == 1);
  CHECK(g_told[0].find(k_join_anew) != std::string::npos);
  CHECK(build_report(life.state).phase == "Removed");
  CHECK(world.clock.next_wake() >= Millis(299'000));
  CHECK(life.store.identity()->has_value());
  CHECK(life.state.desired->revision == 1);
  group.cancel();
  CHECK(world.io.run(group.wait()));
}

TEST_CASE("the report says what there is to know, a coordinator that is away disturbs nothing",
          "[agent][status]") {
  ServiceFixture world;
  AgentLife life(world);
  UnitWorld units(world.dir.path());
  std::vector<proto::AgentLocalStatus> written;
  std::vector<std::string> lines;
  StatusReporter reporter({world.coordinator, units, world.clock, life.state,
                           [&](const proto::AgentLocalStatus& status) {
                             written.push_back(status);
                             return Status{};
                           },
                           [&](const std::string& line) { lines.push_back(line); }});
  life.state.join_message = "no token";
  REQUIRE(world.io.run(reporter.tick()));
  CHECK(world.coordinator.reports.empty());  // nobody to report as
  REQUIRE(written.size() == 1);
  CHECK_FALSE(written[0].joined);
  CHECK(written[0].report.phase == "Joining");
  CHECK(written[0].message == "no token");

  REQUIRE(life.attempt());
  PassReport pass;
  pass.installed = pass.configured = pass.network_ready = pass.peers_applied = true;
  pass.revision = 9;
  pass.components = {{"kubelet", "1.20.2", "", "", "kubelet.service"}, {"cni-plugins", "1.1.1", "", "", ""}};
  life.state.last_pass = pass;
  put_file(world.dir / "kubelet.service", "[Service]\n");
  (void)world.io.run(units.start("kubelet.service")).has_value();
  (void)world.io.run(units.reload()).has_value();
  REQUIRE(world.io.run(reporter.tick()));
  REQUIRE(world.coordinator.reports.size() == 1);
  const proto::NodeStatusReport& report = world.coordinator.reports[0];
  CHECK(report.phase == "Running");
  CHECK(report.applied_revision == 9);
  REQUIRE(report.components.size() == 2);
  CHECK(report.components[0].state == "running");
  CHECK(report.components[0].pid == 101);

  units.units["kubelet.service"].status.active = UnitActivity::failed;
  life.state.reconcile.take();
  world.coordinator.report_error = make_error(Errc::unavailable, "away");
  CHECK_FALSE(world.io.run(reporter.tick()));
  CHECK(written.back().report.phase == "Degraded");
  CHECK(written.back().report.components[0].state == "failed");
  CHECK(life.state.reconcile.is_set());
  CHECK(lines.size() == 3);
}

TEST_CASE("systemd is asked about a unit only when another process runs in it", "[agent][status]") {
  UnitStatus known;
  known.active = UnitActivity::active;
  known.main_pid = 7;
  known.invocation = "aa11";
  using namespace std::string_view_literals;
  CHECK(is_same_start(known, "PATH=/bin\0INVOCATION_ID=aa11\0X=y\0"sv));
  CHECK_FALSE(is_same_start(known, "PATH=/bin\0INVOCATION_ID=bb22\0"sv));
  CHECK_FALSE(is_same_start(known, "PATH=/bin\0"sv));
  known.active = UnitActivity::failed;
  CHECK_FALSE(is_same_start(known, "INVOCATION_ID=aa11\0"sv));

  ServiceFixture world;
  AgentLife life(world);
  UnitWorld units(world.dir.path());
  REQUIRE(life.attempt());
  std::string environment = "INVOCATION_ID=aa11";
  StatusReporter reporter({world.coordinator, units, world.clock, life.state, [](const proto::AgentLocalStatus&) { return Status{}; },
                           [](const std::string&) {}, [&](std::int32_t) { return Result<std::string>(environment); }});
  PassReport pass;
  pass.components = {{"kubelet", "1.20.2", "", "", "kubelet.service"}};
  life.state.last_pass = pass;
  (void)world.io.run(units.start("kubelet.service")).has_value();
  units.units["kubelet.service"].status.invocation = "aa11";
  REQUIRE(world.io.run(reporter.tick()));
  const std::uint32_t before = life.state.units["kubelet.service"].restarts;
  units.units["kubelet.service"].status.restarts = before + 5;  // unseen as long as the process is the same
  REQUIRE(world.io.run(reporter.tick()));
  CHECK(life.state.units["kubelet.service"].restarts == before);
  environment = "INVOCATION_ID=bb22";
  world.clock.advance(std::chrono::seconds(30));  // should systemd not tell by itself, it is seen in the third round
  REQUIRE(world.io.run(reporter.tick()));
  CHECK(life.state.units["kubelet.service"].restarts == before + 5);
}

TEST_CASE("routes that come while the agent runs are reported, looked at once a minute", "[agent][status]") {
  ServiceFixture world;
  AgentLife life(world);
  UnitWorld units(world.dir.path());
  REQUIRE(life.attempt());
  life.state.last_pass = PassReport{};
  Result<std::vector<std::string>> routes = std::vector<std::string>{"172.17.0.0/16 dev docker0"};
  int looks = 0;
  StatusReporter reporter({world.coordinator, units, world.clock, life.state, [](const proto::AgentLocalStatus&) { return Status{}; }, [](const std::string&) {}, {},
                           [&] {
                             ++looks;
                             return routes;
                           }});
  REQUIRE(world.io.run(reporter.tick()));
  REQUIRE(world.io.run(reporter.tick()));
  CHECK(looks == 1);
  CHECK(world.coordinator.reports.back().facts.host_routes == *routes);
  routes = make_error(Errc::internal, "unreadable");
  world.clock.advance(std::chrono::minutes(1));
  REQUIRE(world.io.run(reporter.tick()));
  CHECK(looks == 2);
  CHECK(world.coordinator.reports.back().facts.host_routes.size() == 1);
}
