// The agent's side of the feed: changes are taken over, kept and told as applied; what does not fit leads to the whole state.
#include <catch2/catch.hpp>

#include "agent/service/desired_sync.hpp"
#include "agent/service/status.hpp"
#include "common/async/spawn.hpp"
#include "proto/codec.hpp"
#include "proto/nodes_mark.hpp"
#include "tests/support/service_fixture.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

struct Rig {
  ServiceFixture world;
  std::optional<AgentLife> life;
  std::optional<DesiredSync> sync;

  Rig() { begin(); }
  // The process starts, again.
  void begin(int writes = 1 << 30) {
    sync.reset();
    life.emplace(world, writes);
    if (!life->state.identity) REQUIRE(life->attempt());
    sync.emplace(life->deps(), 1);
    REQUIRE(world.io.run(sync->load()));
  }
  // As it would be with so many nodes beside this one.
  proto::DesiredState state(std::uint64_t revision, int others) {
    proto::DesiredState state = world.coordinator.desired(revision);
    for (int i = 0; i < others; ++i) {
      const std::string n = std::to_string(100 + i);
      state.nodes.push_back({"z" + n, "uid-" + n, 1, "node", "10.77.1." + std::to_string(i), "10.10." + n + ".0/24"});
    }
    return state;
  }
  Status poll() { return world.io.run(sync->poll_once()); }
  const proto::DesiredState& held() const { return *life->state.desired; }
  const SyncPosition& asked() const { return world.coordinator.positions.back(); }
};

TEST_CASE("changes are taken over, kept beside the state and there again after a restart", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  CHECK_FALSE(rig.asked().takes_delta);  // it has nothing yet
  const auto whole = rig.life->store.desired().value();
  CHECK(whole->deltas.empty());

  rig.life->state.reconcile.take();
  rig.world.coordinator.publish(rig.state(2, 4));
  REQUIRE(rig.poll());
  CHECK(rig.asked().takes_delta);
  CHECK(rig.asked().revision == 1);
  CHECK(rig.held().revision == 2);
  CHECK(rig.held().nodes.size() == 5);
  CHECK(rig.life->state.reconcile.is_set());
  const auto kept = rig.life->store.desired().value();
  CHECK(kept->json == whole->json);  // not written again
  CHECK(kept->deltas.size() == 1);

  rig.world.coordinator.publish(rig.state(3, 2));
  REQUIRE(rig.poll());
  CHECK(rig.held().nodes.size() == 3);
  const auto before = rig.held().nodes;
  rig.begin();
  CHECK(rig.held().revision == 3);
  CHECK(rig.held().nodes == before);
  rig.world.coordinator.publish(rig.state(4, 2));
  REQUIRE(rig.poll());
  CHECK(rig.asked().takes_delta);
  CHECK(rig.asked().revision == 3);
}

TEST_CASE("many changes become one whole state on the disk", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  std::size_t most = 0;
  bool rewritten = false;
  for (std::uint64_t revision = 2; revision < 60 && !rewritten; ++revision) {
    proto::DesiredState state = rig.state(revision, 3);
    state.artifact_manifest = std::string(4000, static_cast<char>('a' + revision % 26));
    rig.world.coordinator.publish(state);
    REQUIRE(rig.poll());
    const auto kept = rig.life->store.desired().value();
    most = std::max(most, kept->deltas.size());
    rewritten = kept->revision > 1;
    if (rewritten) CHECK(kept->deltas.empty());
    if (rewritten) CHECK(kept->revision == revision);
  }
  CHECK(rewritten);
  CHECK(most > 3);
  const auto before = rig.held();
  rig.begin();
  CHECK(rig.held().revision == before.revision);
  CHECK(rig.held().nodes == before.nodes);
  CHECK(rig.held().artifact_manifest == before.artifact_manifest);
  CHECK(rig.held().form == before.form);
}

TEST_CASE("changes that do not fit are not acted on, and the whole state is asked for", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  // As after a fault of either side: one that should be there is not.
  rig.life->state.desired->nodes.pop_back();
  rig.world.coordinator.publish(rig.state(2, 4));
  const Status refused = rig.poll();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(rig.held().revision == 1);
  CHECK(rig.life->store.desired().value()->deltas.empty());
  REQUIRE(rig.poll());
  CHECK_FALSE(rig.asked().takes_delta);
  CHECK(rig.asked().revision == 0);
  CHECK(rig.held().revision == 2);
  CHECK(rig.held().nodes.size() == 5);
  rig.world.coordinator.publish(rig.state(3, 5));
  REQUIRE(rig.poll());
  CHECK(rig.asked().takes_delta);
  CHECK(rig.held().revision == 3);
}

TEST_CASE("an older form of the state is replaced by a whole one", "[agent][sync][feed]") {
  Rig rig;
  const std::string old = proto::encode(rig.state(1, 3));  // of a coordinator that told no form
  rig.world.coordinator.states.push_back(old);
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  rig.world.coordinator.publish(rig.state(2, 3));
  REQUIRE(rig.poll());
  CHECK(rig.held().revision == 2);
  rig.world.coordinator.publish(rig.state(3, 3));
  REQUIRE(rig.poll());
  CHECK(rig.asked().revision == 0);
  CHECK(rig.held().form == proto::k_desired_form);
}

