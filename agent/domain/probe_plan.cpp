#include "agent/domain/probe_plan.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "agent/domain/overlay_plan.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_local_tries = 8;   // pods of a family: some may be ending
constexpr std::size_t k_offered_pods = 2;  // of a family
constexpr std::size_t k_most_targets = 64;
constexpr std::size_t k_most_addresses = 4;  // of a kind, of each target

const IpAddress* of_family(const std::vector<IpAddress>& addresses, bool v4) {
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [v4](const IpAddress& address) { return address.is_v4() == v4; });
  return found == addresses.end() ? nullptr : &*found;
}

bool within(const std::vector<Cidr>& blocks, const IpAddress& address) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Cidr& block) { return block.contains(address); });
}

std::vector<std::string> texts_of(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> texts;
  for (const IpAddress& address : addresses) texts.push_back(address.to_string());
  return texts;
}

std::vector<IpAddress> parsed(const std::vector<std::string>& texts) {
  std::vector<IpAddress> addresses;
  for (const std::string& text : texts) {
    const auto address = IpAddress::parse(text);
    if (address && addresses.size() < k_most_addresses) addresses.push_back(*address);
  }
  return addresses;
}

// What came of one way to one target: all its addresses of a family.
struct Gathered {
  bool any = false;
  bool small_passes = false;
  bool large_passes = false;
  const PlannedPing* small = nullptr;  // that was lost
  const PlannedPing* large = nullptr;
  PingOutcome small_outcome, large_outcome;
};

bool tells_more(const PingOutcome& now, const PlannedPing* before, const PingOutcome& then) {
  return before == nullptr || (then.result == PingResult::silent && now.result != PingResult::silent);
}

void gather(const PlannedPing& planned, const PingOutcome& outcome, bool answered_small, Gathered& into) {
  into.any = true;
  const bool passes = outcome.result == PingResult::answered;
  if (!planned.large) {
    into.small_passes = into.small_passes || passes;
    if (passes || !tells_more(outcome, into.small, into.small_outcome)) return;
    into.small = &planned;
    into.small_outcome = outcome;
  } else if (answered_small) {  // of an address that answers to nothing a large packet tells nothing
    into.large_passes = into.large_passes || passes;
    if (passes || !tells_more(outcome, into.large, into.large_outcome)) return;
    into.large = &planned;
    into.large_outcome = outcome;
  }
}

proto::ProbeLoss loss_of(const std::string& node, const PlannedPing& planned, const PingOutcome& outcome) {
  return {node,
          std::string(planned.what),
          planned.ping.to.to_string(),
          planned.large ? planned.ping.bytes : 0,
          std::string(to_string(outcome.result)),
          outcome.mtu};
}

std::optional<proto::ProbeLoss> loss_of(const std::string& node, const Gathered& gathered) {
  if (!gathered.any) return std::nullopt;
  if (!gathered.small_passes)
    return gathered.small == nullptr ? std::nullopt
                                     : std::optional(loss_of(node, *gathered.small, gathered.small_outcome));
  if (gathered.large_passes || gathered.large == nullptr) return std::nullopt;
  return loss_of(node, *gathered.large, gathered.large_outcome);
}

constexpr std::array<std::string_view, 3> k_kinds{"node", "bridge", "pod"};

std::size_t way_of(const PlannedPing& planned) {
  const auto kind = std::find(k_kinds.begin(), k_kinds.end(), planned.what) - k_kinds.begin();
  return static_cast<std::size_t>(kind) * 2 + (planned.ping.to.is_v4() ? 0 : 1);
}

void plan_way(const std::vector<IpAddress>& sources, const std::vector<std::string>& to, std::uint32_t bytes,
              PlannedPing way, std::vector<PlannedPing>& out) {
  for (const IpAddress& address : parsed(to)) {
    const IpAddress* from = of_family(sources, address.is_v4());
    if (from == nullptr) continue;
    way.large = false;
    way.ping = {*from, address, 0};
    out.push_back(way);
    if (bytes == 0) continue;
    way.large = true;
    way.ping.bytes = bytes;
    out.push_back(way);
  }
}

}  // namespace

