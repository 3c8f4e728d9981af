#pragma once
// What `slipwayctl plan -o json` prints: coded by the same lists as the API's types, but no part of its contract.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

struct AddressPlanReport {
  std::string pod_cidr;
  std::uint64_t node_prefix_length = 0;
  std::string service_cidr;
  std::string service_reserve;
  std::string ipv6_range;  // empty: none was wanted
  std::uint64_t wanted_nodes = 0;
  std::uint64_t max_nodes = 0;
  std::uint64_t wanted_pods = 0;         // on a node
  std::uint64_t addresses_per_node = 0;  // for pods
  std::uint64_t max_services = 0;
  std::string kubernetes_ip;
  std::string dns_ip;
  std::vector<std::string> arithmetic;  // for people
};

}  // namespace slipway::proto
