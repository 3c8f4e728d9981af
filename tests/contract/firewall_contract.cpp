// The Firewall port: the same cases against the fake and against a real firewalld, in a network namespace of its own.
#include <catch2/catch.hpp>
#include <functional>
#include <memory>

#include "agent/net/firewall_undo.hpp"
#include "agent/net/firewalld.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/fake_firewall.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/real_firewalld.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

struct Rig {
  virtual ~Rig() = default;
  virtual Firewall& firewall() = 0;
  virtual void take(const std::string& source) = 0;  // somebody binds it to another zone
  virtual void stop() = 0;
  virtual void undo(const FirewallStep& step) = 0;  // somebody does
  IoTest io;
};

struct FakeRig final : Rig {
  FakeFirewall fake;
  Firewall& firewall() override { return fake; }
  void take(const std::string& source) override { fake.taken.insert(source); }
  void stop() override { fake.running = false; }
  void undo(const FirewallStep& step) override { REQUIRE(io.run(fake.apply(step))); }
};

struct RealRig final : Rig {
  NetNamespace network;
  RealFirewalld daemon{io};
  Firewalld adapter{io.executor(), daemon.options()};
  Firewall& firewall() override { return adapter; }
  void take(const std::string& source) override {
    for (const FirewallScope scope : {FirewallScope::runtime, FirewallScope::permanent})
      REQUIRE(io.run(adapter.apply(SetFirewallEntry{{FirewallEntry::Kind::source, "internal", source}, scope, true})));
  }
  void stop() override { daemon.stop(); }
  void undo(const FirewallStep& step) override {
    Firewalld another(io.executor(), daemon.options());
    REQUIRE(io.run(another.apply(step)));
  }
};

void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("firewalld") {
    if (!is_root() || !RealFirewalld::available()) {
      WARN("SKIPPED: the real half of this contract needs root (a network namespace) and firewalld");
      return;
    }
    RealRig rig;
    run(rig);
  }
}

FirewallDesired desired_state() {
  NetworkDesired network;
  network.backend = NetworkBackend::vxlan;
  network.pools = {*Cidr::parse("10.10.0.0/16"), *Cidr::parse("fd00:10::/48")};
  return firewall_desired(network);
}

FirewallObserved observed(Rig& rig) {
  const auto state = rig.io.run(rig.firewall().observe("u0", {}));
  if (!state) throw std::runtime_error(state.error().message);
  if (!*state) throw std::runtime_error("no firewalld runs");
  return **state;
}

// What the steps note, as a ledger has it.
std::vector<Change> converge(Rig& rig, const FirewallDesired& desired, const std::vector<Change>& noted = {}) {
  const auto steps = plan_firewall(desired, observed(rig), noted);
  std::vector<Change> changes;
  for (const Intent& intent : firewall_intents(steps)) changes.push_back({intent.kind, intent.name, "", Former::absent, ""});
  for (const FirewallStep& step : steps) {
    INFO(describe(step));
    const Status done = rig.io.run(rig.firewall().apply(step));
    if (!done) FAIL(done.error().message);
  }
  return changes;
}

std::vector<std::string> planned(Rig& rig, const FirewallDesired& desired, const std::vector<Change>& noted = {}) {
  std::vector<std::string> out;
  for (const FirewallStep& step : plan_firewall(desired, observed(rig), noted)) out.push_back(describe(step));
  return out;
}

using Nothing = std::vector<std::string>;

}  // namespace

TEST_CASE("firewall contract: a fresh host converges, a reload changes nothing", "[firewall][contract]") {
  for_each_rig([](Rig& rig) {
    CHECK(observed(rig).zone == "public");
    converge(rig, desired_state());
    CHECK(planned(rig, desired_state()) == Nothing{});
    const FirewallObserved state = observed(rig);
    CHECK(state.sources.runtime == std::set<std::string>{"10.10.0.0/16", "fd00:10::/48"});
    CHECK(state.ports.permanent.count("public 8472/udp") == 1);
    REQUIRE(rig.io.run(rig.firewall().apply(ReloadFirewall{})));
    CHECK(planned(rig, desired_state()) == Nothing{});
  });
}

TEST_CASE("firewall contract: changes are followed, and leaving takes away what was noted", "[firewall][contract]") {
  for_each_rig([](Rig& rig) {
    const auto noted = converge(rig, desired_state());
    FirewallDesired desired = desired_state();
    desired.sources = {"10.10.0.0/15"};
    desired.accepts = {"rule family=\"ipv4\" destination address=\"10.10.0.0/15\" accept"};
    desired.port = "4789/udp";
    auto more = converge(rig, desired, noted);
    more.insert(more.end(), noted.begin(), noted.end());
    CHECK(planned(rig, desired, more) == Nothing{});
    CHECK(observed(rig).sources.permanent == std::set<std::string>{"10.10.0.0/15"});
    CHECK(observed(rig).ports.runtime.count("public 8472/udp") == 0);
    CHECK(observed(rig).ports.runtime.count("public 4789/udp") == 1);
    converge(rig, FirewallDesired{}, more);
    const FirewallObserved state = observed(rig);
    CHECK(state.sources.runtime.empty());
    CHECK(state.ports.permanent.count("public 4789/udp") == 0);
    CHECK_FALSE(state.policy.runtime);
    CHECK_FALSE(state.policy.permanent);
  });
}

