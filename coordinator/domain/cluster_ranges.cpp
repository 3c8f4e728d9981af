#include "coordinator/domain/cluster_ranges.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "coordinator/domain/block_tree.hpp"
#include "coordinator/domain/network_spec.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_nat_sources = 16;
constexpr int k_shortest_nat_prefix = 24;  // wider than this it is a network of hosts, no gateway
constexpr int k_shortest_nat_prefix_ipv6 = 64;
constexpr std::string_view k_reserve = "/network/serviceReserve";

std::string slash(int prefix_length) { return "/" + std::to_string(prefix_length); }

// A block as written; absent (with the problem noted) when it cannot be used.
std::optional<Cidr> read_block(Problems& problems, const std::string& field, const std::string& text) {
  const auto block = Cidr::parse(text);
  if (!block) {
    problems.add(field, block.error().message);
    return std::nullopt;
  }
  if (!block->is_v4()) {
    problems.add(field, block->to_string() + " is IPv6: in this version a node's first address family is IPv4; for dual stack add a pool of IPv6 " +
                            "ranges to network.pools");
    return std::nullopt;
  }
  if (const auto reserved = reserved_overlap(*block)) {
    problems.add(field, block->to_string() + " overlaps " + *reserved + ": choose another range");
    return std::nullopt;
  }
  return *block;
}

struct Range {
  std::string field;
  Cidr block;
};

void read_pools(Problems& problems, ValidatedCluster& cluster, std::vector<Range>& ranges) {
  const auto& pools = cluster.spec.network.pools;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    const std::string field = "/network/pools/" + std::to_string(i);
    const auto pool = read_pool(pools[i], field, problems);
    if (!pool) continue;
    const bool taken = std::any_of(cluster.pools.begin(), cluster.pools.end(), [&](const PoolRecord& other) { return other.name == pool->name; });
    if (taken) problems.add(field + "/name", "pool " + pool->name + " stands twice");
    for (const Cidr& range : pool->ranges) ranges.push_back({field, range});
    if (usable_pods(*pool) < cluster.spec.kubelet.max_pods) {
      problems.add(field + "/nodePrefixLength", "kubelet.maxPods " + std::to_string(cluster.spec.kubelet.max_pods) + " do not fit a block of " +
                                                    slash(pool->node_prefix_length) + " with " + std::to_string(usable_pods(*pool)) + " addresses for pods");
    }
    cluster.pools.push_back(*pool);
  }
}

// A service range can only grow on its first address, so that is where room is kept.
void read_reserve(Problems& problems, ValidatedCluster& cluster, std::vector<Range>& ranges) {
  const std::string& text = cluster.spec.network.service_reserve;
  if (text.empty()) return;
  const auto reserve = read_block(problems, std::string(k_reserve), text);
  if (!reserve) return;
  const Cidr& services = cluster.service_cidr;
  if (reserve->base() != services.base() || !reserve->contains(services) || reserve->prefix_length() < k_shortest_service_prefix) {
    problems.add(std::string(k_reserve), text + " is no room for network.serviceCIDR " + services.to_string() +
                                             " to grow: write its first address with a shorter prefix, " + slash(k_shortest_service_prefix) + " at the shortest");
    return;
  }
  cluster.service_reserve = *reserve;
  if (*reserve != services) ranges.push_back({std::string(k_reserve), *reserve});
}

std::vector<Range> read_ranges(Problems& problems, ValidatedCluster& cluster) {
  const proto::NetworkSettings& network = cluster.spec.network;
  std::vector<Range> ranges;
  if (const auto pods = read_block(problems, "/network/podCIDR", network.pod_cidr)) {
    cluster.pod_cidr = *pods;
    ranges.push_back({"/network/podCIDR", *pods});
  }
  if (const auto services = read_block(problems, "/network/serviceCIDR", network.service_cidr)) {
    cluster.service_cidr = *services;
    cluster.service_reserve = *services;
    ranges.push_back({"/network/serviceCIDR", *services});
    read_reserve(problems, cluster, ranges);
  }
  read_pools(problems, cluster, ranges);
  for (std::size_t i = 0; i < network.node_cidrs.size(); ++i) {
    const std::string field = "/network/nodeCIDRs/" + std::to_string(i);
    if (const auto nodes = read_block(problems, field, network.node_cidrs[i])) {
      cluster.node_cidrs.push_back(*nodes);
      ranges.push_back({field, *nodes});
    }
  }
  return ranges;
}

