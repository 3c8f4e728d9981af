#pragma once
// Whether the rules that lead ports of this host to pods still stand.
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/net/nft.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// Names of those of `pods` that have lost theirs in a family in which they have an address, as iptables, found in `folders`,
// tells. `tables` are those of nftables. Without a program of iptables nothing is said of its family. Blocks for some
// milliseconds, not at all without pods.
Result<std::vector<std::string>> lost_host_ports(const std::vector<HostPortPod>& pods, const std::vector<NftTable>& tables,
                                                 const std::vector<std::string>& folders);

// For tests: whether portmap's chain, as iptables -S prints it, has a rule of the container.
bool has_host_ports(std::string_view chain, std::string_view container);

}  // namespace slipway::net
