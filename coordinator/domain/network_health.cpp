#include "coordinator/domain/network_health.hpp"

#include <algorithm>
#include <utility>

#include "coordinator/domain/probe_tally.hpp"

namespace slipway {

namespace {

constexpr std::uint32_t k_v4_tunnel = 50;
constexpr std::uint32_t k_v6_tunnel = 70;

struct Advice {
  std::string cause;
  std::string cure;
};

// Every rule looks at one loss with all the others beside it; the first that knows something says it.
class Judge {
 public:
  Judge(const ProbePicture& picture, std::size_t most) : picture_(picture), tally_(picture), most_(most) {}

  void pair(std::uint32_t from, std::uint32_t to, Judgement& judgement) const;
  const ProbeTally& tally() const { return tally_; }

 private:
  bool node_fails(std::uint32_t from, std::uint32_t to) const {
    return tally_.lost(from, to, {ProbeGoal::node, true}, false) != nullptr ||
           tally_.lost(from, to, {ProbeGoal::node, false}, false) != nullptr;
  }
  const ProbeLoss* pods_loss(std::uint32_t from, std::uint32_t to, bool v4) const;
  const ProbeLoss* large_loss(std::uint32_t from, std::uint32_t to, bool v4) const;
  bool pods_work(const ProbeLoss& loss) const;

  using Rule = Advice (Judge::*)(const ProbeLoss& loss) const;
  void add(std::string_view what, const ProbeLoss& loss, Rule rule, Judgement& judgement) const;
  Advice node_advice(const ProbeLoss& loss) const;
  Advice pods_advice(const ProbeLoss& loss) const;
  Advice delivery_advice(const ProbeLoss& loss) const;
  Advice tunnel_advice(const ProbeLoss& loss) const;
  Advice direct_advice(const ProbeLoss& loss) const;
  Advice routes_advice(const ProbeLoss& loss) const;
  Advice large_advice(const ProbeLoss& loss) const;

  const std::string& name(std::uint32_t node) const { return picture_.nodes[node].name; }
  std::string port() const { return "UDP port " + std::to_string(picture_.settings.vxlan.port); }
  bool tunnels() const { return tunnel_overhead(picture_.settings, true) > 0; }

