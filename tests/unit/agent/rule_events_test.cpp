#include "agent/net/rule_events.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <catch2/catch.hpp>
#include <string>

using slipway::net::concerns_our_rules;
using slipway::net::may_change_filter;

namespace {

constexpr char k_inet = 1;
constexpr char k_ipv4 = 2;
constexpr char k_arp = 3;
constexpr char k_ipv6 = 10;

std::uint16_t type_of(int what) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | what);
}

std::string attribute(std::uint16_t type, const std::string& name) {
  const auto size = static_cast<std::uint16_t>(NLA_HDRLEN + name.size() + 1);
  std::string out(reinterpret_cast<const char*>(&size), 2);
  out.append(reinterpret_cast<const char*>(&type), 2);
  out += name;
  out.resize(NLA_ALIGN(size));
  return out;
}

std::string event(char family, const std::string& table, const std::string& chain = "", std::uint16_t chain_type = NFTA_RULE_CHAIN) {
  std::string out{family, 0, 0, 0};
  out += attribute(NFTA_TABLE_NAME, table);
  if (!chain.empty()) out += attribute(chain_type, chain);
  return out;
}

}  // namespace

TEST_CASE("broadcasts of the packet filter of any content are understood", "[network][parse]") {
  for (const std::string& text : {std::string(), std::string("\2"), std::string("\2\0\0\0", 4), std::string("\2\0\0\0\377\377\1\0", 8),
                                  std::string("\2\0\0\0\10\0\1\0slip", 12)}) {
    for (const int type : {0, 10 << 8, (10 << 8) + 6, 65535}) {
      const auto both = static_cast<std::uint16_t>(type);
      // What is news is looked at, too.
      CHECK((!concerns_our_rules(both, text) || may_change_filter(both, text)));
    }
  }
}

TEST_CASE("what is done to our rules is news, and what iptables does elsewhere is not", "[network][parse]") {
  const auto rule = type_of(NFT_MSG_NEWRULE);
  for (const char family : {k_ipv4, k_ipv6}) {
    CHECK(concerns_our_rules(rule, event(family, "slipway", "postrouting")));
    CHECK(concerns_our_rules(type_of(NFT_MSG_DELRULE), event(family, "filter", "FORWARD")));
    CHECK(concerns_our_rules(rule, event(family, "filter", "SLIPWAY-FORWARD")));
    CHECK(concerns_our_rules(type_of(NFT_MSG_NEWCHAIN), event(family, "filter", "FORWARD", NFTA_CHAIN_NAME)));
    CHECK(concerns_our_rules(type_of(NFT_MSG_DELTABLE), event(family, "filter")));
    CHECK_FALSE(concerns_our_rules(rule, event(family, "filter", "KUBE-FORWARD")));
    CHECK_FALSE(concerns_our_rules(rule, event(family, "nat", "FORWARD")));
    CHECK_FALSE(concerns_our_rules(rule, event(family, "theirs", "forward")));
  }
  CHECK(concerns_our_rules(type_of(NFT_MSG_NEWTABLE), event(k_inet, "firewalld")));
  CHECK_FALSE(concerns_our_rules(rule, event(k_inet, "slipway", "postrouting")));
  CHECK_FALSE(concerns_our_rules(0, event(k_ipv4, "slipway", "postrouting")));
}

TEST_CASE("of what is looked at in the packet filter every change counts", "[network][parse]") {
  const auto rule = type_of(NFT_MSG_NEWRULE);
  CHECK(may_change_filter(rule, event(k_inet, "theirs", "forward")));
  CHECK(may_change_filter(rule, event(k_ipv4, "theirs", "forward")));
  CHECK(may_change_filter(type_of(NFT_MSG_NEWSETELEM), event(k_ipv6, "slipway", "local", NFTA_SET_ELEM_LIST_SET)));
  CHECK(may_change_filter(type_of(NFT_MSG_NEWCHAIN), event(k_ipv4, "filter", "FORWARD", NFTA_CHAIN_NAME)));
  // Tables that come and go: of whatever name.
  for (const char* name : {"nat", "filter", "firewalld", "theirs"}) {
    CHECK(may_change_filter(type_of(NFT_MSG_NEWTABLE), event(k_ipv4, name)));
    CHECK(may_change_filter(type_of(NFT_MSG_DELTABLE), event(k_ipv4, name)));
  }
  // What kube-proxy and docker do.
  CHECK_FALSE(may_change_filter(rule, event(k_ipv4, "nat", "KUBE-SERVICES")));
  CHECK_FALSE(may_change_filter(rule, event(k_ipv4, "filter", "KUBE-FORWARD")));
  CHECK_FALSE(may_change_filter(type_of(NFT_MSG_NEWCHAIN), event(k_ipv4, "filter", "DOCKER", NFTA_CHAIN_NAME)));
  CHECK_FALSE(may_change_filter(rule, event(k_inet, "firewalld", "filter_FORWARD")));
  CHECK_FALSE(may_change_filter(rule, event(k_arp, "theirs", "input")));
  CHECK_FALSE(may_change_filter(type_of(NFT_MSG_NEWGEN), event(k_ipv4, "slipway")));
}
