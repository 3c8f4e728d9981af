#include "agent/domain/filter_plan.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

const char* iptables_word(IpFamily family) {
  return family == IpFamily::v4 ? "iptables" : "ip6tables";
}

bool has_block(const NetworkDesired& desired) {
  return desired.own_cidr || desired.own_second_cidr;
}

// Whether a chain that refuses what it does not know accepts the pods' packets by a rule of its own: one that
// names the pod bridge, or all of the ranges. The operator wrote it; whether it is good is not for us to say.
bool accepts_pods(const ForeignRefusal& refusal, const std::vector<Cidr>& pools) {
  if (refusal.accepts.find(k_pod_bridge) != std::string::npos) return true;
  return std::all_of(pools.begin(), pools.end(), [&refusal](const Cidr& pool) {
    return refusal.accepts.find(pool.to_string()) != std::string::npos;
  });
}

std::vector<Cidr> concerned_pools(const ForeignRefusal& refusal, const std::vector<Cidr>& pools) {
  std::vector<Cidr> out;
  for (const IpFamily family : k_families) {
    if (refusal.family != "inet" && refusal.family != nft_word(family)) continue;
    const std::vector<Cidr> blocks = minimal_blocks(pools, family);
    out.insert(out.end(), blocks.begin(), blocks.end());
  }
  return out;
}

// The rules that let the pods' packets pass, for the operator to copy.
std::string cure_of(const ForeignRefusal& refusal, const std::vector<Cidr>& pools) {
  std::vector<std::string> commands;
  for (const Cidr& pool : pools) {
    for (const char* side : {"saddr", "daddr"})
      commands.push_back("nft insert rule " + refusal.family + " " + refusal.table + " " + refusal.chain + " " +
                         nft_word(family_of(pool)) + " " + side + " " + pool.to_string() + " accept");
  }
  return join(commands, "; ");
}

void refusal_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                      std::vector<NetworkFinding>& out) {
  for (const ForeignRefusal& refusal : observed.filter.refusals) {
    const std::vector<Cidr> pools = concerned_pools(refusal, desired.pools);
    if (pools.empty() || accepts_pods(refusal, pools)) continue;
    out.push_back({NetworkFindingKind::foreign_refusal, "",
                   "packet filter chain " + refusal.family + " " + refusal.table + " " + refusal.chain + " (" +
                       refusal.how +
                       ") refuses pods' packets, and an accept elsewhere does not override it. Put the rules into "
                       "whatever writes that chain: " +
                       cure_of(refusal, pools),
                   false});
  }
}

void mixed_finding(const NetworkObserved& observed, std::vector<NetworkFinding>& out) {
  const MixedTables& tables = observed.filter.iptables;
  if (!tables.mixed()) return;
  out.push_back(
      {NetworkFindingKind::mixed_iptables, "",
       "both variants of iptables have rules here: iptables-legacy in " + join(tables.legacy, ", ") +
           ", iptables-nft in " + join(tables.nf_tables, ", ") +
           "; each translates and drops without regard to the other. Decide for one (update-alternatives --set iptables "
           "/usr/sbin/iptables-nft, and ip6tables likewise), restart what wrote the rules, and empty the other's tables, "
           "most simply by a reboot",
       false});
}

// The plugin is called when a pod is made and when it goes, never in between.
void host_ports_finding(const NetworkObserved& observed, std::vector<NetworkFinding>& out) {
  constexpr std::size_t k_named = 4;
  const std::vector<std::string>& lost = observed.filter.lost_host_ports;
  if (lost.empty()) return;
  const auto end = lost.begin() + static_cast<std::ptrdiff_t>(std::min(lost.size(), k_named));
  std::string names = join({lost.begin(), end}, ", ");
  if (lost.size() > k_named) names += " and " + std::to_string(lost.size() - k_named) + " more";
  out.push_back({NetworkFindingKind::host_ports_lost, "",
                 "ports of this host lead to no pod any more, because somebody has flushed the rules that the CNI plugin portmap "
                 "made in iptables' table nat: hostPort of " +
                     names + ". They come with a new pod only: delete these pods (kubectl delete pod)",
                 false});
}

void tool_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                   std::vector<NetworkFinding>& out) {
  if (!desired.accept_forward) return;
  for (const IpFamily family : k_families) {
    const bool needed = family == IpFamily::v4 || !minimal_blocks(desired.pools, family).empty();
    if (!needed || observed.filter.forward[family].tool_present) continue;
    out.push_back({NetworkFindingKind::no_iptables, "",
                   std::string("no ") + iptables_word(family) +
                       " program: pod traffic stops when docker sets the FORWARD policy to DROP; "
                       "install iptables",
                   false});
  }
}

