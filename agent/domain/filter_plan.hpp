#pragma once
// The part of the network plan that is the packet filter: masquerading and FORWARD. For network_plan.cpp and
// tests. Pure.
#include <string>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

// IPv4 blocks sorted, without those inside another: an interval set refuses overlaps.
std::vector<Cidr> minimal_v4(std::vector<Cidr> blocks);

// The rules of the masquerade chain in nft syntax for `own`, without their comments.
std::vector<std::string> masquerade_rules(const Cidr& own);
// The comment that marks `rule`: changes with its text, so that a listing in any nft version can be compared.
std::string masquerade_rule_mark(const std::string& rule);

PutMasquerade wanted_masquerade(const NetworkDesired& desired);  // own_cidr must be there

void plan_masquerade(const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkStep>& steps);
void plan_forward(const NetworkDesired& desired, const NetworkObserved& observed,
                  std::vector<NetworkStep>& steps);

}  // namespace slipway
