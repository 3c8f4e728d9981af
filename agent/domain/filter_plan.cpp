#include "agent/domain/filter_plan.hpp"

#include <algorithm>

namespace slipway {

std::vector<Cidr> minimal_v4(std::vector<Cidr> blocks) {
  std::erase_if(blocks, [](const Cidr& block) { return !block.is_v4(); });
  std::sort(blocks.begin(), blocks.end());  // by base, then the wider block first
  std::vector<Cidr> out;
  for (const Cidr& block : blocks)
    if (out.empty() || !out.back().contains(block)) out.push_back(block);
  return out;
}

std::vector<std::string> masquerade_rules(const Cidr& own) {
  const std::string from = "ip saddr " + own.to_string() + " ";
  return {
      // kube-proxy masquerades what it marked; doing it twice stalls connections on some kernels.
      "meta mark & 0x00004000 == 0x00004000 return",
      from + "ip daddr @local return",
      "fib daddr type local return",
      "ip daddr 224.0.0.0/4 return",
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

PutMasquerade wanted_masquerade(const NetworkDesired& desired) {
  PutMasquerade put;
  put.rules = masquerade_rules(*desired.own_cidr);
  for (const std::string& rule : put.rules) put.table.rule_marks.push_back(masquerade_rule_mark(rule));
  std::vector<Cidr> local = desired.pools;
  local.insert(local.end(), desired.no_masquerade.begin(), desired.no_masquerade.end());
  local.push_back(*desired.own_cidr);
  put.table.local = minimal_v4(std::move(local));
  return put;
}

void plan_masquerade(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
  if (desired.backend == NetworkBackend::external) {
    if (observed.masquerade) steps.push_back(RemoveMasquerade{});
    return;
  }
  if (!desired.own_cidr) return;
  PutMasquerade put = wanted_masquerade(desired);
  if (!observed.masquerade || *observed.masquerade != put.table) steps.push_back(std::move(put));
}

void plan_forward(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
  const ForwardState& now = observed.forward;
  if (!now.tool_present) return;
  if (desired.backend == NetworkBackend::external || !desired.accept_forward) {
    if (now.chain_present) steps.push_back(RemoveForward{});
    return;
  }
  const std::vector<Cidr> pools = minimal_v4(desired.pools);
  if (pools.empty()) return;
  if (!now.jump_first || !now.chain_exact || now.accepted != pools) steps.push_back(PutForward{pools});
}

}  // namespace slipway
