#include "agent/net/foreign_rules.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "common/core/text.hpp"

namespace slipway::net {

namespace {

constexpr std::size_t k_most_tables = 32;
constexpr std::size_t k_most_accepts = std::size_t{16} << 10;  // of rules' text: a node's firewall has less
constexpr int k_deepest = 8;                                   // jumps; the kernel allows 16
constexpr std::array<std::string_view, 5> k_iptables_names = {"filter", "nat", "mangle", "raw", "security"};

struct Chain {
  std::string head;  // "type filter hook forward priority 0; policy drop;", empty without a hook
  std::vector<std::string> rules;
};
using Chains = std::map<std::string, Chain>;

Chains chains_of(std::string_view listing) {
  Chains chains;
  Chain* now = nullptr;
  for (const std::string_view part : split(listing, '\n')) {
    const std::string_view line = trim(part);
    if (line.starts_with("chain ")) {
      const auto words = split(line, ' ');
      now = &chains[std::string(words[1])];
    } else if (line == "}") {
      now = nullptr;
    } else if (now != nullptr && line.starts_with("type ")) {
      now->head = line;
    } else if (now != nullptr && !line.empty()) {
      now->rules.emplace_back(line);
    }
  }
  return chains;
}

// Without what says nothing of which packets a rule is for: counters, logging, its comment.
std::string_view bare(std::string_view rule) {
  rule = trim(rule.substr(0, rule.find(" comment \"")));
  for (;;) {
    if (rule.starts_with("counter ")) {
      rule = trim(rule.substr(8));
    } else if (rule.starts_with("log ") || rule.starts_with("limit ")) {
      const auto verdict = std::min(rule.rfind(" reject"), rule.rfind(" drop"));
      if (rule.starts_with("limit ") || verdict == std::string_view::npos) return rule;
      rule = trim(rule.substr(verdict));
    } else {
      return rule;
    }
  }
}

bool refuses_all(std::string_view rule) {
  return rule == "drop" || rule == "reject" || rule.starts_with("reject with ");
}

std::string_view jump_target(std::string_view rule) {
  for (const std::string_view verb : {"jump ", "goto "})
    if (rule.starts_with(verb)) return trim(rule.substr(verb.size()));
  return {};
}

struct Walk {
  std::string how;  // empty: whatever comes through is not refused
  std::string accepts;
  bool ended = false;  // an accept of everything
};

void walk(const Chains& chains, const std::string& name, int depth, Walk& out) {
  const auto chain = chains.find(name);
  if (chain == chains.end() || depth > k_deepest) return;
  for (const std::string& whole : chain->second.rules) {
    const std::string_view rule = bare(whole);
    if (refuses_all(rule)) {
      out.how = std::string(rule) + (depth == 0 ? "" : " in chain " + name);
      return;
    }
    if (rule == "accept") {
      out.ended = true;
      return;
    }
    const std::string_view target = jump_target(rule);
    if (!target.empty()) {
      walk(chains, std::string(target), depth + 1, out);
      if (!out.how.empty() || out.ended) return;
    } else if (rule.ends_with(" accept") && out.accepts.size() < k_most_accepts) {
      out.accepts += std::string(rule) + "\n";
    }
  }
}

bool is_others(const NftTable& table) {
  if (table.name == k_masquerade_table || table.name == "firewalld") return false;
  if (table.family == "inet") return true;
  if (table.family != "ip" && table.family != "ip6") return false;
  return std::find(k_iptables_names.begin(), k_iptables_names.end(), table.name) == k_iptables_names.end();
}

}  // namespace

std::vector<ForeignRefusal> parse_refusals(const NftTable& table, std::string_view listing) {
  std::vector<ForeignRefusal> out;
  const Chains chains = chains_of(listing);
  for (const auto& [name, chain] : chains) {
    if (chain.head.find(" hook forward ") == std::string::npos) continue;
    Walk found;
    walk(chains, name, 0, found);
    if (found.ended) continue;
    const bool drops = chain.head.find("policy drop") != std::string::npos;
    if (found.how.empty() && drops) found.how = "policy drop";
    if (!found.how.empty())
      out.push_back({table.family, table.name, name, std::move(found.how), std::move(found.accepts)});
  }
  return out;
}

Result<std::vector<ForeignRefusal>> read_refusals(const Nft& nft, const std::vector<NftTable>& tables) {
  std::vector<ForeignRefusal> out;
  std::size_t looked = 0;
  for (const NftTable& table : tables) {
    if (!is_others(table) || ++looked > k_most_tables) continue;
    const auto listing = nft.run("list table " + table.family + " " + table.name, true);
    if (!listing) continue;
    for (ForeignRefusal& refusal : parse_refusals(table, *listing)) out.push_back(std::move(refusal));
  }
  return out;
}

}  // namespace slipway::net
