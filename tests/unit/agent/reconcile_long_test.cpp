// Passes that wait for long, and the network that does not wait for them.
#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/cancelable.hpp"
#include "tests/unit/agent/reconcile_world.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

// A node that stands, and a pass that waits for the download of a new docker, beside the task that looks after the network.
struct LongPass {
  explicit LongPass(ReconcileWorld& world) : w(world), network(w.world.io, w.reconciler->run_network()) {
    w.component("docker").artifact->sha256 = std::string(64, 'c');
    w.life->state.desired = w.desired;
    w.slow.on = true;
    passing = w.world.io.start(w.reconciler->pass());
    poll_until(w.world.io, [this] { return w.slow.reached; });
  }
  ~LongPass() { (void)network.cancel(); }
  void after(Millis time) {
    w.world.clock.advance(time);
    w.world.io.poll();
  }
  PassReport end() {
    w.slow.on = false;
    w.slow.end.notify();
    poll_until(w.world.io, [this] { return passing->done; });
    return *passing->value;
  }
  // Where the other node's pods are reached.
  std::string way() const {
    for (const MarkedRoute& route : w.network->state().routes)
      if (route.gateway) return route.gateway->to_string();
    return "";
  }

  ReconcileWorld& w;
  Cancelable<void> network;
  std::shared_ptr<IoTest::Outcome<PassReport>> passing;
};

}  // namespace

TEST_CASE("a download that does not end holds up no route of a peer that moves", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  LongPass pass(w);
  REQUIRE(pass.way() == "10.77.0.14");
  w.desired.nodes.back().address = "10.77.0.15";
  w.desired.revision = 6;
  w.life->state.desired = w.desired;
  w.life->state.network_news.set();
  w.world.io.poll();
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.15");
  CHECK(w.life->state.routes.revision == 6);
  CHECK_FALSE(w.life->state.drift);
  CHECK(w.life->state.reconcile.is_set());  // for what hangs on it
  REQUIRE_FALSE(pass.passing->done);
  // The pass is about the revision before, and starts docker anew: it looks at the network once more.
  const PassReport report = pass.end();
  CHECK(report.clean());
  CHECK(report.revision == 5);
  CHECK(report.drifted.empty());
  CHECK(pass.way() == "10.77.0.15");
}

TEST_CASE("a download that does not end holds up no route that a flap of the link took", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  LongPass pass(w);
  w.network->set_link_up(false);
  w.network->set_link_up(true);
  REQUIRE(pass.way().empty());
  w.life->state.network_news.set();
  w.world.io.poll();
  CHECK(pass.way().empty());  // the events of one flap are looked at together
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.14");
  REQUIRE(w.life->state.drift);
  CHECK(w.life->state.drift->what.size() == 1);
  // The next flap does not wait for longer than what is left of a tenth of a second.
  w.network->set_link_up(false);
  w.network->set_link_up(true);
  w.life->state.network_news.set();
  pass.after(Millis(80));
  pass.after(Millis(20));
  CHECK(pass.way() == "10.77.0.14");
  (void)pass.end();
}

TEST_CASE("what a pass has looked at is not looked at again for the same news", "[agent][reconcile][long]") {
  ReconcileWorld w;
  REQUIRE(w.pass().clean());
  Cancelable<void> network(w.world.io, w.reconciler->run_network());
  w.life->state.network_news.set();
  w.world.io.poll();
  REQUIRE(w.pass().clean());
  const int looks = w.network->observe_count;
  w.world.clock.advance(Millis(20));
  w.world.io.poll();
  CHECK(w.network->observe_count == looks);
  (void)network.cancel();
}

TEST_CASE("a network that cannot be looked at between passes ends no task", "[agent][reconcile][long]") {
  ReconcileWorld w;
  bool full = false;
  w.noting = [&full](const std::vector<Intent>&) -> Status {
    return full ? Status(make_error(Errc::exhausted, "no space left")) : Status();
  };
  w.restart_agent();
  full = true;
  w.life->state.desired = w.desired;
  Cancelable<void> network(w.world.io, w.reconciler->run_network());
  w.life->state.network_news.set();
  w.world.io.poll();
  w.world.clock.advance(Millis(20));
  w.world.io.poll();
  poll_until(w.world.io, [&w] { return w.world.clock.sleeper_count() == 1; });  // it rests
  CHECK_FALSE(network.ended());
  CHECK(w.network->applied.empty());
  full = false;
  w.life->state.network_news.set();
  w.world.clock.advance(Millis(80));
  w.world.io.poll();
  w.world.clock.advance(Millis(20));
  poll_until(w.world.io, [&w] { return !w.network->applied.empty(); });
  (void)network.cancel();
}
