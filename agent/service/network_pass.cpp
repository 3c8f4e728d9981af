#include "agent/service/network_pass.hpp"

#include <algorithm>
#include <utility>

namespace slipway {

namespace {

constexpr std::size_t k_told_problems = 8;  // of thousands of peers a handful tells enough

void add_peer(const proto::PeerNode& node, NetworkDesired& network, std::vector<std::string>& problems) {
  auto cidr = Cidr::parse(node.pod_cidr);
  auto gateway = IpAddress::parse(node.address);
  if (cidr && gateway) {
    network.peers.push_back({node.name, *cidr, *gateway});
  } else if (problems.size() < k_told_problems) {
    problems.push_back("network: node " + node.name + " has an address or pod range that cannot be read");
  }
}

Status add_filter(const proto::NetworkSettings& settings, NetworkDesired& network) {
  network.accept_forward = settings.accept_forward;
  for (const std::string& text : settings.no_masquerade) {
    auto range = Cidr::parse(text);
    if (!range) return context(range.error(), "network.noMasquerade");
    network.no_masquerade.push_back(*range);
  }
  return {};
}

void apply_steps(Network& network, const std::vector<NetworkStep>& steps, NetworkOutcome& outcome) {
  const std::vector<Status> results = network.apply(steps);
  for (std::size_t i = 0; i < steps.size() && i < results.size(); ++i) {
    if (results[i]) {
      outcome.changes.push_back(describe(steps[i]));
      continue;
    }
    if (std::holds_alternative<RemoveRoute>(steps[i])) outcome.peers_applied = false;
    if (outcome.problems.size() < k_told_problems) {
      outcome.problems.push_back("network: " + describe(steps[i]) + ": " + results[i].error().message);
    }
  }
}

void judge(const NetworkDesired& wanted, const NetworkObserved& seen, NetworkOutcome& outcome) {
  outcome.ready = true;
  for (const NetworkFinding& finding : network_findings(wanted, seen)) {
    if (finding.blocks_pods) outcome.ready = false;
    if (outcome.problems.size() < k_told_problems) outcome.problems.push_back("network: " + finding.message);
  }
  const NetworkLink* underlay = underlay_of(seen, wanted.node_address);
  if (underlay != nullptr) outcome.underlay = underlay->name;
  const int mtu = pod_mtu(wanted, seen);
  if (mtu > 0) outcome.pod_mtu = static_cast<std::uint32_t>(mtu);
}

}  // namespace

std::vector<std::string> pod_ranges_of(const proto::DesiredState& desired) {
  if (!desired.pod_ranges.empty()) return desired.pod_ranges;
  return {desired.cluster.network.pod_cidr};
}

Result<NetworkDesired> network_desired(const proto::DesiredState& desired, const NodeIdentity& self,
                                       std::vector<std::string>& problems) {
  NetworkDesired network;
  if (desired.cluster.network.backend == "external") network.backend = NetworkBackend::external;
  auto address = IpAddress::parse(self.address);
  if (!address) return context(address.error(), "this node's address");
  network.node_address = *address;
  auto own = Cidr::parse(self.pod_cidr);
  if (!own) return context(own.error(), "this node's pod range");
  network.own_cidr = *own;
  if (!own->is_v4()) return make_error(Errc::invalid, "this node's pod range " + own->to_string() + " is IPv6: this agent can only route IPv4 pods");
  for (const std::string& text : pod_ranges_of(desired)) {
    auto pool = Cidr::parse(text);
    if (!pool) return context(pool.error(), "the cluster's pod range");
    // Blocks of IPv6 are given and published, their data path is not this agent's yet.
    if (pool->is_v4()) network.pools.push_back(*pool);
  }
  if (auto added = add_filter(desired.cluster.network, network); !added) return added.error();
  for (const proto::PeerNode& node : desired.nodes) {
    if (node.uid != self.node_uid) add_peer(node, network, problems);
  }
  return network;
}

NetworkOutcome bring_network_about(Network& network, const proto::DesiredState& desired,
                                   const NodeIdentity& self) {
  NetworkOutcome outcome;
  const auto wanted = network_desired(desired, self, outcome.problems);
  if (!wanted) {
    outcome.message = wanted.error().message;
    outcome.problems.push_back("network: " + outcome.message);
    return outcome;
  }
  auto seen = network.observe();
  if (!seen) {
    outcome.message = seen.error().message;
    outcome.problems.push_back("network: observing: " + outcome.message);
    return outcome;
  }
  outcome.peers_applied = true;
  const std::vector<NetworkStep> steps = plan_network(*wanted, *seen);
  if (!steps.empty()) {
    apply_steps(network, steps, outcome);
    if (auto after = network.observe()) seen = std::move(after);
  }
  judge(*wanted, *seen, outcome);
  if (!outcome.problems.empty()) outcome.message = outcome.problems.front();
  return outcome;
}

}  // namespace slipway
