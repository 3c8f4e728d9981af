#include "coordinator/domain/cluster_spec.hpp"

#include <algorithm>
#include <utility>

#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "coordinator/domain/block_tree.hpp"
#include "coordinator/domain/network_spec.hpp"
#include "coordinator/domain/settings_check.hpp"
#include "proto/artifact_manifest.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_name = 40;
constexpr int k_longest_node_prefix = 29;
// kube-apiserver refuses larger service ranges; the default DNS address, the tenth, needs a /28.
constexpr int k_shortest_service_prefix = 12;
constexpr int k_longest_service_prefix = 28;
constexpr std::size_t k_max_nat_sources = 16;
constexpr int k_shortest_nat_prefix = 24;  // wider than this it is a network of hosts, no gateway
constexpr int k_shortest_nat_prefix_ipv6 = 64;
constexpr std::string_view k_reserve = "/network/serviceReserve";
constexpr Seconds k_min_ttl{60};
constexpr Seconds k_max_ttl{366 * 86400};

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

void check_host(Problems& problems, const std::string& field, const std::string& host) {
  const auto address = IpAddress::parse(host);
  if (!address) {
    // A name whose last label is a number is a mistyped address to every URL parser.
    const auto labels = split(host, '.');
    if (!is_dns_subdomain(host) || parse_u64(labels.back())) {
      problems.add(field, quoted(host) + " is neither an IP address nor a DNS name");
    }
    return;
  }
  if (address->is_loopback() || address->is_link_local() || address->is_unspecified() || address->is_multicast()) {
    problems.add(field, host + " cannot be reached from other hosts: give the address on the nodes' network");
  }
}

void check_name(Problems& problems, const std::string& name) {
  if (!is_dns_label(name) || name.size() > k_max_name) {
    problems.add("/metadata/name", quoted(name) + " is not a cluster name: 1 to " + std::to_string(k_max_name) +
                                      " lower-case letters, digits and hyphens, no hyphen at the ends");
  }
}

// "[::1]:6443", "10.0.0.1:6443" or "api.example:6443" in its parts.
bool split_authority(const std::string& authority, std::string& host, std::string& port) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find("]:");
    if (end == std::string::npos) return false;
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 2);
    return true;
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string::npos || authority.find(':', colon + 1) != std::string::npos) return false;
  host = authority.substr(0, colon);
  port = authority.substr(colon + 1);
  return true;
}

void read_endpoint(Problems& problems, ValidatedCluster& cluster) {
  static const std::string k_field = "/apiServer/endpoint";
  const std::string& text = cluster.spec.api_server.endpoint;
  static constexpr std::string_view k_scheme = "https://";
  if (text.starts_with("http://")) {
    problems.add(k_field, "HTTPS only: the API server carries secrets; write https://" + text.substr(7));
    return;
  }
  std::string port;
  if (!text.starts_with(k_scheme) || !split_authority(text.substr(k_scheme.size()), cluster.endpoint_host, port)) {
    problems.add(k_field, quoted(text) + " must be https://ADDRESS:PORT, as in https://10.0.0.1:6443");
    return;
  }
  const auto number = parse_u64(port, 65535);
  if (!number || *number == 0) {
    problems.add(k_field, quoted(port) + " is not a port: write https://" + cluster.endpoint_host + ":6443, without a path");
    return;
  }
  cluster.endpoint_port = static_cast<std::uint16_t>(*number);
  check_host(problems, k_field, cluster.endpoint_host);
  if (const auto address = IpAddress::parse(cluster.endpoint_host)) cluster.endpoint_address = *address;
}

