// From who could not ping whom to the likely cause: one case for each rule.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "coordinator/domain/network_health.hpp"
#include "coordinator/domain/probe_peers.hpp"

namespace slipway {
namespace {

constexpr std::size_t k_many = 1000;

using Places = std::vector<std::uint32_t>;

// Nodes n0, n1, ... with a bridge and pods in both families, all of which answer.
struct Picture : ProbePicture {
  explicit Picture(std::size_t count, const std::string& backend = "host-gw") {
    settings.backend = backend;
    for (std::size_t i = 0; i < count; ++i)
      nodes.push_back({"n" + std::to_string(i), true, true, "", {1, 3, 3}});
  }
  IpAddress address(std::uint32_t node, ProbeGoal goal, bool v4) const {
    const std::string n = std::to_string(node);
    if (goal == ProbeGoal::node)
      return v4 ? IpAddress::v4(0x0a4d0000U + node) : *IpAddress::parse("fd77::" + n);
    const std::string last = goal == ProbeGoal::bridge ? "1" : "5";
    return *IpAddress::parse(v4 ? "10.10." + n + "." + last : "fd00:" + n + "::" + last);
  }
  Picture& lose(std::uint32_t from, std::uint32_t to, ProbeGoal goal, LossKind kind = LossKind::silent,
                std::uint32_t bytes = 0, std::uint32_t mtu = 0, bool v4 = true) {
    if (from != to && nodes[from].reported)
      losses.push_back({from, to, goal, kind, bytes, mtu, address(to, goal, v4)});
    return *this;
  }
  // Node and pods, as with a host that is off.
  Picture& lose_all(const Places& from, const Places& to,
                    std::set<ProbeGoal> goals = {ProbeGoal::node, ProbeGoal::bridge, ProbeGoal::pod}) {
    for (const auto a : from)
      for (const auto b : to)
        for (const ProbeGoal goal : goals) lose(a, b, goal);
    return *this;
  }
  std::vector<std::string> judged() const {
    std::vector<std::string> out;
    for (const PairVerdict& verdict : judge_pairs(*this, k_many).first)
      out.push_back(nodes[verdict.from].name + ">" + nodes[verdict.to].name + " " +
                    std::string(verdict.what) + (verdict.loss.address.is_v4() ? "" : " IPv6"));
    return out;
  }
  PairVerdict only() const {
    const auto verdicts = judge_pairs(*this, k_many).first;
    REQUIRE(verdicts.size() == 1);
    return verdicts.front();
  }
};

const Places k_all{0, 1, 2, 3};
const std::set<ProbeGoal> k_pods{ProbeGoal::bridge, ProbeGoal::pod};

void check_causes(const Picture& picture, const std::string& cause, const std::string& cure) {
  const auto verdicts = judge_pairs(picture, k_many).first;
  CHECK_FALSE(verdicts.empty());
  for (const PairVerdict& verdict : verdicts) {
    CHECK_THAT(verdict.cause, Catch::Contains(cause));
    CHECK_THAT(verdict.cure, Catch::Contains(cure));
  }
}

TEST_CASE("network health: what answers is no pair that fails", "[network-health]") {
  CHECK(judge_pairs(Picture(0), k_many).failing == 0);
  CHECK(judge_pairs(Picture(1), k_many).failing == 0);
  CHECK(judge_pairs(Picture(4), k_many).failing == 0);
  CHECK(judge_pairs(Picture(500, "vxlan"), k_many).failing == 0);
}

TEST_CASE("network health: each pair is told of once, by what fails first on its way", "[network-health]") {
  using Lines = std::vector<std::string>;
  CHECK(Picture(3).lose_all({0}, {1}).judged() == Lines{"n0>n1 node"});
  CHECK(Picture(3).lose_all({2}, {1, 0}, k_pods).judged() == Lines{"n2>n0 pod", "n2>n1 pod"});
  CHECK(Picture(3)
            .lose(0, 1, ProbeGoal::pod)
            .lose(0, 1, ProbeGoal::pod, LossKind::silent, 0, 0, false)
            .judged() == Lines{"n0>n1 pod", "n0>n1 pod IPv6"});
  CHECK(Picture(3)
            .lose(0, 1, ProbeGoal::node, LossKind::too_big, 1500)
            .lose(0, 1, ProbeGoal::bridge, LossKind::too_big, 1450)
            .judged() == Lines{"n0>n1 mtu"});
  // Pods fail altogether, and large packets between the nodes as well: two things.
  CHECK(
      Picture(3).lose(0, 1, ProbeGoal::bridge).lose(0, 1, ProbeGoal::node, LossKind::silent, 1500).judged() ==
      Lines{"n0>n1 pod", "n0>n1 mtu"});
}

TEST_CASE("network health: a host that is away, and one that only does not answer", "[network-health]") {
  Picture away(4);
  away.nodes[2].heard = away.nodes[2].reported = false;
  away.lose_all({0, 1, 3}, {2}, {ProbeGoal::node});
  check_causes(away, "n2 is down or cut off", "slipwayctl node delete n2");
  // Its agent is in contact.
  check_causes(Picture(4).lose_all({0, 1, 3}, {2}),
               "nobody reaches the address of n2, although its agent is in contact", "allow ICMP");
  check_causes(Picture(4).lose_all({0, 1, 3}, {2}, {ProbeGoal::node}), "its pods are reached",
               "10.77.0.2 on n2");
  check_causes(Picture(4).lose_all({2}, {0, 1, 3}), "n2 reaches no other node", "on n2");
  check_causes(Picture(4).lose_all({0}, {1}), "only this direction fails", "from n0 on n1");
  check_causes(Picture(4).lose_all({0}, {1}).lose_all({1}, {0}), "the network between", "tracepath");
  Picture none(4);
  none.lose(0, 1, ProbeGoal::node, LossKind::no_route);
  check_causes(none, "n0 has no route to 10.77.0.1", "ip route get 10.77.0.1");
  Picture refused(4);
  refused.lose(0, 1, ProbeGoal::node, LossKind::refused)
      .lose(0, 1, ProbeGoal::bridge)
      .lose(0, 1, ProbeGoal::pod);
  check_causes(refused, "a packet filter refuses pings", "n1");
  check_causes(Picture(4).lose_all({0, 1}, {2, 3}).lose_all({2, 3}, {0, 1}),
               "groups that do not reach each other", "networks of both");
}

TEST_CASE("network health: of two nodes one cannot tell which is at fault", "[network-health]") {
  check_causes(Picture(2).lose_all({0}, {1}).lose_all({1}, {0}), "the network between", "tracepath");
  check_causes(Picture(2).lose_all({0}, {1}), "only this direction fails", "n1");
  Picture away(2);
  away.nodes[1].heard = away.nodes[1].reported = false;
  away.lose(0, 1, ProbeGoal::node);
  check_causes(away, "n1 is down or cut off", "start the host");
}

TEST_CASE("network health: pods fail where nodes do not, without a tunnel", "[network-health]") {
  Picture own_word(4);
  own_word.nodes[1].unready = "node n0 is not on this node's own network";
  own_word.lose_all({1}, {0}, k_pods);
  check_causes(own_word, "the pod network of n1 is not whole: node n0 is not on", "slipwayctl node get n1");
  Picture none(4);
  none.lose(0, 1, ProbeGoal::bridge, LossKind::no_route);
  check_causes(none, "n0 has no route to the pods of n1", "journalctl -u slipway-agent");
  check_causes(Picture(4).lose_all({0, 2, 3}, {1}, {ProbeGoal::pod}), "n1 does not forward to its pods",
               "iptables -S FORWARD");
  Picture reject(4);
  reject.lose(0, 1, ProbeGoal::pod, LossKind::refused);
  check_causes(reject, "a packet filter on n1 refuses what is forwarded", "nft list ruleset");
  Picture filtered(4);
  filtered.lose(0, 1, ProbeGoal::bridge, LossKind::refused);
  check_causes(filtered, "refuses packets to pods", "on n1");
  check_causes(Picture(4).lose_all({0, 1}, {2, 3}, k_pods).lose_all({2, 3}, {0, 1}, k_pods),
               "not on one layer 2 network", "crossSubnet: true");
  check_causes(Picture(4).lose_all(k_all, {1}, k_pods), "n1 drops what comes for its pods", "on n1");
  check_causes(Picture(4).lose_all({1}, k_all, k_pods), "packets from pods of n1 arrive nowhere",
               "source and destination check");
  check_causes(Picture(4).lose_all({0}, {1}, k_pods), "only this direction fails", "on n1");
  check_causes(Picture(4).lose_all(k_all, k_all, k_pods), "drops packets with pods' addresses",
               "source and destination check");
  check_causes(Picture(4, "routes").lose_all({0}, {1}, k_pods),
               "the network outside does not lead to the pods of n1", "slipwayctl health");
}

TEST_CASE("network health: pods fail where nodes do not, through the tunnel", "[network-health]") {
  check_causes(Picture(4, "vxlan").lose_all(k_all, k_all, k_pods),
               "UDP port 8472 is blocked between the nodes", "allow UDP port 8472");
  check_causes(Picture(4, "vxlan").lose_all(k_all, {1}, k_pods), "UDP port 8472 is blocked on n1",
               "on n1 first");
  check_causes(Picture(4, "vxlan").lose_all({1}, k_all, k_pods), "UDP port 8472 is blocked on n1",
               "slipway-vx");
  check_causes(Picture(4, "vxlan").lose_all({0}, {1}, k_pods), "only this direction fails", "from n0 on n1");
  check_causes(Picture(4, "vxlan").lose_all({0}, {1}, k_pods).lose_all({1}, {0}, k_pods),
               "is blocked between them", "allow UDP port 8472");
  Picture cross(4);
  cross.settings.cross_subnet = true;
  cross.settings.vxlan.port = 4789;
  check_causes(cross.lose_all(k_all, k_all, k_pods), "UDP port 4789", "4789");
}

TEST_CASE("network health: large packets that do not pass name the MTU to set", "[network-health]") {
  Picture direct(3);
  direct.lose(0, 1, ProbeGoal::node, LossKind::too_big, 1500, 1400);
  CHECK(direct.only().cause ==
        "packets of 1500 bytes do not pass from n0 to n1, small ones do: the way takes at most 1400");
  CHECK_THAT(direct.only().cure, Catch::Contains("mtu: 1400 in the cluster's network settings"));
  Picture tunnel(3, "vxlan");
  tunnel.lose(0, 1, ProbeGoal::node, LossKind::too_big, 1500, 1400);
  CHECK_THAT(tunnel.only().cause, Catch::Contains("a pod's packet and 50 bytes of the tunnel"));
  CHECK_THAT(tunnel.only().cure, Catch::Contains("mtu: 1350"));
  Picture v6(3, "vxlan");
  v6.nodes[0].offered[0] = v6.nodes[1].offered[0] = 2;
  v6.lose(0, 1, ProbeGoal::node, LossKind::too_big, 1500, 1400, false);
  CHECK_THAT(v6.only().cure, Catch::Contains("mtu: 1330"));
  Picture silent(3, "vxlan");
  silent.lose(0, 1, ProbeGoal::pod, LossKind::silent, 1450);
  CHECK_THAT(silent.only().cause, Catch::Contains("a link on the way takes less"));
  CHECK_THAT(silent.only().cure, Catch::Contains("a smaller mtu"));
}

TEST_CASE("network health: a thousand nodes that all lose everything are judged in a moment",
          "[network-health]") {
  Picture picture(1000);
  for (std::uint32_t from = 0; from < 1000; ++from)
    for (const std::size_t to : probe_peers(1000, from))
      picture.lose(from, static_cast<std::uint32_t>(to), ProbeGoal::node);
  const Judgement judgement = judge_pairs(picture, 10);
  CHECK(judgement.failing == 64'000);
  CHECK(judgement.first.size() == 10);
}

TEST_CASE("network health: words of the wire", "[network-health]") {
  CHECK(*probe_goal_from_string("bridge") == ProbeGoal::bridge);
  CHECK_FALSE(probe_goal_from_string("host"));
  for (const LossKind kind :
       {LossKind::silent, LossKind::no_route, LossKind::unreachable, LossKind::refused, LossKind::too_big})
    CHECK(loss_kind_from_string(to_string(kind)) == kind);
  CHECK(loss_kind_from_string("a word of tomorrow") == LossKind::silent);
}

TEST_CASE("probe peers: all of a small cluster, some of a large one, and every node by as many",
          "[network-health]") {
  CHECK(probe_peers(0, 0).empty());
  CHECK(probe_peers(1, 0).empty());
  CHECK(probe_peers(3, 3).empty());
  CHECK(probe_peers(3, 1) == std::vector<std::size_t>{0, 2});
  CHECK(probe_peers(65, 0).size() == 64);
  for (const std::size_t count : {66U, 67U, 128U, 129U, 1000U, 5000U}) {
    std::vector<std::size_t> asked(count);
    for (std::size_t self = 0; self < count; ++self) {
      const auto peers = probe_peers(count, self);
      const std::set<std::size_t> different(peers.begin(), peers.end());
      CHECK(different.size() == k_probe_peers);
      CHECK(different.count(self) == 0);
      for (const std::size_t peer : peers) ++asked[peer];
    }
    CHECK(std::all_of(asked.begin(), asked.end(), [](std::size_t times) { return times == k_probe_peers; }));
    // Who is pinged pings back: one direction can be told from both.
    for (const std::size_t peer : probe_peers(count, 5)) {
      const auto back = probe_peers(count, peer);
      CHECK(std::find(back.begin(), back.end(), 5U) != back.end());
    }
  }
}

}  // namespace
}  // namespace slipway
