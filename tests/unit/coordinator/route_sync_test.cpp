#include "coordinator/service/route_sync.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/cancelable.hpp"
#include "tests/support/fake_route_hook.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::test {
namespace {

OutsideRoute route(int node) {
  const std::string number = std::to_string(node);
  return {*Cidr::parse("10.10." + number + ".0/24"), *IpAddress::parse("10.77.0." + number), "n" + number};
}

struct Rig {
  IoTest io;
  ManualClock clock;
  FakeRouteHook hook;
  MemoryRouteNotes notes;
  std::vector<OutsideRoute> wanted;
  RouteSync sync{RouteSyncDeps{io.executor(), clock, hook, notes, [this] { return wanted; }, 4, Millis(60'000), 7}};

  Status pass() { return io.run(sync.pass()); }
};

}  // namespace

TEST_CASE("routes outside follow the nodes") {
  Rig rig;
  rig.wanted = {route(1), route(2)};
  REQUIRE(rig.pass());
  CHECK(rig.hook.table.size() == 2);
  CHECK(rig.sync.route_count() == 2);
  CHECK(rig.notes.kept.size() == 2);
  rig.wanted = {route(2)};
  REQUIRE(rig.pass());
  CHECK(rig.hook.table.size() == 1);
  CHECK(rig.notes.kept.size() == 1);
  const std::size_t calls = rig.hook.calls.size(), saves = rig.notes.saves;
  REQUIRE(rig.pass());
  CHECK(rig.hook.calls.size() == calls);
  CHECK(rig.notes.saves == saves);
}

TEST_CASE("a route is noted as ours before it is set") {
  Rig rig;
  rig.wanted = {route(1)};
  rig.notes.save_fails = make_error(Errc::exhausted, "disk full");
  const Status passed = rig.pass();
  REQUIRE_FALSE(passed);
  CHECK(passed.error().message.find("noting which routes are ours") != std::string::npos);
  CHECK(rig.hook.calls.empty());
}

TEST_CASE("a failing route stops no other and is tried again after a pause") {
  Rig rig;
  rig.wanted = {route(1), route(2), route(3)};
  rig.hook.failing[route(2).destination] = "quota exceeded";
  REQUIRE(rig.pass());
  CHECK(rig.hook.table.size() == 2);
  REQUIRE(rig.sync.trouble().size() == 1);
  CHECK(rig.sync.trouble()[0].node == "n2");
  CHECK(rig.sync.trouble()[0].what.find("10.10.2.0/24 via 10.77.0.2 was not set: quota exceeded") != std::string::npos);
  const std::size_t calls = rig.hook.calls.size();
  REQUIRE(rig.pass());
  CHECK(rig.hook.calls.size() == calls);  // not yet
  rig.clock.advance(Millis(1'000));
  rig.hook.failing.clear();
  REQUIRE(rig.pass());
  CHECK(rig.hook.table.size() == 3);
  CHECK(rig.sync.trouble().empty());
  CHECK(rig.sync.route_count() == 3);
}

TEST_CASE("pauses between tries of one route grow to five minutes") {
  Rig rig;
  rig.wanted = {route(1)};
  rig.hook.failing[route(1).destination] = "no";
  // Three hours of a hook that never works, looked at each second.
  for (int second = 0; second < 3 * 3600; ++second) {
    REQUIRE(rig.pass());
    rig.clock.advance(Millis(1'000));
  }
  // Nine tries until the pause is five minutes, then one each two and a half to five.
  CHECK(rig.hook.calls.size() > 40);
  CHECK(rig.hook.calls.size() < 90);
}

TEST_CASE("the hook is called so often at once as it may be, and no more") {
  Rig rig;
  for (int i = 1; i <= 20; ++i) rig.wanted.push_back(route(i));
  rig.hook.held = true;
  const auto passing = rig.io.start(rig.sync.pass());
  rig.io.poll();
  CHECK(rig.hook.running == 4);
  rig.hook.release();
  rig.io.poll();
  REQUIRE(passing->done);
  CHECK(rig.hook.most_running == 4);
  CHECK(rig.hook.table.size() == 20);
}

TEST_CASE("what cannot be listed is not changed") {
  Rig rig;
  rig.wanted = {route(1)};
  rig.hook.list_fails = make_error(Errc::unavailable, "exit code 1: no credentials");
  const Status passed = rig.pass();
  REQUIRE_FALSE(passed);
  CHECK(passed.error().message.find("no credentials") != std::string::npos);
  CHECK(rig.hook.calls.empty());
}

TEST_CASE("after a kill between setting and noting nothing of ours is left behind") {
  Rig rig;
  rig.wanted = {route(1)};
  rig.hook.held = true;
  {
    Cancelable<void> passing(rig.io, rig.sync.pass());
    rig.io.poll();
    REQUIRE(rig.hook.running == 1);
    REQUIRE(rig.notes.kept.size() == 1);
  }
  // The route came to be all the same, and the node went meanwhile.
  rig.hook.held = false;
  rig.hook.table[route(1).destination] = route(1).next_hop;
  rig.wanted.clear();
  RouteSync next(RouteSyncDeps{rig.io.executor(), rig.clock, rig.hook, rig.notes, [&rig] { return rig.wanted; }, 4, Millis(60'000), 7});
  REQUIRE(rig.io.run(next.pass()));
  CHECK(rig.hook.table.empty());
}

TEST_CASE("routes of others are named as in the way") {
  Rig rig;
  rig.wanted = {route(1)};
  rig.hook.table[route(1).destination] = *IpAddress::parse("10.77.0.99");
  REQUIRE(rig.pass());
  REQUIRE(rig.sync.trouble().size() == 1);
  CHECK(rig.sync.trouble()[0].what.find("leads to 10.77.0.99 there, and that is not ours") != std::string::npos);
  CHECK(rig.sync.route_count() == 0);
  CHECK(rig.hook.calls.empty());
}

}  // namespace slipway::test
