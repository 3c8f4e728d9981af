#pragma once
// Which tables the two variants of iptables have filled: the older one's own kernel tables, and nftables' tables
// of the same names. In the network namespace of the calling thread.
#include <string>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/net/nft.hpp"

namespace slipway::net {

// Names of the older variant's tables, with or without rules: /proc/net/ip_tables_names, whose reading makes none.
std::vector<std::string> legacy_tables(IpFamily family);
// Whether iptables of either variant has the table; without a filter table FORWARD accepts everything.
bool has_table(IpFamily family, const std::string& name, const std::vector<NftTable>& tables);

// Tables with rules, not only with empty chains. The tables of nftables are looked into only where the older
// variant has rules: thousands of services are megabytes of text.
MixedTables read_variants(const Nft& nft, const std::vector<NftTable>& tables);

}  // namespace slipway::net
