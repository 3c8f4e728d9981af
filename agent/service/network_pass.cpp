#include "agent/service/network_pass.hpp"

#include <algorithm>
#include <utility>

#include "agent/domain/network_rules.hpp"
#include "agent/domain/sysctl_plan.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_told_problems = 8;  // of thousands of peers a handful tells enough
constexpr std::uint64_t k_max_vni = (1U << 24) - 1;
constexpr std::uint64_t k_max_port = 65535;
constexpr std::uint64_t k_max_mtu = 65535;

template <class T>
Result<std::optional<T>> parse_optional(const std::optional<std::string>& text) {
  if (!text) return std::optional<T>();
  auto parsed = T::parse(*text);
  if (!parsed) return parsed.error();
  return std::optional<T>(*parsed);
}

void add_peer(const proto::PeerNode& node, NetworkDesired& network, std::vector<std::string>& problems) {
  auto cidr = Cidr::parse(node.pod_cidr);
  auto gateway = IpAddress::parse(node.address);
  auto second_cidr = parse_optional<Cidr>(node.second_pod_cidr);
  if (cidr && gateway && second_cidr) {
    network.peers.push_back({node.name, *cidr, *gateway, *second_cidr});
  } else if (problems.size() < k_told_problems) {
    problems.push_back("network: node " + node.name + " has an address or pod range that cannot be read");
  }
}

// A backend that this agent does not know must not be taken for another one: routes of both would fight.
Result<NetworkBackend> backend_of(const std::string& name) {
  if (name == "host-gw") return NetworkBackend::host_gw;
  if (name == "vxlan") return NetworkBackend::vxlan;
  if (name == "routes") return NetworkBackend::routes;
  if (name == "external") return NetworkBackend::external;
  return make_error(Errc::invalid, "this agent does not know the network backend \"" + name + "\": upgrade it");
}

Status take_settings(const proto::NetworkSettings& settings, NetworkDesired& network) {
  auto backend = backend_of(settings.backend);
  if (!backend) return backend.error();
  network.backend = *backend;
  network.cross_subnet = settings.cross_subnet;
  network.accept_forward = settings.accept_forward;
  if (settings.vxlan.id > k_max_vni || settings.vxlan.port > k_max_port || settings.mtu > k_max_mtu)
    return make_error(Errc::invalid, "the network's vxlan.id, vxlan.port or mtu is out of bounds");
  network.vxlan_id = static_cast<std::uint32_t>(settings.vxlan.id);
  network.vxlan_port = static_cast<std::uint16_t>(settings.vxlan.port);
  network.mtu = static_cast<int>(settings.mtu);
  for (const std::string& text : settings.no_masquerade) {
    auto range = Cidr::parse(text);
    if (!range) return context(range.error(), "network.noMasquerade");
    network.no_masquerade.push_back(*range);
  }
  return {};
}

// Two clusters on one layer 2 network may have the same pod ranges: their tunnels' MACs differ by this.
std::uint8_t salt_of(const std::string& cluster_id) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : cluster_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return static_cast<std::uint8_t>(hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24);
}

bool removes_way(const NetworkStep& step) {
  return std::holds_alternative<RemoveRoute>(step) || std::holds_alternative<RemoveForwarding>(step) ||
         std::holds_alternative<RemoveNeighbour>(step) || std::holds_alternative<RemoveOverlay>(step);
}

void apply_steps(Network& network, const std::vector<NetworkStep>& steps, NetworkOutcome& outcome) {
  const std::vector<Status> results = network.apply(steps);
  for (std::size_t i = 0; i < steps.size() && i < results.size(); ++i) {
    if (results[i]) {
      outcome.changes.push_back(describe(steps[i]));
      if (const auto* write = std::get_if<WriteNetworkFile>(&steps[i])) outcome.files.push_back(write->file);
      continue;
    }
    if (removes_way(steps[i])) outcome.peers_applied = false;
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
  if (underlay != nullptr && wanted.backend != NetworkBackend::external)
    outcome.mtu_left = static_cast<std::uint32_t>(std::max(0, mtu_left(wanted, *underlay)));
  outcome.silent_sysctls = silent_sysctls(wanted, seen);
  const int mtu = pod_mtu(wanted, seen);
  if (mtu > 0) outcome.pod_mtu = static_cast<std::uint32_t>(mtu);
}

}  // namespace

std::vector<std::string> pod_ranges_of(const proto::DesiredState& desired) {
  if (!desired.pod_ranges.empty()) return desired.pod_ranges;
  return {desired.cluster.network.pod_cidr};
}

Result<std::optional<Cidr>> second_block_of(const proto::DesiredState& desired, const std::string& node_uid) {
  for (const proto::PeerNode& node : desired.nodes)
    if (node.uid == node_uid) return parse_optional<Cidr>(node.second_pod_cidr);
  return std::optional<Cidr>();
}

Result<NetworkDesired> network_desired(const proto::DesiredState& desired, const NodeIdentity& self,
                                       std::vector<std::string>& problems) {
  NetworkDesired network;
  if (auto taken = take_settings(desired.cluster.network, network); !taken) return taken.error();
  auto address = IpAddress::parse(self.address);
  if (!address) return context(address.error(), "this node's address");
  network.node_address = *address;
  auto own = Cidr::parse(self.pod_cidr);
  if (!own) return context(own.error(), "this node's pod range");
  network.own_cidr = *own;
  if (!own->is_v4())
    return make_error(Errc::invalid, "this node's pod range " + own->to_string() + " is IPv6: IPv6 pods need an IPv4 range beside it");
  auto second = second_block_of(desired, self.node_uid);
  if (!second) return context(second.error(), "this node's second pod range");
  network.own_second_cidr = *second;
  network.mac_salt = salt_of(self.cluster_id);
  for (const std::string& text : pod_ranges_of(desired)) {
    auto pool = Cidr::parse(text);
    if (!pool) return context(pool.error(), "the cluster's pod range");
    network.pools.push_back(*pool);
  }
  for (const proto::PeerNode& node : desired.nodes) {
    if (node.uid != self.node_uid) add_peer(node, network, problems);
  }
  return network;
}

NetworkDraft draft_network(Network& network, const proto::DesiredState& desired, const NodeIdentity& self) {
  NetworkDraft draft;
  NetworkOutcome& outcome = draft.outcome;
  auto wanted = network_desired(desired, self, outcome.problems);
  if (!wanted) {
    outcome.message = wanted.error().message;
    outcome.problems.push_back("network: " + outcome.message);
    return draft;
  }
  auto seen = network.observe();
  if (!seen) {
    outcome.message = seen.error().message;
    outcome.problems.push_back("network: observing: " + outcome.message);
    return draft;
  }
  draft.steps = plan_network(*wanted, *seen);
  draft.wanted = std::move(*wanted);
  draft.seen = std::move(*seen);
  return draft;
}

NetworkOutcome carry_out(Network& network, NetworkDraft draft) {
  NetworkOutcome outcome = std::move(draft.outcome);
  if (!draft.wanted) return outcome;
  outcome.peers_applied = true;
  if (!draft.steps.empty()) {
    apply_steps(network, draft.steps, outcome);
    if (auto after = network.observe()) draft.seen = std::move(*after);
  }
  judge(*draft.wanted, draft.seen, outcome);
  if (!outcome.problems.empty()) outcome.message = outcome.problems.front();
  return outcome;
}

NetworkOutcome bring_network_about(Network& network, const proto::DesiredState& desired,
                                   const NodeIdentity& self) {
  return carry_out(network, draft_network(network, desired, self));
}

}  // namespace slipway
