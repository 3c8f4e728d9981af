#include "agent/domain/network_plan.hpp"

#include <algorithm>

#include "agent/domain/bridge_plan.hpp"
#include "agent/domain/filter_plan.hpp"
#include "agent/domain/host_dropins.hpp"
#include "agent/domain/link_hop.hpp"
#include "agent/domain/network_rules.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/peer_ways.hpp"
#include "agent/domain/sysctl_plan.hpp"

namespace slipway {

namespace {

using Steps = std::vector<NetworkStep>;

void plan_rest(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  // Files first: that the underlay's accept_ra is ours to set can be seen by them alone once forwarding is on
  // (sysctl_plan.hpp).
  plan_files(desired, observed, steps);
  plan_sysctls(desired, observed, steps);
  plan_forward(desired, observed, steps);
  plan_masquerade(desired, observed, steps);
  plan_link_hop(desired, observed, steps);
  const OverlayUse overlay = plan_overlay(desired, observed, steps);
  plan_peers(desired, observed, overlay, steps);
  plan_overlay_end(desired, observed, steps);
  plan_device_sysctls(desired, observed, overlay, steps);
}

}  // namespace

std::vector<NetworkStep> plan_network(const NetworkDesired& desired, const NetworkObserved& observed) {
  Steps steps;
  const std::optional<NetworkObserved> mended = plan_bridge(desired, observed, steps);
  plan_rest(desired, mended ? *mended : observed, steps);
  return steps;
}

const NetworkLink* underlay_of(const NetworkObserved& observed, const IpAddress& node_address) {
  for (const NetworkLink& link : observed.links)
    for (const LinkAddress& own : link.addresses)
      if (own.address == node_address) return &link;
  return nullptr;
}

int pod_mtu(const NetworkDesired& desired, const NetworkObserved& observed) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  if (underlay == nullptr) return desired.mtu;
  const int left = mtu_left(desired, *underlay);
  return desired.mtu > 0 ? std::min(desired.mtu, left) : left;
}

std::uint32_t route_metric(const Cidr& prefix) {
  if (!prefix.is_v4()) {
    std::uint32_t hash = 2166136261U ^ static_cast<std::uint32_t>(prefix.prefix_length());  // FNV-1a
    for (const char byte : prefix.base().bytes()) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
    return (hash & 0x3fffffffU) | 0x40000000U;
  }
  // The prefix's place in the tree of all prefixes, counted from the root as 1: level n holds 2^n to
  // 2^(n+1)-1.
  const int length = std::min(prefix.prefix_length(), 31);
  if (length == 0) return 1;
  return (std::uint32_t{1} << length) + (prefix.base().to_u32() >> (32 - length));
}

}  // namespace slipway