// From a listed source the node's own word decides about its address, so nothing may be listed that pods or services speak from, and of the
// nodes' network only a gateway's one address.
void check_nat_source(Problems& problems, const std::string& field, const Cidr& source, const std::vector<Range>& ranges) {
  const std::string shown = source.to_string();
  const int shortest = source.is_v4() ? k_shortest_nat_prefix : k_shortest_nat_prefix_ipv6;
  if (source.prefix_length() < shortest) {
    problems.add(field, shown + " is wider than " + slash(shortest) + ": name the addresses that the gateway translates to");
    return;
  }
  if (const auto reserved = reserved_overlap(source)) {
    problems.add(field, shown + " overlaps " + *reserved + ": no gateway is there");
    return;
  }
  const bool one_address = source.prefix_length() == source.base().bits();
  for (const Range& range : ranges) {
    if (!range.block.overlaps(source)) continue;
    const bool of_nodes = range.field.starts_with("/network/nodeCIDRs");
    if (of_nodes && one_address) continue;
    problems.add(field, shown + " overlaps " + range.field + " " + range.block.to_string() +
                            (of_nodes ? ": of a gateway among the nodes name its one address, " + source.base().to_string() + slash(source.base().bits())
                                      : ": no host comes from there"));
  }
}

void read_nat_sources(Problems& problems, ValidatedCluster& cluster, const std::vector<Range>& ranges) {
  const std::vector<std::string>& texts = cluster.spec.network.nat_sources;
  if (texts.size() > k_max_nat_sources) problems.add("/network/natSources", "has more than " + std::to_string(k_max_nat_sources) + " entries");
  if (!texts.empty() && cluster.spec.network.node_cidrs.empty()) {
    problems.add("/network/natSources", "needs network.nodeCIDRs: hosts behind NAT say themselves which address they have, and it must lie in one of these");
  }
  for (std::size_t i = 0; i < texts.size() && i < k_max_nat_sources; ++i) {
    const std::string field = "/network/natSources/" + std::to_string(i);
    const auto source = Cidr::parse(texts[i]);
    if (!source) {
      problems.add(field, source.error().message);
      continue;
    }
    check_nat_source(problems, field, *source, ranges);
    for (const Cidr& other : cluster.nat_sources) {
      if (other.overlaps(*source)) problems.add(field, source->to_string() + " overlaps " + other.to_string() + " of the same list");
    }
    cluster.nat_sources.push_back(*source);
  }
}

// The room of the services is in the way of all but the services, and says nothing that they have said already.
bool is_told_already(const Range& a, const Range& b, const Cidr& services) {
  if (a.field != k_reserve && b.field != k_reserve) return false;
  return (a.field == k_reserve ? b : a).block.overlaps(services);
}

void check_overlaps(Problems& problems, const std::vector<Range>& ranges, const Cidr& services) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    for (std::size_t j = i + 1; j < ranges.size(); ++j) {
      if (!ranges[i].block.overlaps(ranges[j].block) || is_told_already(ranges[i], ranges[j], services)) continue;
      const Cidr& shared = ranges[i].block.contains(ranges[j].block) ? ranges[j].block : ranges[i].block;
      problems.add(ranges[j].field, ranges[j].block.to_string() + " overlaps " + ranges[i].field + " " +
                                        ranges[i].block.to_string() + " in " + shared.to_string() + " (" +
                                        std::to_string(shared.address_count()) + " addresses): choose disjoint ranges");
    }
  }
}

void check_outside(Problems& problems, const std::string& field, const std::string& host, const std::vector<Range>& ranges) {
  const auto address = IpAddress::parse(host);
  if (!address) return;
  for (const Range& range : ranges) {
    if (range.field.starts_with("/network/nodeCIDRs") || !range.block.contains(*address)) continue;
    problems.add(field, host + " lies in " + range.field + " " + range.block.to_string() + ": hosts' addresses must be outside it");
  }
}

bool has_field(const std::vector<Range>& ranges, std::string_view field) {
  return std::any_of(ranges.begin(), ranges.end(), [field](const Range& range) { return range.field == field; });
}

