#include "agent/domain/firewall_plan.hpp"

#include <catch2/catch.hpp>

#include "agent/service/firewall_pass.hpp"
#include "tests/support/fake_firewall.hpp"
#include "tests/support/io_test.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

Cidr cidr(const char* text) {
  return *Cidr::parse(text);
}

NetworkDesired dual_stack() {
  NetworkDesired network;
  network.pools = {cidr("10.10.0.0/16"), cidr("fd00:10::/48"), cidr("10.10.128.0/17")};
  return network;
}

// A pass over a firewall in memory, with a ledger in memory.
struct World {
  IoTest io;
  FakeFirewall firewall;
  Ledger ledger;
  std::vector<std::string> noted_then;  // what had been applied when something was noted

  static boost::asio::awaitable<Status> note(World* world, std::vector<Intent> intents) {
    world->noted_then = world->firewall.applied;
    for (const Intent& intent : intents) world->ledger.add({intent.kind, intent.name, intent.wanted, Former::absent, ""});
    co_return Status{};
  }
  FirewallOutcome pass(const NetworkDesired& network) {
    firewall.applied.clear();
    FirewallDeps deps;
    deps.firewall = &firewall;
    deps.noted = [this] { return firewall_changes(ledger); };
    deps.note = [this](std::vector<Intent> intents) { return note(this, std::move(intents)); };
    return io.run(bring_firewall_about(deps, network, "eth0"));
  }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("firewalld is told of pod ranges, of what is forwarded to them, and of the tunnel's port where there is one", "[firewall]") {
  NetworkDesired network = dual_stack();
  FirewallDesired desired = firewall_desired(network);
  CHECK(desired.sources == std::set<std::string>{"10.10.0.0/16", "fd00:10::/48"});
  CHECK(desired.accepts == Strings{"rule family=\"ipv4\" destination address=\"10.10.0.0/16\" accept",
                                   "rule family=\"ipv6\" destination address=\"fd00:10::/48\" accept"});
  CHECK(desired.port.empty());
  network.cross_subnet = true;
  network.vxlan_port = 4789;
  CHECK(firewall_desired(network).port == "4789/udp");
  network.cross_subnet = false;
  network.backend = NetworkBackend::vxlan;
  CHECK(firewall_desired(network).port == "4789/udp");
  network.accept_forward = false;
  CHECK(firewall_desired(network).sources.empty());
  CHECK(firewall_desired(network).port == "4789/udp");
  network.backend = NetworkBackend::external;
  CHECK(firewall_desired(network).port.empty());
}

TEST_CASE("a first pass reloads firewalld once, a second one does nothing", "[firewall]") {
  World world;
  NetworkDesired network = dual_stack();
  network.backend = NetworkBackend::vxlan;
  const FirewallOutcome first = world.pass(network);
  CHECK(first.problems.empty());
  CHECK(first.reloaded);
  CHECK(world.noted_then.empty());  // noted before the first step
  CHECK(first.changes == Strings{"firewalld: accept 10.10.0.0/16 in zone trusted for good",
                                 "firewalld: accept fd00:10::/48 in zone trusted for good",
                                 "firewalld: open port 8472/udp of zone public for good", "firewalld: make policy slipway",
                                 "firewalld: reload firewalld"});
  CHECK(world.pass(network).changes.empty());
  for (const Change& change : world.ledger.changes()) CHECK(check_change(change));
  REQUIRE(world.ledger.changes().size() == 4);
  CHECK(describe(ChangeKind::firewall, world.ledger.changes()[0].name) == "firewalld's source trusted 10.10.0.0/16");
}

TEST_CASE("later changes need no reload, and what was only taken out of force comes back", "[firewall]") {
  World world;
  world.pass(dual_stack());
  NetworkDesired network = dual_stack();
  network.pools = {cidr("10.20.0.0/16")};
  const FirewallOutcome second = world.pass(network);
  CHECK_FALSE(second.reloaded);
  CHECK(second.changes ==
        Strings{"firewalld: accept 10.20.0.0/16 in zone trusted for good", "firewalld: no longer accept 10.10.0.0/16 in zone trusted for good",
                "firewalld: no longer accept fd00:10::/48 in zone trusted for good", "firewalld: put the rules of policy slipway for good",
                "firewalld: put the rules of policy slipway now", "firewalld: accept 10.20.0.0/16 in zone trusted now",
                "firewalld: no longer accept 10.10.0.0/16 in zone trusted now", "firewalld: no longer accept fd00:10::/48 in zone trusted now"});
  world.firewall.state.sources.runtime.clear();
  CHECK(world.pass(network).changes == Strings{"firewalld: accept 10.20.0.0/16 in zone trusted now"});
  network.backend = NetworkBackend::external;
  world.pass(network);
  CHECK(world.firewall.state.sources.permanent.empty());
  CHECK(world.firewall.state.sources.runtime.empty());
  CHECK_FALSE(world.firewall.state.policy.permanent);
  CHECK_FALSE(world.firewall.state.policy.runtime);
  CHECK(world.pass(network).changes.empty());
}

TEST_CASE("what the operator has told firewalld stays the operator's", "[firewall]") {
  World world;
  world.firewall.state.sources = {{"10.10.0.0/16"}, {"10.10.0.0/16"}};
  NetworkDesired network = dual_stack();
  world.pass(network);
  for (const Change& change : world.ledger.changes()) CHECK(change.name != "source trusted 10.10.0.0/16");
  network.pools = {cidr("10.20.0.0/16")};
  world.pass(network);
  CHECK(world.firewall.state.sources.permanent == std::set<std::string>{"10.10.0.0/16", "10.20.0.0/16"});
}

TEST_CASE("a range in another zone is told, and stops nothing else", "[firewall]") {
  World world;
  world.firewall.taken = {"10.10.0.0/16"};
  const FirewallOutcome outcome = world.pass(dual_stack());
  REQUIRE(outcome.problems.size() == 1);
  CHECK(outcome.problems[0].find("10.10.0.0/16 is a source of another zone") != std::string::npos);
  CHECK(world.firewall.state.sources.runtime == std::set<std::string>{"fd00:10::/48"});
}

TEST_CASE("an older firewalld has no policies, and one that does not run is left alone", "[firewall]") {
  World world;
  world.firewall.state.has_policies = false;
  for (const std::string& change : world.pass(dual_stack()).changes) {
    CHECK(change.find("policy") == std::string::npos);
    CHECK(change.find("reload") == std::string::npos);
  }
  CHECK(world.firewall.state.sources.runtime.size() == 2);
  World off;
  off.firewall.running = false;
  CHECK(off.pass(dual_stack()).changes.empty());
  CHECK(off.ledger.changes().empty());
  // Without a word about ranges nothing is taken away.
  NetworkDesired silent = dual_stack();
  silent.pools.clear();
  CHECK(world.pass(silent).changes.empty());
}

TEST_CASE("names of firewalld's entries are read back from the ledger", "[firewall]") {
  const FirewallEntry source{FirewallEntry::Kind::source, "trusted", "fd00:10::/48"};
  const FirewallEntry port{FirewallEntry::Kind::port, "public", "8472/udp"};
  CHECK(entry_of(ledger_name(source)) == source);
  CHECK(entry_of(ledger_name(port)) == port);
  CHECK_FALSE(entry_of(policy_ledger_name()));
  CHECK_FALSE(entry_of(""));
  CHECK_FALSE(entry_of("source trusted"));
}
