#pragma once
// An address plan for a cluster that is to be: how large nodes' blocks, the pod range and the service range must be for what is wanted, where they
// can lie, and the arithmetic. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct PlanWish {
  std::uint64_t nodes = 1;
  std::uint64_t pods = 110;             // on a node
  std::uint64_t services = 4000;
  std::uint64_t growth_percent = 100;   // more nodes than are wanted, that the range has blocks for
  bool tight = false;                   // node blocks as small as the pods fit; otherwise two addresses for each pod
  std::optional<Cidr> ipv6;             // cut a pool of /64 for the nodes from it, too
  std::vector<Cidr> avoid;              // hosts' networks, and what else is routed there
};

struct AddressPlan {
  Cidr pod_cidr;
  int node_prefix_length = 24;
  Cidr service_cidr;
  Cidr service_reserve;                  // where services may grow; service_cidr itself when no wider range is free
  std::optional<Cidr> ipv6;
  std::uint64_t max_nodes = 0;
  std::uint64_t addresses_per_node = 0;  // for pods
  std::uint64_t max_services = 0;
  IpAddress kubernetes_ip;
  IpAddress dns_ip;
  std::vector<std::string> arithmetic;   // lines for people
};

// Ranges are taken from 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918), the lowest that is clear of all in `avoid`. Errc::invalid: the wish
// makes no sense; Errc::exhausted: no range is large enough. Both say the numbers.
Result<AddressPlan> plan_addresses(const PlanWish& wish);

}  // namespace slipway