ProbeSelf probe_self(const NetworkDesired& desired, const NetworkObserved& observed) {
  ProbeSelf self;
  self.addresses.push_back(desired.node_address);
  if (desired.backend == NetworkBackend::external) return self;  // the coordinator tells why
  for (const auto& block : {desired.own_cidr, desired.own_second_cidr})
    if (block) self.blocks.push_back(*block);
  for (const NetworkLink& link : observed.links) {
    if (link.name != k_pod_bridge) continue;
    for (const LinkAddress& own : link.addresses)
      if (within(self.blocks, own.address) && of_family(self.bridges, own.address.is_v4()) == nullptr)
        self.bridges.push_back(own.address);
  }
  if (self.bridges.empty())
    self.note = "no pod has run here yet: there is no bridge " + std::string(k_pod_bridge) +
                " to ping pods from, or to be pinged at";
  const int mtu = pod_mtu(desired, observed);
  if (mtu <= 0) return self;
  self.pod_bytes = static_cast<std::uint32_t>(mtu);
  self.node_bytes =
      static_cast<std::uint32_t>(mtu + (uses_overlay(desired) ? overlay_overhead(desired.node_address) : 0));
  return self;
}

std::vector<Ping> plan_local_probe(const ProbeSelf& self, const std::vector<IpAddress>& leased) {
  std::vector<Ping> pings;
  std::array<std::size_t, 2> tried{};
  for (const IpAddress& pod : leased) {
    const IpAddress* from = of_family(self.bridges, pod.is_v4());
    if (from == nullptr || pod == *from || !within(self.blocks, pod)) continue;
    if (tried[pod.is_v4() ? 0 : 1]++ < k_local_tries) pings.push_back({*from, pod, 0});
  }
  return pings;
}

proto::ProbeOffer probe_offer(const std::string& probe, const ProbeSelf& self, const std::vector<Ping>& pings,
                              const std::vector<PingOutcome>& outcomes) {
  proto::ProbeOffer offer{probe, texts_of(self.bridges), {}, self.note};
  std::array<std::size_t, 2> taken{};
  for (std::size_t i = 0; i < pings.size() && i < outcomes.size(); ++i) {
    if (outcomes[i].result != PingResult::answered) continue;
    if (taken[pings[i].to.is_v4() ? 0 : 1]++ < k_offered_pods) offer.pods.push_back(pings[i].to.to_string());
  }
  return offer;
}

std::vector<PlannedPing> plan_probe(const ProbeSelf& self, const proto::ProbeTargets& targets) {
  std::vector<PlannedPing> out;
  for (std::size_t i = 0; i < targets.targets.size() && i < k_most_targets; ++i) {
    const proto::ProbeTarget& target = targets.targets[i];
    plan_way(self.addresses, target.addresses, self.node_bytes, {i, "node", false, {}}, out);
    plan_way(self.bridges, target.bridges, self.pod_bytes, {i, "bridge", false, {}}, out);
    plan_way(self.bridges, target.pods, self.pod_bytes, {i, "pod", false, {}}, out);
  }
  return out;
}

proto::ProbeReport probe_report(const ProbeSelf& self, const proto::ProbeTargets& targets,
                                const std::vector<PlannedPing>& planned,
                                const std::vector<PingOutcome>& outcomes) {
  proto::ProbeReport report{targets.probe, planned.size(), {}, self.note};
  std::vector<std::array<Gathered, 6>> gathered(std::min(targets.targets.size(), k_most_targets));
  for (std::size_t i = 0; i < planned.size() && i < outcomes.size(); ++i) {
    // A large packet stands behind the small one to the same address.
    const bool answered_small = planned[i].large && i > 0 && outcomes[i - 1].result == PingResult::answered;
    gather(planned[i], outcomes[i], answered_small, gathered[planned[i].target][way_of(planned[i])]);
  }
  for (std::size_t target = 0; target < gathered.size(); ++target) {
    for (const Gathered& way : gathered[target]) {
      auto loss = loss_of(targets.targets[target].node, way);
      if (loss) report.losses.push_back(std::move(*loss));
    }
  }
  return report;
}

}  // namespace slipway