void check_coordinator(Problems& problems, const proto::CoordinatorSettings& coordinator) {
  if (coordinator.addresses.empty()) {
    problems.add("/coordinator/addresses", "is empty: name at least one address or DNS name under which agents reach it");
  }
  for (std::size_t i = 0; i < coordinator.addresses.size(); ++i) {
    check_host(problems, "/coordinator/addresses/" + std::to_string(i), coordinator.addresses[i]);
  }
  if (coordinator.port == 0 || coordinator.port > 65535) {
    problems.add("/coordinator/port", std::to_string(coordinator.port) + " is not a port: 1 to 65535, usually 7443");
  }
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

std::string cut_text(const Cidr& pods, int length) {
  return pods.to_string() + " cut in " + slash(length) + " holds " +
         std::to_string(std::uint64_t{1} << (length - pods.prefix_length())) + " nodes with " +
         std::to_string(usable_pods(length)) + " pods each";
}

// The longest prefix length (smallest block) that holds this many pods.
int prefix_for(std::uint64_t pods) {
  int length = k_longest_node_prefix;
  while (length > 8 && usable_pods(length) < pods) --length;
  return length;
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
    problems.add("/network/dnsDomain", quoted(network.dns_domain) + " is not a DNS domain: cluster.local is usual");
  }
  const bool dual_stack = std::any_of(cluster.pools.begin(), cluster.pools.end(), [](const PoolRecord& pool) { return !pool.ranges.front().is_v4(); });
  check_pod_network(problems, network, dual_stack);
}

void check_version(Problems& problems, const std::string& field, const std::string& text) {
  if (text.empty()) {
    problems.add(field, "is missing: write a version, as in 1.20.2");
    return;
  }
  const auto parts = split(text, '.');
  const bool good = parts.size() == 3 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) { return parse_u64(part, 9999).has_value(); });
  if (!good) problems.add(field, quoted(text) + " is not a version: three numbers without a v, as in 1.20.2");
}

void check_versions(Problems& problems, const proto::ClusterSpec& spec) {
  const proto::Versions& versions = spec.versions;
  check_version(problems, "/versions/kubernetes", versions.kubernetes);
  check_version(problems, "/versions/etcd", versions.etcd);
  check_version(problems, "/versions/cniPlugins", versions.cni_plugins);
  // Which of these must be there is the runtime's.
  if (!versions.docker.empty()) check_version(problems, "/versions/docker", versions.docker);
  if (!versions.containerd.empty()) check_version(problems, "/versions/containerd", versions.containerd);
  if (!versions.runc.empty()) check_version(problems, "/versions/runc", versions.runc);
  if (!versions.cri_dockerd.empty()) check_version(problems, "/versions/criDockerd", versions.cri_dockerd);
  for (const kube::FieldProblem& problem : kube::runtime_problems(spec)) problems.add(problem.field, problem.text);
}

void check_kubelet(Problems& problems, const proto::KubeletSettings& kubelet) {
  if (kubelet.pod_infra_container_image.find_first_of(" \t\r\n") != std::string::npos) {
    problems.add("/kubelet/podInfraContainerImage", quoted(kubelet.pod_infra_container_image) + " has white space in it");
  }
}

Seconds read_ttl(Problems& problems, const std::string& field, const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) {
    problems.add(field, quoted(text) + " is not a duration: write it as in 24h, 90m or 7d");
    return k_min_ttl;
  }
  if (*duration < k_min_ttl || *duration > k_max_ttl) {
    problems.add(field, text + " is out of bounds: from 1m to 366d");
  }
  return *duration;
}

void check_certificates(Problems& problems, ValidatedCluster& cluster) {
  const proto::CertificateSettings& settings = cluster.spec.certificates;
  cluster.node_ttl = read_ttl(problems, "/certificates/nodeTTL", settings.node_ttl);
  cluster.serving_ttl = read_ttl(problems, "/certificates/servingTTL", settings.serving_ttl);
  cluster.operator_ttl = read_ttl(problems, "/certificates/operatorTTL", settings.operator_ttl);
  cluster.admin_ttl = read_ttl(problems, "/certificates/adminTTL", settings.admin_ttl);
  if (cluster.admin_ttl > k_max_admin_life && cluster.admin_ttl <= k_max_ttl) {
    problems.add("/certificates/adminTTL", settings.admin_ttl + " is out of bounds: at most 12h, as kube-apiserver takes a kubeconfig until its end and " +
                                              "knows no revocation; for operators' certificates, which can be revoked, set certificates.operatorTTL");
  }
  if (!(settings.renew_at > 0.1 && settings.renew_at < 0.95)) {
    problems.add("/certificates/renewAt", std::to_string(settings.renew_at) +
                                             " is out of bounds: a part of the life between 0.1 and 0.95, usually 0.667");
  }
}

