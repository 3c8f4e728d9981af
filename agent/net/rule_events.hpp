#pragma once
// What a broadcast of the packet filter (NFNLGRP_NFTABLES, linux/netfilter/nf_tables.h) is about. `type` and `payload` as in the
// netlink message; of any content. Pure.
#include <cstdint>
#include <string_view>

namespace slipway::net {

// Our table, or our chain and jump in FORWARD, which the iptables of most hosts keeps there too; firewalld's table made or gone.
bool concerns_our_rules(std::uint16_t type, std::string_view payload);

// Whether FilterRules::observe() may read something else afterwards. What iptables does in chains beside FORWARD and ours does not
// count: kube-proxy writes all its rules anew every half minute.
bool may_change_filter(std::uint16_t type, std::string_view payload);

}  // namespace slipway::net
