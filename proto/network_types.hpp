#pragma once
// The settings of the pod network and its address plan. Part of types.hpp.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

// A pool of pod addresses beside the default one, which podCIDR and nodePrefixLength describe.
struct PoolSettings {
  std::string name;
  std::vector<std::string> ranges;       // of one family
  std::uint64_t node_prefix_length = 0;  // of a node's block; 0: 24 for IPv4, 64 for IPv6
  std::string role;                      // only nodes of this role; empty: any
  std::string name_pattern;              // only nodes with such names, as in gpu-*; empty: any
  bool only_by_name = false;             // only joins whose token names the pool
  bool operator==(const PoolSettings&) const = default;
};
// The tunnel of backend vxlan, and of host-gw with crossSubnet.
struct VxlanSettings {
  std::uint64_t id = 1;       // VNI
  std::uint64_t port = 8472;  // UDP; the kernel's and flannel's. IANA's 4789 is often a switch's or Docker Swarm's
  bool operator==(const VxlanSettings&) const = default;
};
struct NetworkSettings {
  std::string pod_cidr;
  std::uint64_t node_prefix_length = 24;
  std::string service_cidr;
  std::string dns_domain = "cluster.local";
  std::string dns_ip;   // empty: the tenth address of the service range
  std::string backend = "host-gw";
  std::vector<std::string> node_cidrs;  // where nodes' own addresses may lie; empty: anywhere but in the other ranges
  std::vector<PoolSettings> pools;      // more pools; one of IPv6 makes the cluster dual-stack
  bool adopt_nodes = false;             // nobody joins before the podCIDRs of the Node objects that are there were read
  // follow: a node that comes from another address than its own moves there with its block; refuse: an operator has to replace it
  std::string address_change = "follow";
  std::string service_reserve = {};     // where serviceCIDR may grow: a wider range on its base, kept free of all else; empty: nothing is kept
  std::vector<std::string> nat_sources = {};  // translated addresses: who comes from there says itself which address of node_cidrs it has
  bool cross_subnet = false;                  // host-gw: peers that are no direct neighbours are reached through vxlan
  VxlanSettings vxlan = {};
  std::uint64_t mtu = 0;                        // of pods; 0: what the node's own interface and the backend leave
  std::vector<std::string> no_masquerade = {};  // ranges beside the cluster's that see pods' own addresses
  bool accept_forward = true;                   // nodes accept pods' traffic in FORWARD; false: another policy engine decides there
  bool operator==(const NetworkSettings&) const = default;
};

}  // namespace slipway::proto
