#pragma once
// The pod network's part of a reconcile pass. State thread; synchronous, as the Network port is.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/network.hpp"
#include "agent/ports/node_store.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

struct NetworkOutcome {
  bool ready = false;          // pods may be offered this node
  bool peers_applied = false;  // no route of a node that is gone is left
  std::string message;         // why not, or what is not whole
  std::vector<std::string> changes;
  std::vector<std::string> problems;
  std::uint32_t pod_mtu = 1500;
  std::uint32_t mtu_left = 0;  // for pods on this node, whatever is wanted; 0: not known, or somebody else's to say
  std::vector<NetworkFile> files;  // that were written or removed
  std::vector<std::string> silent_sysctls;  // set here, to be looked at: nobody tells when they change
  std::string underlay;  // the interface that has the node's address, or ""
};

// All pod ranges of the cluster. Coordinators of before there were pools tell one, in the settings.
std::vector<std::string> pod_ranges_of(const proto::DesiredState& desired);

// The node's block of the other family. Empty: it has none.
Result<std::optional<Cidr>> second_block_of(const proto::DesiredState& desired, const std::string& node_uid);

// What this node's network should be. Peers that cannot be read are left out and named in `problems`.
Result<NetworkDesired> network_desired(const proto::DesiredState& desired, const NodeIdentity& self,
                                       std::vector<std::string>& problems);

// Observed and planned. What it would change beyond network_intents() has to be noted before it is carried
// out.
struct NetworkDraft {
  std::optional<NetworkDesired> wanted;  // empty: nothing can be done; `outcome` tells why
  NetworkObserved seen;
  std::vector<NetworkStep> steps;
  NetworkOutcome outcome;
};
NetworkDraft draft_network(Network& network, const proto::DesiredState& desired, const NodeIdentity& self);
NetworkOutcome carry_out(Network& network, NetworkDraft draft);

// Observe, plan, apply.
NetworkOutcome bring_network_about(Network& network, const proto::DesiredState& desired,
                                   const NodeIdentity& self);

}  // namespace slipway