void plan_forward_of(IpFamily family, const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkStep>& steps) {
  const ForwardState& now = observed.filter.forward[family];
  if (!now.tool_present) return;
  const std::vector<Cidr> pools = minimal_blocks(desired.pools, family);
  const bool unwanted = desired.backend == NetworkBackend::external || !desired.accept_forward;
  // No range at all is a word that is missing; ranges of the other family alone are a word.
  if (unwanted || (pools.empty() && !desired.pools.empty())) {
    if (now.chain_present) steps.push_back(RemoveForward{family});
    return;
  }
  if (pools.empty()) return;
  if (!now.jump_first || !now.chain_exact || now.accepted != pools) steps.push_back(PutForward{family, pools});
}

}  // namespace

std::vector<Cidr> minimal_blocks(std::vector<Cidr> blocks, IpFamily family) {
  std::erase_if(blocks, [family](const Cidr& block) { return family_of(block) != family; });
  std::sort(blocks.begin(), blocks.end());  // by base, then the wider block first
  std::vector<Cidr> out;
  for (const Cidr& block : blocks)
    if (out.empty() || !out.back().contains(block)) out.push_back(block);
  return out;
}

std::optional<Cidr> own_block(const NetworkDesired& desired, IpFamily family) {
  for (const auto& block : {desired.own_cidr, desired.own_second_cidr})
    if (block && family_of(*block) == family) return block;
  return std::nullopt;
}

std::vector<std::string> masquerade_rules(const Cidr& own) {
  const std::string ip = nft_word(family_of(own));
  const std::string from = ip + " saddr " + own.to_string() + " ";
  return {
      // kube-proxy masquerades what it marked; doing it twice stalls connections on some kernels.
      "meta mark & 0x00004000 == 0x00004000 return",
      from + ip + " daddr @local return",
      "fib daddr type local return",
      ip + " daddr " + (own.is_v4() ? "224.0.0.0/4" : "ff00::/8") + " return",
      from + "masquerade fully-random",
  };
}

std::string masquerade_rule_mark(const std::string& rule) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : rule) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  static constexpr char digits[] = "0123456789abcdef";
  std::string mark = "slipway-";
  for (int shift = 60; shift >= 0; shift -= 4) mark += digits[hash >> shift & 15U];
  return mark;
}

PutMasquerade wanted_masquerade(const NetworkDesired& desired, const Cidr& own) {
  PutMasquerade put;
  put.family = family_of(own);
  put.rules = masquerade_rules(own);
  for (const std::string& rule : put.rules) put.table.rule_marks.push_back(masquerade_rule_mark(rule));
  std::vector<Cidr> local = desired.pools;
  local.insert(local.end(), desired.no_masquerade.begin(), desired.no_masquerade.end());
  local.push_back(own);
  put.table.local = minimal_blocks(std::move(local), put.family);
  return put;
}

void plan_masquerade(const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkStep>& steps) {
  const bool external = desired.backend == NetworkBackend::external;
  if (!external && !has_block(desired)) return;
  for (const IpFamily family : k_families) {
    const auto& now = observed.filter.masquerade[family];
    const auto own = external ? std::nullopt : own_block(desired, family);
    if (!own) {
      if (now) steps.push_back(RemoveMasquerade{family});
      continue;
    }
    PutMasquerade put = wanted_masquerade(desired, *own);
    if (now != put.table) steps.push_back(std::move(put));
  }
}

void plan_forward(const NetworkDesired& desired, const NetworkObserved& observed,
                  std::vector<NetworkStep>& steps) {
  for (const IpFamily family : k_families) plan_forward_of(family, desired, observed, steps);
}

void filter_findings(const NetworkDesired& desired, const NetworkObserved& observed,
                     std::vector<NetworkFinding>& out) {
  tool_findings(desired, observed, out);
  refusal_findings(desired, observed, out);
  mixed_finding(observed, out);
  host_ports_finding(observed, out);
}

std::string describe_in(IpFamily family, const std::string& what) {
  return family == IpFamily::v4 ? what : what + " of IPv6";
}

std::string in_words(const FilterState& filter) {
  std::string text;
  for (const IpFamily family : k_families) {
    const std::string name = nft_word(family);
    const auto& masquerade = filter.masquerade[family];
    text += masquerade ? "masquerade table " + name + " with " + std::to_string(masquerade->rule_marks.size()) + " rules\n"
                       : "no masquerade table " + name + "\n";
    const ForwardState& forward = filter.forward[family];
    text += "forward " + name + ": tool " + (forward.tool_present ? "there" : "missing") + ", policy " +
            (forward.policy_drop ? "drop" : "accept") + ", jump " + (forward.jump_first ? "first" : "not first") +
            ", chain " + (forward.chain_exact ? "exact" : forward.chain_present ? "other" : "missing") + "\n";
  }
  for (const ForeignRefusal& refusal : filter.refusals)
    text += "refusal in " + refusal.family + " " + refusal.table + " " + refusal.chain + ": " + refusal.how + "\n";
  if (!filter.iptables.legacy.empty()) text += "iptables-legacy rules in " + join(filter.iptables.legacy, ", ") + "\n";
  if (!filter.lost_host_ports.empty()) text += "no rules for host ports of " + join(filter.lost_host_ports, ", ") + "\n";
  return text;
}

}  // namespace slipway
