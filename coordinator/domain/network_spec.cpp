#include "coordinator/domain/network_spec.hpp"

#include <string>
#include <string_view>

#include "common/core/ip.hpp"
#include "proto/config_reference.hpp"

namespace slipway {

namespace {

constexpr std::uint64_t k_least_mtu = 576;        // RFC 791: what every host must take
constexpr std::uint64_t k_least_mtu_ipv6 = 1280;  // RFC 8200 section 5
constexpr std::uint64_t k_max_mtu = 65535;
constexpr std::size_t k_max_exceptions = 64;

proto::FieldNote note(std::string_view field) { return proto::note_of(proto::cluster_notes(), field); }

bool tunnels(const proto::NetworkSettings& network) { return network.backend == "vxlan" || network.cross_subnet; }

void check_tunnel(Problems& problems, const proto::NetworkSettings& network) {
  // RFC 7348 section 5: 24 bits.
  if (auto problem = proto::bounds_problem(note("network.vxlan.id"), network.vxlan.id)) problems.add("/network/vxlan/id", *problem);
  if (auto problem = proto::bounds_problem(note("network.vxlan.port"), network.vxlan.port)) problems.add("/network/vxlan/port", *problem);
  if (network.cross_subnet && network.backend != "host-gw")
    problems.add("/network/crossSubnet", "is for backend host-gw; this one is " + network.backend);
}

void check_mtu(Problems& problems, std::uint64_t mtu, bool dual_stack) {
  const std::uint64_t least = dual_stack ? k_least_mtu_ipv6 : k_least_mtu;
  if (mtu == 0 || (mtu >= least && mtu <= k_max_mtu)) return;
  problems.add("/network/mtu", std::to_string(mtu) + " is out of bounds: " + std::to_string(least) + " to " + std::to_string(k_max_mtu) +
                                   ", or 0 for what the nodes' interfaces leave");
}

void check_exceptions(Problems& problems, const std::vector<std::string>& ranges) {
  if (ranges.size() > k_max_exceptions)
    problems.add("/network/noMasquerade", "has more than " + std::to_string(k_max_exceptions) + " entries");
  for (std::size_t i = 0; i < ranges.size() && i < k_max_exceptions; ++i) {
    if (const auto range = Cidr::parse(ranges[i]); !range) problems.add("/network/noMasquerade/" + std::to_string(i), range.error().message);
  }
}

std::string text_of(const proto::VxlanSettings& vxlan) { return "id " + std::to_string(vxlan.id) + ", port " + std::to_string(vxlan.port); }

}  // namespace

void check_pod_network(Problems& problems, const proto::NetworkSettings& network, bool dual_stack) {
  if (auto problem = proto::choice_problem(note("network.backend"), network.backend)) {
    problems.add("/network/backend", *problem);
    return;
  }
  check_tunnel(problems, network);
  check_mtu(problems, network.mtu, dual_stack);
  check_exceptions(problems, network.no_masquerade);
}

void check_pod_network_change(Problems& problems, const proto::NetworkSettings& living, const proto::NetworkSettings& wanted) {
  if (living.backend != wanted.backend) {
    problems.add("/network/backend", "is " + living.backend + " and cannot become " + wanted.backend +
                                         " on a living cluster: pods of nodes that changed and of nodes that did not would not reach each other");
  }
  if (tunnels(living) && tunnels(wanted) && living.vxlan != wanted.vxlan) {
    problems.add("/network/vxlan", "is " + text_of(living.vxlan) + " and cannot become " + text_of(wanted.vxlan) +
                                       " on a living cluster: nodes with different tunnels do not reach each other");
  }
}

}  // namespace slipway
