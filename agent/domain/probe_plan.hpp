#pragma once
// This node's part of a probe of the network: whom to ping how, and what to tell of it. Pure.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "agent/domain/ping.hpp"
#include "proto/network_probe.hpp"

namespace slipway {

struct ProbeSelf {
  std::vector<IpAddress> addresses;  // the node's own, at most one of each family
  std::vector<IpAddress> bridges;    // of the pods' bridge, likewise: pods are pinged from there
  std::vector<Cidr> blocks;          // of its pods
  std::uint32_t pod_bytes = 0;       // of the largest packet that a pod sends; 0: not known
  std::uint32_t node_bytes = 0;      // the same on its way to another node, with the tunnel's headers
  std::string note;                  // why pods are not pinged from here; empty: they are
};
ProbeSelf probe_self(const NetworkDesired& desired, const NetworkObserved& observed);

// The pods of `leased` (addresses that were given out) to be tried first, on this host; and those of them
// that answered, to be offered.
std::vector<Ping> plan_local_probe(const ProbeSelf& self, const std::vector<IpAddress>& leased);
proto::ProbeOffer probe_offer(const std::string& probe, const ProbeSelf& self, const std::vector<Ping>& pings,
                              const std::vector<PingOutcome>& outcomes);

struct PlannedPing {
  std::size_t target = 0;  // its place
  std::string_view what;   // node, bridge, pod
  bool large = false;
  Ping ping;
};
// Small packets, and such as fill the MTU. What this node has no address for in the family is left out, as
// are addresses that cannot be read.
std::vector<PlannedPing> plan_probe(const ProbeSelf& self, const proto::ProbeTargets& targets);
// `outcomes`: one for each of `planned`.
proto::ProbeReport probe_report(const ProbeSelf& self, const proto::ProbeTargets& targets,
                                const std::vector<PlannedPing>& planned,
                                const std::vector<PingOutcome>& outcomes);

}  // namespace slipway
