#include "agent/net/iptables_variants.hpp"

#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace {

constexpr std::array<std::string_view, 5> k_iptables_names = {"filter", "nat", "mangle", "raw", "security"};

// A table that is empty has one entry for the policy of each hook, and one at its end (ip_tables.h).
bool has_legacy_rules(IpFamily family, const std::string& table) {
  const bool v4 = family == IpFamily::v4;
  const UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  ipt_getinfo info{};
  static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
  std::strncpy(info.name, table.c_str(), sizeof info.name - 1);
  socklen_t size = sizeof info;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = v4 ? IPT_SO_GET_INFO : IP6T_SO_GET_INFO;
  if (!fd || ::getsockopt(fd.get(), level, option, &info, &size) != 0) return false;
  return info.num_entries > static_cast<unsigned>(std::popcount(info.valid_hooks)) + 1;
}

// In a listing each line within a chain that is not its head is a rule.
bool has_nft_rules(std::string_view listing) {
  bool in_chain = false;
  for (const std::string_view part : split(listing, '\n')) {
    const std::string_view line = trim(part);
    if (line.starts_with("chain ")) {
      in_chain = true;
    } else if (line == "}") {
      in_chain = false;
    } else if (in_chain && !line.empty() && !line.starts_with("type ")) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::string> legacy_tables(IpFamily family) {
  const UniqueFd fd(::open(
      family == IpFamily::v4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names",
      O_RDONLY | O_CLOEXEC));
  std::array<char, 256> content{};
  const ssize_t got = fd ? ::read(fd.get(), content.data(), content.size()) : -1;
  std::vector<std::string> names;
  if (got <= 0) return names;
  for (const std::string_view line : split({content.data(), static_cast<std::size_t>(got)}, '\n'))
    if (!line.empty()) names.emplace_back(line);
  return names;
}

bool has_table(IpFamily family, const std::string& name, const std::vector<NftTable>& tables) {
  const auto legacy = legacy_tables(family);
  return std::find(legacy.begin(), legacy.end(), name) != legacy.end() ||
         std::find(tables.begin(), tables.end(), NftTable{nft_word(family), name}) != tables.end();
}

MixedTables read_variants(const Nft& nft, const std::vector<NftTable>& tables) {
  MixedTables out;
  for (const IpFamily family : k_families) {
    for (const std::string& table : legacy_tables(family))
      if (has_legacy_rules(family, table)) out.legacy.push_back(std::string(nft_word(family)) + " " + table);
  }
  if (out.legacy.empty()) return out;
  for (const NftTable& table : tables) {
    const bool iptables = table.family == nft_word(IpFamily::v4) || table.family == nft_word(IpFamily::v6);
    if (!iptables || std::find(k_iptables_names.begin(), k_iptables_names.end(), table.name) == k_iptables_names.end())
      continue;
    const std::string name = table.family + " " + table.name;
    const auto listing = nft.run("list table " + name, true);
    if (listing && has_nft_rules(*listing)) out.nf_tables.push_back(name);
  }
  return out;
}

}  // namespace slipway::net