  const ProbePicture& picture_;
  ProbeTally tally_;
  std::size_t most_;
};

ProbeWay way_of(const ProbeLoss& loss) {
  return {loss.goal, loss.address.is_v4()};
}

// A pod tells that its node's bridge is reached as well, so the bridge's loss tells more.
const ProbeLoss* Judge::pods_loss(std::uint32_t from, std::uint32_t to, bool v4) const {
  const ProbeLoss* bridge = tally_.lost(from, to, {ProbeGoal::bridge, v4}, false);
  return bridge != nullptr ? bridge : tally_.lost(from, to, {ProbeGoal::pod, v4}, false);
}

const ProbeLoss* Judge::large_loss(std::uint32_t from, std::uint32_t to, bool v4) const {
  for (const ProbeGoal goal : {ProbeGoal::node, ProbeGoal::bridge, ProbeGoal::pod}) {
    const ProbeLoss* loss = tally_.lost(from, to, {goal, v4}, true);
    if (loss != nullptr) return loss;
  }
  return nullptr;
}

bool Judge::pods_work(const ProbeLoss& loss) const {
  const ProbeWay bridge{ProbeGoal::bridge, loss.address.is_v4()};
  return tally_.works(loss.from, loss.to, bridge);
}

void Judge::add(std::string_view what, const ProbeLoss& loss, Rule rule, Judgement& judgement) const {
  ++judgement.failing;
  if (judgement.first.size() >= most_) return;
  Advice advice = (this->*rule)(loss);
  judgement.first.push_back(
      {loss.from, loss.to, what, loss, std::move(advice.cause), std::move(advice.cure)});
}

void Judge::pair(std::uint32_t from, std::uint32_t to, Judgement& judgement) const {
  const bool unreached = node_fails(from, to);
  for (const bool v4 : {true, false}) {
    const ProbeLoss* node = tally_.lost(from, to, {ProbeGoal::node, v4}, false);
    if (node != nullptr) add("node", *node, &Judge::node_advice, judgement);
    const ProbeLoss* pods = pods_loss(from, to, v4);
    if (pods != nullptr && !unreached) add("pod", *pods, &Judge::pods_advice, judgement);
    const ProbeLoss* large = large_loss(from, to, v4);
    const bool new_to_us =
        node == nullptr && (pods == nullptr || (large != nullptr && large->goal == ProbeGoal::node));
    if (large != nullptr && new_to_us) add("mtu", *large, &Judge::large_advice, judgement);
  }
}

Advice Judge::node_advice(const ProbeLoss& loss) const {
  const ProbeWay way = way_of(loss);
  const ProbedNode& target = picture_.nodes[loss.to];
  const std::string& from = name(loss.from);
  const std::string& to = target.name;
  const std::string address = loss.address.to_string();
  if (!target.heard && !target.reported && tally_.towards(loss.to, way).all_lost())
    return {to + " is down or cut off: nobody reaches it, and its agent is not in contact",
            "start the host or mend its link; slipwayctl node delete " + to + " if it is gone for good"};
  if (loss.kind == LossKind::no_route)
    return {from + " has no route to " + address,
            "on " + from + ": ip route get " + address + ", and mend the host's own routes"};
  if (pods_work(loss))
    return {"a packet filter drops pings to the address of " + to + ": its pods are reached from " + from,
            "allow ICMP echo requests to " + address + " on " + to};
  if (loss.kind == LossKind::refused)
    return {"a packet filter refuses pings from " + from + " to " + to,
            "allow ICMP echo requests between nodes, on " + to + " and on what stands between"};
  if (tally_.towards(loss.to, way).many_lost())
    return {"nobody reaches the address of " + to + ", although its agent is in contact: a firewall on " +
                to + " or before it drops pings, or the host lost its link",
            "allow ICMP echo requests to " + address + "; on " + to + ": ip address, nft list ruleset"};
  if (tally_.from(loss.from, way).many_lost())
    return {from + " reaches no other node: its own firewall or link",
            "on " + from + ": ip route, nft list ruleset"};
  if (tally_.works(loss.to, loss.from, way))
    return {"only this direction fails: a firewall on " + to + " or between drops what " + from + " begins",
            "allow ICMP echo requests from " + from + " on " + to};
  if (tally_.apart(loss.from, loss.to, way))
    return {
        "the nodes stand in groups that do not reach each other: " + from + " in one, " + to + " in another",
        "route and allow traffic between the networks of both"};
  return {"the network between " + from + " and " + to +
              " loses packets, or a firewall on one of them drops pings",
          "on " + from + ": ip neigh show " + address + ", tracepath -n " + address};
}

// The node itself is reached.
Advice Judge::pods_advice(const ProbeLoss& loss) const {
  for (const std::uint32_t node : {loss.from, loss.to}) {
    const std::string& unready = picture_.nodes[node].unready;
    if (!unready.empty())
      return {"the pod network of " + name(node) + " is not whole: " + unready,
              "slipwayctl node get " + name(node) + "; on it: journalctl -u slipway-agent"};
  }
  if (loss.kind == LossKind::no_route)
    return {
        name(loss.from) + " has no route to the pods of " + name(loss.to),
        "its agent sets it within a minute; else on " + name(loss.from) + ": journalctl -u slipway-agent"};
  const ProbeWay bridge{ProbeGoal::bridge, loss.address.is_v4()};
  if (loss.goal == ProbeGoal::pod && tally_.works(loss.from, loss.to, bridge)) return delivery_advice(loss);
  if (loss.kind == LossKind::refused)
    return {"a packet filter on " + name(loss.to) + " or between refuses packets to pods",
            "on " + name(loss.to) + ": nft list ruleset, iptables -S"};
  if (picture_.settings.backend == "routes") return routes_advice(loss);
  if (!tunnels()) return direct_advice(loss);
  Advice advice = tunnel_advice(loss);
  if (picture_.settings.cross_subnet)
    advice.cause += "; or, where both are on one network, packets with pods' addresses are dropped there";
  return advice;
}

// The bridge of the target answers, no pod behind it does.
Advice Judge::delivery_advice(const ProbeLoss& loss) const {
  const std::string& to = name(loss.to);
  const std::string cure = "on " + to + ": iptables -S FORWARD, nft list ruleset, sysctl net.ipv4.ip_forward";
  if (loss.kind == LossKind::refused)
    return {"a packet filter on " + to + " refuses what is forwarded to its pods", cure};
  return {to + " does not forward to its pods: a chain FORWARD of somebody else's drops packets, or "
               "forwarding is off",
          cure};
}

Advice Judge::tunnel_advice(const ProbeLoss& loss) const {
  const ProbeWay way = way_of(loss);
  const std::string open = "allow " + port() + " between the nodes' addresses";
  if (tally_.of_all(way).many_lost())
    return {port() + " is blocked between the nodes: no pod of another node is reached, while nodes are",
            open};
  for (const std::uint32_t node : {loss.to, loss.from}) {
    const bool alone =
        node == loss.to ? tally_.towards(node, way).many_lost() : tally_.from(node, way).many_lost();
    if (alone)
      return {port() + " is blocked on " + name(node) +
                  ", or its tunnel is broken: only pods fail, and with all other nodes",
              open + ", on " + name(node) + " first; there: ip -d link show slipway-vx"};
  }
  if (tally_.works(loss.to, loss.from, way))
    return {"only this direction fails: a firewall drops packets of the tunnel from " + name(loss.from) +
                " to " + name(loss.to),
            "allow " + port() + " from " + name(loss.from) + " on " + name(loss.to)};
  return {"packets of the tunnel between " + name(loss.from) + " and " + name(loss.to) +
              " are lost: " + port() + " is blocked between them",
          open};
}

Advice Judge::direct_advice(const ProbeLoss& loss) const {
  const ProbeWay way = way_of(loss);
  const std::string& from = name(loss.from);
  const std::string& to = name(loss.to);
  const std::string look = ": nft list ruleset, sysctl net.ipv4.ip_forward";
  if (tally_.apart(loss.from, loss.to, way))
    return {"the nodes stand in groups whose pods do not reach each other: " + from + " and " + to +
                " are not on one layer 2 network",
            "crossSubnet: true in the cluster's network settings"};
  const bool all = tally_.of_all(way).many_lost();
  if (!all && tally_.towards(loss.to, way).many_lost())
    return {to + " drops what comes for its pods, from every node: a firewall, or forwarding is off",
            "on " + to + look};
  if (!all && tally_.from(loss.from, way).many_lost())
    return {"packets from pods of " + from + " arrive nowhere: a firewall on " + from +
                ", or what stands before it takes only the node's own address",
            "on " + from + look + "; in a cloud switch its source and destination check off"};
  if (tally_.works(loss.to, loss.from, way))
    return {"only this direction fails: a firewall on " + to +
                " or between drops packets with pods' addresses from " + from,
            "on " + to + look};
  return {
      "what stands between the nodes drops packets with pods' addresses, while those with the nodes' own "
      "pass",
      "in a cloud switch the source and destination check off; where that cannot be, crossSubnet: true, or "
      "backend vxlan for the next cluster"};
}

Advice Judge::routes_advice(const ProbeLoss& loss) const {
  return {"the network outside does not lead to the pods of " + name(loss.to) + ", or not back to those of " +
              name(loss.from),
          "slipwayctl health names routes that the hook could not set; in a cloud switch the source and "
          "destination check off"};
}

Advice Judge::large_advice(const ProbeLoss& loss) const {
  const std::uint32_t overhead =
      loss.goal == ProbeGoal::node ? tunnel_overhead(picture_.settings, loss.address.is_v4()) : 0;
  std::string cause = "packets of " + std::to_string(loss.bytes) + " bytes do not pass from " +
                      name(loss.from) + " to " + name(loss.to) + ", small ones do: ";
  cause +=
      loss.mtu > 0 ? "the way takes at most " + std::to_string(loss.mtu) : "a link on the way takes less";
  if (overhead > 0) cause += " (a pod's packet and " + std::to_string(overhead) + " bytes of the tunnel)";
  const std::string wanted =
      loss.mtu > overhead ? "mtu: " + std::to_string(loss.mtu - overhead) : "a smaller mtu";
  return {std::move(cause), wanted +
                                " in the cluster's network settings, for pods that start from then on; or a "
                                "larger MTU on the link"};
}

}  // namespace

std::uint32_t tunnel_overhead(const proto::NetworkSettings& settings, bool v4) {
  if (settings.backend != "vxlan" && !(settings.backend == "host-gw" && settings.cross_subnet)) return 0;
  return v4 ? k_v4_tunnel : k_v6_tunnel;
}

Result<ProbeGoal> probe_goal_from_string(std::string_view word) {
  if (word == "node") return ProbeGoal::node;
  if (word == "bridge") return ProbeGoal::bridge;
  if (word == "pod") return ProbeGoal::pod;
  return make_error(Errc::invalid, "must be node, bridge or pod");
}

std::string_view to_string(LossKind kind) {
  switch (kind) {
    case LossKind::silent:
      return "silent";
    case LossKind::no_route:
      return "no-route";
    case LossKind::unreachable:
      return "unreachable";
    case LossKind::refused:
      return "refused";
    case LossKind::too_big:
      return "too-big";
  }
  return "silent";
}

LossKind loss_kind_from_string(std::string_view word) {
  for (const LossKind kind :
       {LossKind::no_route, LossKind::unreachable, LossKind::refused, LossKind::too_big})
    if (word == to_string(kind)) return kind;
  return LossKind::silent;
}

Judgement judge_pairs(const ProbePicture& picture, std::size_t most) {
  const Judge judge(picture, most);
  Judgement judgement;
  for (std::uint32_t from = 0; from < picture.nodes.size(); ++from) {
    std::vector<std::uint32_t> peers = judge.tally().peers(from);
    std::sort(peers.begin(), peers.end());
    for (const std::uint32_t to : peers) judge.pair(from, to, judgement);
  }
  return judgement;
}

}  // namespace slipway
