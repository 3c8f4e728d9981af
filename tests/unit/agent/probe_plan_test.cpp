#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/probe_plan.hpp"

namespace slipway {
namespace {

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

NetworkDesired desired_of(NetworkBackend backend = NetworkBackend::host_gw) {
  NetworkDesired desired;
  desired.backend = backend;
  desired.node_address = ip("10.77.0.1");
  desired.own_cidr = *Cidr::parse("10.10.1.0/24");
  desired.own_second_cidr = *Cidr::parse("fd00:1::/64");
  return desired;
}

NetworkObserved observed_with(std::vector<LinkAddress> bridge) {
  NetworkObserved observed;
  observed.links.push_back({2, "eth0", 0, true, true, 1500, {{ip("10.77.0.1"), 24}}});
  if (!bridge.empty()) observed.links.push_back({3, "cni0", 0, true, true, 1500, std::move(bridge)});
  return observed;
}

const std::vector<LinkAddress> k_bridge{
    {ip("fe80::1"), 64}, {ip("10.10.1.1"), 24}, {ip("fd00:1::1"), 64}, {ip("10.10.9.1"), 24}};

ProbeSelf self_of(NetworkBackend backend = NetworkBackend::host_gw) {
  return probe_self(desired_of(backend), observed_with(k_bridge));
}

proto::ProbeTargets targets() {
  return {"id", {{"n2", {"10.77.0.2"}, {"10.10.2.1", "fd00:2::1"}, {"10.10.2.5", "10.10.2.6"}}}};
}

std::vector<std::string> texts(const std::vector<PlannedPing>& planned) {
  std::vector<std::string> out;
  for (const PlannedPing& one : planned)
    out.push_back(std::string(one.what) + " " + one.ping.from.to_string() + ">" + one.ping.to.to_string() +
                  " " + std::to_string(one.ping.bytes));
  return out;
}

// What is told when these addresses do not answer; "ADDRESS large" only to large packets.
std::vector<proto::ProbeLoss> losses(const std::vector<std::string>& silent, PingOutcome how = {}) {
  const ProbeSelf self = self_of();
  const auto planned = plan_probe(self, targets());
  std::vector<PingOutcome> outcomes;
  for (const PlannedPing& one : planned) {
    const std::string address = one.ping.to.to_string();
    const bool lost = std::count(silent.begin(), silent.end(), address) > 0 ||
                      (one.large && std::count(silent.begin(), silent.end(), address + " large") > 0);
    outcomes.push_back(lost ? how : PingOutcome{PingResult::answered, 0});
  }
  const auto report = probe_report(self, targets(), planned, outcomes);
  CHECK(report.pings == planned.size());
  return report.losses;
}

using Losses = std::vector<proto::ProbeLoss>;

TEST_CASE("probe plan: pods are pinged from the bridge, by the addresses of the own blocks", "[probe-plan]") {
  const ProbeSelf self = self_of();
  CHECK(self.bridges == std::vector<IpAddress>{ip("10.10.1.1"), ip("fd00:1::1")});
  CHECK(self.pod_bytes == 1500);
  CHECK(self.node_bytes == 1500);
  CHECK(self.note.empty());
  const ProbeSelf tunnel = self_of(NetworkBackend::vxlan);
  CHECK(tunnel.pod_bytes == 1450);
  CHECK(tunnel.node_bytes == 1500);
  const ProbeSelf none = probe_self(desired_of(), observed_with({}));
  CHECK(none.bridges.empty());
  CHECK_THAT(none.note, Catch::Contains("no bridge cni0"));
  const ProbeSelf external = self_of(NetworkBackend::external);
  CHECK(external.bridges.empty());
  CHECK(external.blocks.empty());
  CHECK(external.node_bytes == 0);
  CHECK(external.note.empty());
}

TEST_CASE("probe plan: the pods that are offered answer on their own host", "[probe-plan]") {
  const ProbeSelf self = self_of();
  std::vector<IpAddress> leased{ip("10.10.1.1"), ip("192.0.2.1")};
  for (int i = 2; i < 40; ++i) leased.push_back(ip("10.10.1." + std::to_string(i)));
  leased.push_back(ip("fd00:1::5"));
  const auto pings = plan_local_probe(self, leased);
  CHECK(pings.size() == 9);
  CHECK(pings.front() == Ping{ip("10.10.1.1"), ip("10.10.1.2"), 0});
  CHECK(pings.back() == Ping{ip("fd00:1::1"), ip("fd00:1::5"), 0});
  std::vector<PingOutcome> outcomes(pings.size(), {PingResult::answered, 0});
  outcomes[1].result = PingResult::silent;
  const auto offer = probe_offer("id", self, pings, outcomes);
  CHECK(offer ==
        proto::ProbeOffer{"id", {"10.10.1.1", "fd00:1::1"}, {"10.10.1.2", "10.10.1.4", "fd00:1::5"}, ""});
  CHECK(plan_local_probe(probe_self(desired_of(), observed_with({})), leased).empty());
}

TEST_CASE("probe plan: small and large packets to all that there is an address for", "[probe-plan]") {
  CHECK(texts(plan_probe(self_of(), targets())) ==
        std::vector<std::string>{"node 10.77.0.1>10.77.0.2 0", "node 10.77.0.1>10.77.0.2 1500",
                                 "bridge 10.10.1.1>10.10.2.1 0", "bridge 10.10.1.1>10.10.2.1 1500",
                                 "bridge fd00:1::1>fd00:2::1 0", "bridge fd00:1::1>fd00:2::1 1500",
                                 "pod 10.10.1.1>10.10.2.5 0", "pod 10.10.1.1>10.10.2.5 1500",
                                 "pod 10.10.1.1>10.10.2.6 0", "pod 10.10.1.1>10.10.2.6 1500"});
  CHECK(texts(plan_probe(self_of(NetworkBackend::external), targets())) ==
        std::vector<std::string>{"node 10.77.0.1>10.77.0.2 0"});
  proto::ProbeTargets odd = targets();
  odd.targets[0].addresses = {"there", "fd77::2"};
  odd.targets[0].bridges = {};
  odd.targets[0].pods = std::vector<std::string>(100, "10.10.2.5");
  CHECK(plan_probe(self_of(), odd).size() == 8);
  odd.targets = std::vector<proto::ProbeTarget>(1000, targets().targets[0]);
  CHECK(plan_probe(self_of(), odd).size() == 640);
}

TEST_CASE("probe plan: what is told is what is lost first", "[probe-plan]") {
  CHECK(losses({}).empty());
  CHECK(losses({"10.77.0.2"}) == Losses{{"n2", "node", "10.77.0.2", 0, "silent", 0}});
  CHECK(losses({"10.77.0.2 large"}, {PingResult::too_big, 1400}) ==
        Losses{{"n2", "node", "10.77.0.2", 1500, "too-big", 1400}});
  CHECK(losses({"fd00:2::1"}, {PingResult::refused, 0}) ==
        Losses{{"n2", "bridge", "fd00:2::1", 0, "refused", 0}});
}

TEST_CASE("probe plan: one pod that answers will do", "[probe-plan]") {
  CHECK(losses({"10.10.2.5"}).empty());
  CHECK(losses({"10.10.2.5", "10.10.2.6"}) == Losses{{"n2", "pod", "10.10.2.5", 0, "silent", 0}});
  CHECK(losses({"10.10.2.5", "10.10.2.6 large"}) == Losses{{"n2", "pod", "10.10.2.6", 1500, "silent", 0}});
  CHECK(losses({"10.10.2.5 large"}).empty());
}

TEST_CASE("probe plan: a report without all outcomes is told as far as it goes", "[probe-plan]") {
  const ProbeSelf self = self_of();
  const auto planned = plan_probe(self, targets());
  CHECK(probe_report(self, targets(), planned, {}).losses.empty());
  CHECK(probe_report(self, {"id", {}}, {}, {}).pings == 0);
}

}  // namespace
}  // namespace slipway