void check_artifacts(Problems& problems, const proto::ArtifactSettings& artifacts) {
  if (const Status signers = proto::check_signers(artifacts.signers, artifacts.threshold); !signers)
    problems.add("/artifacts/signers", signers.error().message);
  for (std::size_t i = 0; i < artifacts.mirrors.size(); ++i) {
    const std::string& url = artifacts.mirrors[i];
    const bool plain = url.starts_with("https://") && url.size() > 8 && url.find_first_of(" \t\r\n?#@") == std::string::npos;
    if (!plain) problems.add("/artifacts/mirrors/" + std::to_string(i), quoted(url) + " is not a place: write it as in https://mirror.example/slipway");
  }
  if (!artifacts.mirror_ca.empty() && artifacts.mirror_ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    problems.add("/artifacts/mirrorCA", "is no certificate in PEM");
}

}  // namespace

Result<ValidatedCluster> validate(const proto::ClusterSpec& spec) {
  Problems problems;
  ValidatedCluster cluster;
  cluster.spec = spec;
  check_name(problems, spec.metadata.name);
  read_endpoint(problems, cluster);
  check_coordinator(problems, spec.coordinator);
  check_network(problems, cluster);
  check_versions(problems, spec);
  check_kubelet(problems, spec.kubelet);
  check_cluster_settings(problems, spec);
  check_certificates(problems, cluster);
  check_artifacts(problems, spec.artifacts);
  if (spec.admission != "token" && spec.admission != "manual") {
    problems.add("/admission", quoted(spec.admission) + " is not known: token (a valid token is enough) or manual (an operator approves each node)");
  }
  if (spec.network.address_change != "follow" && spec.network.address_change != "refuse") {
    problems.add("/network/addressChange", quoted(spec.network.address_change) + " is not known: follow (a node that comes from another address moves there) or refuse (an operator has to replace it)");
  }
  if (!problems.none()) return problems.error(Errc::invalid, "the cluster cannot be made as written:");
  return cluster;
}

proto::ClusterSpec brought_up_to_date(proto::ClusterSpec stored) {
  proto::CertificateSettings& settings = stored.certificates;
  const auto admin = parse_duration(settings.admin_ttl);
  if (admin && *admin > k_max_admin_life) settings.operator_ttl = std::exchange(settings.admin_ttl, "12h");
  return stored;
}

Status check_change(const ValidatedCluster& living, const ValidatedCluster& wanted) {
  Problems problems;
  const auto fixed = [&problems](const std::string& field, const std::string& is, const std::string& would_be) {
    if (is != would_be) problems.add(field, "is " + is + " and cannot become " + would_be + " on a living cluster");
  };
  fixed("/metadata/name", living.spec.metadata.name, wanted.spec.metadata.name);
  fixed("/apiServer/endpoint", living.spec.api_server.endpoint, wanted.spec.api_server.endpoint);
  // The kubelets would lose the pods of the other runtime, and nobody would end them.
  fixed("/runtime", living.spec.runtime, wanted.spec.runtime);
  if (!wanted.pod_cidr.contains(living.pod_cidr)) {
    problems.add("/network/podCIDR", "is " + living.pod_cidr.to_string() + " and cannot become " + wanted.pod_cidr.to_string() +
                                        ": it may only grow around what it is; add a pool for another range (network.pools)");
  }
  check_pod_network_change(problems, living.spec.network, wanted.spec.network);
  fixed("/network/nodePrefixLength", std::to_string(living.node_prefix_length), std::to_string(wanted.node_prefix_length));
  const bool grown = wanted.service_cidr.base() == living.service_cidr.base() && wanted.service_cidr.contains(living.service_cidr);
  if (!grown) {
    problems.add("/network/serviceCIDR", "is " + living.service_cidr.to_string() + " and cannot become " +
                                            wanted.service_cidr.to_string() +
                                            ": it may only grow and must keep its first address, where the kubernetes service and DNS are");
  }
  if (problems.none()) return {};
  Error error = problems.error(Errc::conflict, "the living cluster cannot be changed like that:");
  error.cause = Cause::fixed;
  return error;
}

