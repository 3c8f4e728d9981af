#pragma once
// The tables "ip slipway" and "ip6 slipway": traffic of pods to the world outside the cluster gets the node's
// address. Through libnftables.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/net/nft.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// `tables`: all that there are.
Result<std::optional<MasqueradeTable>> read_masquerade(const Nft& nft, const std::vector<NftTable>& tables, IpFamily family);
// The whole table in one kernel transaction: at no time is there a part of it, or none.
Status put_masquerade(const PutMasquerade& wanted);
Status remove_masquerade(IpFamily family);

// For tests: what a listing of our table holds. Anything unexpected in it appears as a rule without a mark.
MasqueradeTable parse_masquerade(std::string_view listing);
std::string masquerade_commands(const PutMasquerade& wanted);

}  // namespace slipway::net
