// A probe of the network on the real kernel, between nodes with pods in network namespaces: what agents do,
// and what the coordinator makes of it.
#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/probe_plan.hpp"
#include "agent/net/icmp_pinger.hpp"
#include "coordinator/service/probe_round.hpp"
#include "tests/support/pod_lab.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

bool no_root() {
  if (!is_root()) WARN("SKIPPED: needs root (network namespaces)");
  return !is_root();
}

NetworkDesired backend(NetworkBackend kind) {
  NetworkDesired settings;
  settings.backend = kind;
  settings.mac_salt = 0x5a;
  return settings;
}

std::string uid(std::size_t node) {
  return "uid" + std::to_string(node);
}

class Probe {
 public:
  explicit Probe(PodLab& lab) : lab_(lab) {}
  std::vector<std::size_t> away;  // hosts that are off

  proto::NetworkProbe run() {
    std::vector<ProbeMember> members;
    for (std::size_t i = 0; i < lab_.size(); ++i) {
      LabNode& node = lab_.node(i);
      members.push_back(
          {uid(i), node.name(), !is_away(i), "", "", {node.address()}, {node.block(), node.block(false)}});
    }
    proto::NetworkSettings settings;
    settings.backend = lab_.settings.backend == NetworkBackend::vxlan ? "vxlan" : "host-gw";
    round_.start("probe", members, settings, {}, {});
    for (std::size_t i = 0; i < lab_.size(); ++i)
      if (!is_away(i)) offer(i);
    for (std::size_t i = 0; i < lab_.size(); ++i)
      if (!is_away(i)) report(i);
    return *round_.view({});
  }

 private:
  bool is_away(std::size_t node) const { return std::count(away.begin(), away.end(), node) > 0; }
  std::vector<PingOutcome> ping(LabNode& node, std::vector<Ping> pings) {
    return node.ns.within([&] {
      IcmpPinger pinger(lab_.io.executor(), {Millis(400), Millis(400)});
      boost::asio::awaitable<Result<std::vector<PingOutcome>>> pinging = pinger.ping(std::move(pings));
      const auto outcomes = lab_.io.run(std::move(pinging));
      if (!outcomes) throw std::runtime_error(outcomes.error().message);
      return *outcomes;
    });
  }
  void offer(std::size_t index) {
    LabNode& node = lab_.node(index);
    const ProbeSelf self = probe_self(node.desired, lab_.observe(node));
    const auto pings =
        plan_local_probe(self, {node.pod_address(), node.pod_address(false), node.block().at(77)});
    const auto offer = probe_offer("probe", self, pings, ping(node, pings));
    CHECK(offer.pods.size() == 2);
    REQUIRE(round_.offer(uid(index), offer, {}));
  }
  void report(std::size_t index) {
    LabNode& node = lab_.node(index);
    const ProbeSelf self = probe_self(node.desired, lab_.observe(node));
    const auto targets = round_.targets(uid(index), "probe", {});
    REQUIRE(targets);
    REQUIRE(*targets);
    const auto planned = plan_probe(self, **targets);
    std::vector<Ping> pings;
    for (const PlannedPing& one : planned) pings.push_back(one.ping);
    REQUIRE(
        round_.report(uid(index), probe_report(self, **targets, planned, ping(node, std::move(pings))), {}));
  }

  PodLab& lab_;
  ProbeRound round_;
};

std::vector<std::string> pairs(const proto::NetworkProbe& probe) {
  std::vector<std::string> out;
  for (const auto& pair : probe.failed)
    out.push_back(pair.from + ">" + pair.to + " " + pair.what + " " + pair.family);
  return out;
}

void check_causes(const proto::NetworkProbe& probe, const std::string& words) {
  for (const auto& pair : probe.failed) CHECK_THAT(pair.cause, Catch::Contains(words));
}

// A chain that drops all but what `rule` says, or only what it says.
void filter(LabNode& node, const std::string& hook, const std::string& policy, const std::string& rule = "") {
  std::string text = "table inet other {\n chain c { type filter hook " + hook + " priority 0; policy " +
                     policy + "; " + rule + " }\n}\n";
  node.ns.within([&text] { run_tool({"nft", "-f", "-"}, text); });
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("probe: a network that works has no pair that fails, with each backend and up to the MTU",
          "[network][probe]") {
  if (no_root()) return;
  const auto kind = GENERATE(NetworkBackend::host_gw, NetworkBackend::vxlan);
  PodLab lab({0, 0, kind == NetworkBackend::vxlan ? 1 : 0}, backend(kind));
  lab.pass_all();
  const auto probe = Probe(lab).run();
  CHECK(probe.state == "done");
  CHECK(probe.ok);
  CHECK(pairs(probe) == Lines{});
  CHECK(probe.pairs == 6);
  CHECK(probe.pings == 6 * 10);  // node, and bridge and pod in both families; small and large
}

TEST_CASE("probe: a node that forwards nothing to its pods", "[network][probe]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  filter(lab.node(1), "forward", "drop");
  const auto probe = Probe(lab).run();
  CHECK(pairs(probe) == Lines{"n1>n2 pod IPv4", "n1>n2 pod IPv6", "n3>n2 pod IPv4", "n3>n2 pod IPv6"});
  check_causes(probe, "n2 does not forward to its pods");
}

TEST_CASE("probe: a node that lets no tunnel in", "[network][probe]") {
  if (no_root()) return;
  PodLab lab({0, 0, 1}, backend(NetworkBackend::vxlan));
  lab.pass_all();
  filter(lab.node(2), "input", "accept", "udp dport 8472 drop;");
  const auto probe = Probe(lab).run();
  // What it asks for gets no answer in either.
  CHECK(pairs(probe) == Lines{"n1>n3 pod IPv4", "n1>n3 pod IPv6", "n2>n3 pod IPv4", "n2>n3 pod IPv6",
                              "n3>n1 pod IPv4", "n3>n1 pod IPv6", "n3>n2 pod IPv4", "n3>n2 pod IPv6"});
  check_causes(probe, "UDP port 8472 is blocked on n3");
}

TEST_CASE("probe: a link that takes less than pods send", "[network][probe]") {
  if (no_root()) return;
  PodLab lab({0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  lab.node(1).ns.run("ip link set eth0 mtu 1400");
  const auto probe = Probe(lab).run();
  CHECK(pairs(probe) == Lines{"n1>n2 mtu IPv4", "n1>n2 mtu IPv6"});
  check_causes(probe, "packets of 1500 bytes do not pass from n1 to n2");
}

TEST_CASE("probe: a node that drops pings to itself, and one that is off", "[network][probe]") {
  if (no_root()) return;
  PodLab lab({0, 0, 0}, backend(NetworkBackend::host_gw));
  lab.pass_all();
  filter(lab.node(0), "input", "accept", "icmp type echo-request ip daddr 10.77.0.11 reject;");
  auto probe = Probe(lab).run();
  CHECK(pairs(probe) == Lines{"n2>n1 node IPv4", "n3>n1 node IPv4"});
  check_causes(probe, "its pods are reached");
  CHECK(probe.failed.at(0).result == "refused");
  lab.node(0).ns.run("nft delete table inet other");
  lab.node(2).ns.run("ip link set eth0 down");
  Probe without(lab);
  without.away = {2};
  probe = without.run();
  CHECK(pairs(probe) == Lines{"n1>n3 node IPv4", "n2>n3 node IPv4"});
  check_causes(probe, "n3 is down or cut off");
  REQUIRE(probe.silent.size() == 1);
  CHECK(probe.silent[0].node == "n3");
}
