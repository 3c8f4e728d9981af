#pragma once
// The part of the network plan that is the packet filter: masquerading and FORWARD, in both families. For
// network_plan.cpp and tests. Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// Blocks of one family sorted, without those inside another: an interval set refuses overlaps.
std::vector<Cidr> minimal_blocks(std::vector<Cidr> blocks, IpFamily family);

// This node's own block of that family.
std::optional<Cidr> own_block(const NetworkDesired& desired, IpFamily family);

// The rules of the masquerade chain in nft syntax for `own`, without their comments.
std::vector<std::string> masquerade_rules(const Cidr& own);
// The comment that marks `rule`: changes with its text, so that a listing in any nft version can be compared.
std::string masquerade_rule_mark(const std::string& rule);
// The table for `own`, a block of this node.
PutMasquerade wanted_masquerade(const NetworkDesired& desired, const Cidr& own);

// A family in which the node has no block has no table; without any block nothing is changed: the
// coordinator's word is missing then.
void plan_masquerade(const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkStep>& steps);
void plan_forward(const NetworkDesired& desired, const NetworkObserved& observed,
                  std::vector<NetworkStep>& steps);

// What others' rules do to pods' traffic.
void filter_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkFinding>& out);

// For people: "put the masquerade table", of IPv6 named as such.
std::string describe_in(IpFamily family, const std::string& what);
// For the archive of `slipway-agent support`: some lines.
std::string in_words(const FilterState& filter);

}  // namespace slipway
