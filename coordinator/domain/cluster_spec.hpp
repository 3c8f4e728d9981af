#pragma once
// What an operator asks of a cluster, checked once with all problems told at once. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "coordinator/domain/pool_record.hpp"
#include "proto/cluster_types.hpp"

namespace slipway {

// The spec as given, defaults filled in (dnsIP), and what its text means.
struct ValidatedCluster {
  proto::ClusterSpec spec;
  Cidr pod_cidr;
  int node_prefix_length = 24;
  Cidr service_cidr;
  Cidr service_reserve;  // where it may grow; itself when nothing is kept
  std::vector<Cidr> node_cidrs;
  std::vector<Cidr> nat_sources;  // network.natSources: whoever comes from there names its own address of node_cidrs
  std::vector<PoolRecord> pools;  // network.pools; their order of creation is not known here
  IpAddress dns_ip;
  std::string endpoint_host;                // without brackets
  std::uint16_t endpoint_port = 6443;
  std::optional<IpAddress> endpoint_address;  // absent: the host is a DNS name
  Seconds node_ttl{86400};
  Seconds serving_ttl{7 * 86400};
  Seconds admin_ttl{k_max_admin_life};
  Seconds operator_ttl{30 * 86400};
  bool operator==(const ValidatedCluster&) const = default;
};

// Errc::invalid with one line a problem: "field: what is wrong (with the arithmetic); the cure".
Result<ValidatedCluster> validate(const proto::ClusterSpec& spec);

// A spec that was stored before a rule was there, as it is to be read now: adminTTL was for operators too and could be longer.
proto::ClusterSpec brought_up_to_date(proto::ClusterSpec stored);

// What may change on a living cluster: name, runtime, nodePrefixLength and endpoint may not; podCIDR may grow around what it is,
// serviceCIDR on its base address. Errc::conflict with all problems at once.
Status check_change(const ValidatedCluster& living, const ValidatedCluster& wanted);

// Without nodes and quarantined, which are of the moment.
proto::ClusterCapacity capacity_of(const ValidatedCluster& cluster);
// "10.10.0.0/16 cut in /24 holds 256 nodes with 253 pods each ...": for people, several lines.
std::string capacity_report(const ValidatedCluster& cluster);

// Pods that fit a node's block: network, broadcast and gateway addresses are not theirs.
std::uint64_t usable_pods(int node_prefix_length);

// What network.podCIDR and network.nodePrefixLength describe.
PoolRecord default_pool(const ValidatedCluster& cluster);

// For certificate profiles.
ProfileCluster profile_cluster(const ValidatedCluster& cluster, const std::string& cluster_id);
Lifetimes lifetimes_of(const ValidatedCluster& cluster);

// "https://10.77.0.10:7443": where agents and operators are told to go.
std::string coordinator_url(const proto::CoordinatorSettings& settings);

}  // namespace slipway
