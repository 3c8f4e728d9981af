#pragma once
// Chains of somebody else's, outside iptables, that refuse forwarded packets.
#include <string_view>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/net/nft.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// Of all tables but ours, those of iptables and firewalld's, which have their own defences. A table that is gone
// by the time it is looked at is left out.
Result<std::vector<ForeignRefusal>> read_refusals(const Nft& nft, const std::vector<NftTable>& tables);

// For tests: of one table's listing. A chain counts that hangs on the forward hook and whose policy is drop, or
// that comes, by itself or through jumps, to a reject or drop without a condition.
std::vector<ForeignRefusal> parse_refusals(const NftTable& table, std::string_view listing);

}  // namespace slipway::net