std::uint64_t usable_pods(int node_prefix_length) {
  const std::uint64_t addresses = std::uint64_t{1} << (32 - node_prefix_length);
  return addresses < 3 ? 0 : addresses - 3;
}

proto::ClusterCapacity capacity_of(const ValidatedCluster& cluster) {
  proto::ClusterCapacity capacity;
  capacity.max_nodes = std::uint64_t{1} << (cluster.node_prefix_length - cluster.pod_cidr.prefix_length());
  capacity.pods_per_node = std::min(usable_pods(cluster.node_prefix_length), cluster.spec.kubelet.max_pods);
  capacity.services = cluster.service_cidr.address_count() - 2;
  return capacity;
}

std::string capacity_report(const ValidatedCluster& cluster) {
  const proto::ClusterCapacity capacity = capacity_of(cluster);
  const std::uint64_t addresses = usable_pods(cluster.node_prefix_length);
  std::string text = "pods: " + cut_text(cluster.pod_cidr, cluster.node_prefix_length) + " (2^(" +
                     std::to_string(cluster.node_prefix_length) + "-" + std::to_string(cluster.pod_cidr.prefix_length()) +
                     ") blocks of 2^(32-" + std::to_string(cluster.node_prefix_length) +
                     ") addresses, less network, gateway and broadcast); kubelet runs at most " +
                     std::to_string(cluster.spec.kubelet.max_pods) + " on a node, " +
                     std::to_string(capacity.max_nodes * capacity.pods_per_node) + " in all\n";
  if (addresses < 2 * cluster.spec.kubelet.max_pods) {
    text += "  note: fewer than two addresses for each pod; freed ones will be used again at once\n";
  }
  text += "services: " + cluster.service_cidr.to_string() + " holds " + std::to_string(capacity.services) +
          "; kubernetes is " + cluster.service_cidr.at(1).to_string() + ", DNS " + cluster.dns_ip.to_string() + "\n";
  text += "API server: " + cluster.spec.api_server.endpoint + "\n";
  return text;
}

PoolRecord default_pool(const ValidatedCluster& cluster) {
  PoolRecord pool;
  pool.name = k_default_pool;
  pool.order = 1;
  pool.ranges = {cluster.pod_cidr};
  pool.node_prefix_length = cluster.node_prefix_length;
  return pool;
}

ProfileCluster profile_cluster(const ValidatedCluster& cluster, const std::string& cluster_id) {
  ProfileCluster profile;
  profile.name = cluster.spec.metadata.name;
  profile.id = cluster_id;
  profile.dns_domain = cluster.spec.network.dns_domain;
  profile.api_endpoint_host = cluster.endpoint_host;
  profile.pod_cidrs = {cluster.pod_cidr};
  for (const PoolRecord& pool : cluster.pools) profile.pod_cidrs.insert(profile.pod_cidrs.end(), pool.ranges.begin(), pool.ranges.end());
  profile.service_cidrs = {cluster.service_cidr};
  profile.node_cidrs = cluster.node_cidrs;
  profile.coordinator_names = cluster.spec.coordinator.addresses;
  return profile;
}

Lifetimes lifetimes_of(const ValidatedCluster& cluster) {
  Lifetimes lifetimes;
  lifetimes.node = cluster.node_ttl;
  lifetimes.serving = cluster.serving_ttl;
  lifetimes.control_plane = cluster.serving_ttl;
  lifetimes.admin = cluster.admin_ttl;
  lifetimes.operators = cluster.operator_ttl;
  return lifetimes;
}

std::string coordinator_url(const proto::CoordinatorSettings& settings) {
  std::string host = settings.addresses.empty() ? "localhost" : settings.addresses.front();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "https://" + host + ":" + std::to_string(settings.port);
}

}  // namespace slipway
