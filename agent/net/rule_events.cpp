#include "agent/net/rule_events.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "agent/net/nl_message.hpp"

namespace slipway::net {

namespace {

// linux/netfilter.h: NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6
constexpr std::uint8_t k_inet = 1;
constexpr std::uint8_t k_ipv4 = 2;
constexpr std::uint8_t k_ipv6 = 10;
constexpr std::string_view k_firewalld = "firewalld";  // its table, in each of these
constexpr std::array<std::string_view, 4> k_iptables_others = {"nat", "mangle", "raw", "security"};

struct RuleEvent {
  int what = 0;  // NFT_MSG_...
  std::uint8_t family = 0;
  std::optional<std::vector<Attribute>> attributes;  // empty: cannot be read
  std::string_view table;

  std::string_view name(std::uint16_t type) const {
    const std::string_view text = find_attribute(*attributes, type);
    return text.substr(0, text.find('\0'));
  }
  bool of_table() const { return what == NFT_MSG_NEWTABLE || what == NFT_MSG_DELTABLE; }
};

// Empty: nothing about rules of ours or of anybody whose rules matter to us.
std::optional<RuleEvent> read_event(std::uint16_t type, std::string_view payload) {
  if (type >> 8 != NFNL_SUBSYS_NFTABLES || payload.size() < sizeof(nfgenmsg)) return std::nullopt;
  RuleEvent event;
  event.what = type & 0xff;
  event.family = static_cast<std::uint8_t>(payload[0]);
  if (event.family != k_ipv4 && event.family != k_ipv6 && event.family != k_inet) return std::nullopt;
  if (event.what == NFT_MSG_NEWGEN) return std::nullopt;
  if (auto attributes = parse_attributes(payload.substr(NLMSG_ALIGN(sizeof(nfgenmsg))))) {
    event.attributes = std::move(*attributes);
    event.table = event.name(NFTA_TABLE_NAME);  // attribute 1 of every kind of message
  }
  return event;
}

// Of the table filter, which iptables shares with us.
bool is_of_forward(const RuleEvent& event) {
  const auto is_ours = [](std::string_view chain) { return chain == "FORWARD" || chain == k_forward_chain; };
  if (event.what == NFT_MSG_NEWCHAIN || event.what == NFT_MSG_DELCHAIN) return is_ours(event.name(NFTA_CHAIN_NAME));
  if (event.what == NFT_MSG_NEWRULE || event.what == NFT_MSG_DELRULE) return is_ours(event.name(NFTA_RULE_CHAIN));
  return false;
}

}  // namespace

bool concerns_our_rules(std::uint16_t type, std::string_view payload) {
  const auto event = read_event(type, payload);
  if (!event) return false;
  if (!event->attributes) return true;
  // A reload of firewalld makes its table anew; what it does within is its own business.
  if (event->table == k_firewalld) return event->of_table();
  if (event->family == k_inet) return false;
  if (event->table == k_masquerade_table) return true;
  return event->table == "filter" && (event->what == NFT_MSG_DELTABLE || is_of_forward(*event));
}

bool may_change_filter(std::uint16_t type, std::string_view payload) {
  const auto event = read_event(type, payload);
  if (!event) return false;
  if (!event->attributes || event->of_table()) return true;
  if (event->table == k_firewalld) return false;
  if (event->family == k_inet) return true;
  if (event->table == "filter") return is_of_forward(*event);
  return std::find(k_iptables_others.begin(), k_iptables_others.end(), event->table) == k_iptables_others.end();
}

}  // namespace slipway::net
