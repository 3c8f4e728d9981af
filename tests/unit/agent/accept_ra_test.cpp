// A host that has its IPv6 address or way out from a router keeps them when forwarding is turned on: the
// plan.
#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/reset_plan.hpp"
#include "agent/domain/sysctl_plan.hpp"
#include "agent/render/traces.hpp"
#include "tests/support/fake_network.hpp"

using namespace slipway;
using slipway::test::FakeNetwork;

namespace {

using Lines = std::vector<std::string>;

constexpr char k_key[] = "net/ipv6/conf/eth0/accept_ra";
constexpr char k_line[] = "-net/ipv6/conf/eth0/accept_ra = 2\n";

NetworkDesired dual_stack() {
  NetworkDesired desired;
  desired.node_address = *IpAddress::parse("10.77.0.11");
  desired.own_cidr = *Cidr::parse("10.10.1.0/24");
  desired.own_second_cidr = *Cidr::parse("fd00:10:1::/64");
  desired.pools = {*Cidr::parse("10.10.0.0/16"), *Cidr::parse("fd00:10::/32")};
  return desired;
}

FakeNetwork host(std::uint32_t accept_ra, bool learnt) {
  FakeNetwork network(*IpAddress::parse("10.77.0.11"), 24);
  network.state().links[0].v6 = LinkIpv6{false, accept_ra, learnt};
  return network;
}

Lines planned(FakeNetwork& network, const NetworkDesired& desired, const std::string& word) {
  Lines out;
  for (const NetworkStep& step : plan_network(desired, network.state()))
    if (describe(step).find(word) != std::string::npos) out.push_back(describe(step));
  return out;
}

void converge(FakeNetwork& network, const NetworkDesired& desired) {
  for (const Status& status : network.apply(plan_network(desired, network.state())))
    if (!status) FAIL(status.error().message);
  CHECK(planned(network, desired, "") == Lines{});
}

const std::string& file_of(FakeNetwork& network) {
  return network.state().files.at(NetworkFile::sysctl);
}

}  // namespace

TEST_CASE("what came from routers stays: accept_ra before forwarding, and in the file before both",
          "[network_plan][accept_ra]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = host(1, true);
  const Lines steps = planned(network, desired, "");
  const auto place = [&steps](const std::string& step) {
    const auto it = std::find(steps.begin(), steps.end(), step);
    REQUIRE(it != steps.end());
    return it - steps.begin();
  };
  CHECK(place("write the sysctl file") < place("set " + std::string(k_key) + " = 2"));
  CHECK(place("set " + std::string(k_key) + " = 2") < place("set net/ipv6/conf/all/forwarding = 1"));
  converge(network, desired);
  CHECK(network.state().links[0].v6->accept_ra == 2);
  CHECK(file_of(network).find(k_line) != std::string::npos);
  // At the next boot nothing shows any more that it was needed, but for our file.
  network.state().links[0].v6 = LinkIpv6{false, 1, false};
  CHECK(planned(network, desired, "") == Lines{"set " + std::string(k_key) + " = 2"});
  converge(network, desired);
  CHECK(file_of(network).find(k_line) == file_of(network).rfind(k_line));
}

TEST_CASE("accept_ra is left alone where nothing hangs on it", "[network_plan][accept_ra]") {
  NetworkDesired desired = dual_stack();
  FakeNetwork network = host(1, true);
  SECTION("nothing came from a router") {
    network.state().links[0].v6->learnt = false;
  }
  SECTION("the kernel does not listen: a program does, or nobody") {
    network.state().links[0].v6->accept_ra = 0;
  }
  SECTION("it listens in any case already") {
    network.state().links[0].v6->accept_ra = 2;
  }
  SECTION("the host forwarded before") {
    network.apply({SetSysctl{{"net/ipv6/conf/all/forwarding", "1"}}});
  }
  SECTION("pods of IPv4 alone") {
    desired.own_second_cidr.reset();
  }
  SECTION("no interface has the node's address") {
    network.state().links[0].addresses.clear();
  }
  SECTION("the kernel tells nothing") {
    network.state().links[0].v6.reset();
  }
  CHECK(planned(network, desired, "accept_ra") == Lines{});
  CHECK(sysctl_file_content(desired, network.state()).find("accept_ra") == std::string::npos);
}

TEST_CASE("somebody's own choice after ours stands", "[network_plan][accept_ra]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = host(1, true);
  converge(network, desired);
  network.state().links[0].v6->accept_ra = 0;
  CHECK(planned(network, desired, "") == Lines{});
}

TEST_CASE("the line about accept_ra stays while the underlay is away, and knows names with dots",
          "[network_plan][accept_ra]") {
  const NetworkDesired desired = dual_stack();
  FakeNetwork network = host(1, true);
  network.state().links[0].name = "eth0.100";
  converge(network, desired);
  const std::string before = file_of(network);
  CHECK(before.find("-net/ipv6/conf/eth0.100/accept_ra = 2\n") != std::string::npos);
  network.state().links[0].addresses.clear();
  CHECK(sysctl_file_content(desired, network.state()) == before);
}

TEST_CASE("accept_ra is noted before, and set back by a reset", "[network_plan][accept_ra]") {
  FakeNetwork network = host(1, true);
  const auto intents = device_intents(plan_network(dual_stack(), network.state()));
  CHECK(intents == std::vector<Intent>{{ChangeKind::sysctl, k_key, "2"}});
  const Change change{ChangeKind::sysctl, k_key, "2", Former::kept, "1"};
  CHECK(check_change(change));
  CHECK(check_change({ChangeKind::sysctl, "net/ipv6/conf/eth0.100/accept_ra", "2", Former::kept, "1"}));
  EntrySeen seen;
  seen.there = true;
  seen.value = "2";
  const ResetPlan plan = plan_reset({change}, {{seen}, {}, {}});
  REQUIRE(plan.steps.size() == 1);
  CHECK(describe(plan.steps[0]) == "set net/ipv6/conf/eth0/accept_ra back to 1");
  // The tunnel's own goes with it.
  NetworkDesired tunnel = dual_stack();
  tunnel.backend = NetworkBackend::vxlan;
  converge(network, tunnel);
  for (ObservedSysctl& one : network.state().overlay_sysctls) one.value = "1";
  CHECK(planned(network, tunnel, "slipway-vx/accept_ra").size() == 1);
  CHECK(device_intents(plan_network(tunnel, network.state())).empty());
}