TEST_CASE("firewall contract: what is there already, or gone already, is no error", "[firewall][contract]") {
  for_each_rig([](Rig& rig) {
    const FirewallEntry source{FirewallEntry::Kind::source, "trusted", "10.10.0.0/16"};
    const FirewallEntry port{FirewallEntry::Kind::port, "public", "8472/udp"};
    for (const bool present : {true, true, false, false}) {
      for (const FirewallEntry& entry : {source, port}) {
        for (const FirewallScope scope : {FirewallScope::runtime, FirewallScope::permanent}) {
          const FirewallStep step = SetFirewallEntry{entry, scope, present};
          INFO(describe(step));
          const Status done = rig.io.run(rig.firewall().apply(step));
          if (!done) FAIL(done.error().message);
        }
      }
    }
    REQUIRE(rig.io.run(rig.firewall().apply(RemoveFirewallPolicy{})));
  });
}

TEST_CASE("firewall contract: a range of another zone is a conflict", "[firewall][contract]") {
  for_each_rig([](Rig& rig) {
    rig.take("10.10.0.0/16");
    const FirewallEntry source{FirewallEntry::Kind::source, "trusted", "10.10.0.0/16"};
    const Status done = rig.io.run(rig.firewall().apply(SetFirewallEntry{source, FirewallScope::runtime, true}));
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::conflict);
    CHECK(done.error().message.find("10.10.0.0/16 is a source of another zone") != std::string::npos);
  });
}

TEST_CASE("firewall contract: what somebody takes back is told", "[firewall][contract][drift]") {
  for_each_rig([](Rig& rig) {
    const std::vector<FirewallStep> undone = {
        SetFirewallEntry{{FirewallEntry::Kind::source, "trusted", "10.10.0.0/16"}, FirewallScope::runtime, false},
        SetFirewallEntry{{FirewallEntry::Kind::port, "public", "8472/udp"}, FirewallScope::runtime, false},
        SetFirewallPolicy{FirewallScope::runtime, std::vector<std::string>{}}};
    for (const FirewallStep& step : undone) {
      INFO(describe(step));
      converge(rig, desired_state());
      REQUIRE(planned(rig, desired_state()) == Nothing{});
      // Our own changes are told as well: until there is quiet. An answer comes behind all that was said before it.
      auto waiting = std::make_unique<Cancelable<void>>(rig.io, rig.firewall().changed());
      rig.io.poll();
      while (waiting->ended()) {
        waiting = std::make_unique<Cancelable<void>>(rig.io, rig.firewall().changed());
        rig.io.poll();
      }
      rig.undo(step);
      REQUIRE(waiting->wait());
      CHECK_FALSE(planned(rig, desired_state()) == Nothing{});
    }
    // A reload brings back what is permanent, and is told too.
    Cancelable<void> waiting(rig.io, rig.firewall().changed());
    rig.undo(ReloadFirewall{});
    REQUIRE(waiting.wait());
    CHECK(planned(rig, desired_state()) == Nothing{});
    Cancelable<void> cancelled(rig.io, rig.firewall().changed());
    rig.io.poll();
    if (!cancelled.ended()) CHECK(cancelled.cancel().error().code == Errc::canceled);
  });
}

TEST_CASE("firewall contract: a firewall that does not run is none, and is not started", "[firewall][contract]") {
  for_each_rig([](Rig& rig) {
    rig.stop();
    const auto state = rig.io.run(rig.firewall().observe("u0", {}));
    REQUIRE(state);
    CHECK_FALSE(*state);
  });
}

TEST_CASE("a host without a bus has no firewalld", "[firewall]") {
  IoTest io;
  const TempDir dir;
  Firewalld firewalld(io.executor(), {.bus_address = "unix:path=" + (dir / "nobody")});
  const auto state = io.run(firewalld.observe("", {}));
  REQUIRE(state);
  CHECK_FALSE(*state);
}

TEST_CASE("a reset undoes what firewalld was told, and says what to do when it does not run", "[firewall][reset]") {
  if (!is_root() || !RealFirewalld::available()) {
    WARN("SKIPPED: needs root (a network namespace) and firewalld");
    return;
  }
  RealRig rig;
  const auto noted = converge(rig, desired_state());
  REQUIRE(noted.size() == 4);
  const net::FirewallUndo undo(rig.daemon.options(), rig.daemon.settings());
  for (const Change& change : noted) {
    INFO(change.name);
    REQUIRE(undo.look(change.name));
    CHECK(undo.look(change.name)->there);
  }
  rig.daemon.stop();
  for (const Change& change : noted) {
    INFO(change.name);
    CHECK(undo.look(change.name)->there);
    const Status done = undo.undo(change.name);
    REQUIRE_FALSE(done);
    CHECK(done.error().message.find("start it, then reset again") != std::string::npos);
  }
  rig.daemon.start();
  for (const Change& change : noted) {
    INFO(change.name);
    const Status done = undo.undo(change.name);
    if (!done) FAIL(done.error().message);
    CHECK_FALSE(undo.look(change.name)->there);
  }
  rig.daemon.stop();
  for (const Change& change : noted) CHECK_FALSE(undo.look(change.name)->there);
}