void check_pods(Problems& problems, ValidatedCluster& cluster) {
  const std::uint64_t length = cluster.spec.network.node_prefix_length;
  const int pool = cluster.pod_cidr.prefix_length();
  if (length < static_cast<std::uint64_t>(pool) || length > k_longest_node_prefix) {
    problems.add("/network/nodePrefixLength", std::to_string(length) + " does not fit network.podCIDR " +
                                                 cluster.pod_cidr.to_string() + ": from " + std::to_string(pool) +
                                                 " (one node) to " + std::to_string(k_longest_node_prefix) + " (5 pods a node)");
    return;
  }
  cluster.node_prefix_length = static_cast<int>(length);
  if (const auto cut = BlockTree::make(cluster.pod_cidr, cluster.node_prefix_length); !cut) {
    problems.add("/network/nodePrefixLength", cut.error().message);
    return;
  }
  const std::uint64_t wanted = cluster.spec.kubelet.max_pods;
  if (wanted == 0) problems.add("/kubelet/maxPods", "is 0: a node must run at least one pod");
  if (wanted > usable_pods(cluster.node_prefix_length)) {
    problems.add("/kubelet/maxPods", std::to_string(wanted) + " pods do not fit: " + cut_text(cluster.pod_cidr, cluster.node_prefix_length) +
                                        " (of a block's addresses network, gateway and broadcast are not for pods); lower maxPods or " +
                                        "set network.nodePrefixLength to " + std::to_string(prefix_for(wanted)) + " or less");
  }
}

void check_services(Problems& problems, ValidatedCluster& cluster) {
  const Cidr& services = cluster.service_cidr;
  const int length = services.prefix_length();
  if (length < k_shortest_service_prefix || length > k_longest_service_prefix) {
    problems.add("/network/serviceCIDR", services.to_string() + " has " + std::to_string(services.address_count()) +
                                            " addresses: kube-apiserver takes " + slash(k_shortest_service_prefix) + " to " +
                                            slash(k_longest_service_prefix));
    return;
  }
  std::string& text = cluster.spec.network.dns_ip;
  if (text.empty()) text = services.at(10).to_string();
  const auto address = IpAddress::parse(text);
  if (!address) {
    problems.add("/network/dnsIP", address.error().message);
    return;
  }
  cluster.dns_ip = *address;
  const IpAddress last = services.at(services.address_count() - 1);
  if (!services.contains(*address)) {
    problems.add("/network/dnsIP", text + " is not in network.serviceCIDR " + services.to_string() + ": take " + services.at(10).to_string());
  } else if (*address == services.base() || *address == services.at(1) || *address == last) {
    problems.add("/network/dnsIP", text + " is taken in " + services.to_string() +
                                      " (network address, the kubernetes service or the last one): take " + services.at(10).to_string());
  }
}

}  // namespace

int prefix_for(std::uint64_t pods) {
  int length = k_longest_node_prefix;
  while (length > 8 && usable_pods(length) < pods) --length;
  return length;
}

void check_network(Problems& problems, ValidatedCluster& cluster) {
  const std::vector<Range> ranges = read_ranges(problems, cluster);
  check_overlaps(problems, ranges, cluster.service_cidr);
  read_nat_sources(problems, cluster, ranges);
  check_outside(problems, "/apiServer/endpoint", cluster.endpoint_host, ranges);
  const auto& addresses = cluster.spec.coordinator.addresses;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    check_outside(problems, "/coordinator/addresses/" + std::to_string(i), addresses[i], ranges);
  }
  if (has_field(ranges, "/network/podCIDR")) check_pods(problems, cluster);
  if (has_field(ranges, "/network/serviceCIDR")) check_services(problems, cluster);
  const proto::NetworkSettings& network = cluster.spec.network;
  if (!is_dns_subdomain(network.dns_domain)) {
    problems.add("/network/dnsDomain", in_quotes(network.dns_domain) + " is not a DNS domain: cluster.local is usual");
  }
  const bool dual_stack = std::any_of(cluster.pools.begin(), cluster.pools.end(), [](const PoolRecord& pool) { return !pool.ranges.front().is_v4(); });
  check_pod_network(problems, network, dual_stack);
}

}  // namespace slipway