TEST_CASE("a state that lacks most nodes is believed when it was told three times in a row", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.publish(rig.state(7, 9));
  REQUIRE(rig.poll());
  auto halved = rig.state(3, 2);
  halved.epoch = "e2";
  rig.world.coordinator.publish(halved);
  for (int i = 0; i < 2; ++i) {
    const Status refused = rig.poll();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("lacks most of the nodes") != std::string::npos);
    CHECK(rig.held().nodes.size() == 10);
    CHECK(rig.life->store.desired().value()->epoch == "e1");
  }
  SECTION("the third time") {
    REQUIRE(rig.poll());
    CHECK(rig.held().epoch == "e2");
    CHECK(rig.held().nodes.size() == 3);
  }
  SECTION("the old state in between begins the count anew") {
    auto back = rig.state(8, 9);
    rig.world.coordinator.publish(back);
    REQUIRE(rig.poll());
    CHECK(rig.held().revision == 8);
    rig.world.coordinator.publish(halved);
    CHECK_FALSE(rig.poll());
    CHECK_FALSE(rig.poll());
    CHECK(rig.poll());
  }
}

TEST_CASE("a cut document is refused", "[agent][sync][feed]") {
  Rig rig;
  auto state = rig.state(1, 5);
  const proto::NodesMark mark = proto::mark_of(state.nodes);
  state.node_count = mark.count;
  state.nodes_hash = mark.hash();
  state.nodes.pop_back();
  rig.world.coordinator.states.push_back(proto::encode(state));
  CHECK(rig.poll().error().code == Errc::corrupt);
  CHECK_FALSE(rig.life->state.desired);
}

TEST_CASE("a change that cannot be kept is not acted on, and none is lost by it", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  rig.begin(0);  // the disk is full
  rig.world.coordinator.publish(rig.state(2, 4));
  CHECK_FALSE(rig.poll());
  CHECK(rig.held().revision == 1);
  rig.begin();
  CHECK(rig.held().revision == 1);
  REQUIRE(rig.poll());
  CHECK(rig.held().revision == 2);
}

TEST_CASE("the next question tells that the kernel has the routes, and then no report needs to", "[agent][sync][feed]") {
  Rig rig;
  AgentState& state = rig.life->state;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  PassReport pass;
  pass.revision = 1;
  pass.peers_applied = true;
  state.last_pass = pass;
  UnitWorld units(rig.world.dir.path());
  StatusReporter reporter({rig.world.coordinator, units, rig.world.clock, state, [](const proto::AgentLocalStatus&) { return Status{}; }, [](const std::string&) {}});
  const auto reported = [&] { return rig.world.coordinator.reports.back().applied_revision; };
  REQUIRE(rig.world.io.run(reporter.tick()));
  CHECK(reported() == 1);  // nobody else has told of it
  state.routes = {"e1", 1};
  REQUIRE(rig.poll());
  CHECK(rig.asked().applied == 1);
  REQUIRE(rig.world.io.run(reporter.tick()));
  CHECK(reported() == 0);
  const std::size_t before = rig.world.coordinator.reports.size();
  REQUIRE(rig.world.io.run(reporter.tick()));
  CHECK(rig.world.coordinator.reports.size() == before);  // the same again, and lately
  rig.world.clock.advance(std::chrono::seconds(10));
  REQUIRE(rig.world.io.run(reporter.tick()));
  CHECK(rig.world.coordinator.reports.size() == before + 1);
  // Of another epoch it says nothing.
  state.routes = {"e0", 9};
  REQUIRE(rig.poll());
  CHECK(rig.asked().applied == 0);
}

TEST_CASE("after news the agent asks again when the kernel has it, and not before the pace is over", "[agent][sync][feed]") {
  Rig rig;
  rig.world.coordinator.waits = true;
  rig.world.coordinator.publish(rig.state(1, 3));
  REQUIRE(rig.poll());
  TaskGroup group(rig.world.io.executor());
  proto::DesiredDelta delta = delta_between(rig.state(1, 3), rig.state(2, 4));
  delta.pace_ms = 5'000;
  rig.world.coordinator.deltas.push_back(proto::encode(delta));
  const std::size_t before = rig.world.coordinator.positions.size();
  group.spawn("sync", rig.sync->run());
  const auto until = [&](const auto& there) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!there() && std::chrono::steady_clock::now() < deadline) rig.world.io.poll();
    REQUIRE(there());
  };
  until([&] { return rig.held().revision == 2; });
  rig.life->state.routes = {"e1", 2};
  rig.life->state.routes_news.set();
  until([&] { return rig.world.clock.next_wake().has_value(); });
  CHECK(rig.world.coordinator.positions.size() == before + 1);
  CHECK(*rig.world.clock.next_wake() > Millis(4'000));
  rig.world.clock.advance(*rig.world.clock.next_wake());
  until([&] { return rig.world.coordinator.positions.size() == before + 2; });
  CHECK(rig.asked().revision == 2);
  CHECK(rig.asked().applied == 2);
  group.cancel();
  (void)rig.world.io.run(group.wait());
}

}  // namespace
}  // namespace slipway::test
