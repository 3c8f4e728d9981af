#include "agent/domain/firewall_plan.hpp"

#include <algorithm>

#include "agent/domain/filter_plan.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr char k_source[] = "source";
constexpr char k_port[] = "port";

using Steps = std::vector<FirewallStep>;

std::string word(FirewallScope scope) {
  return scope == FirewallScope::runtime ? "now" : "for good";
}

std::string in_words(const FirewallEntry& entry) {
  if (entry.kind == FirewallEntry::Kind::source) return entry.value + " in zone " + entry.zone;
  return "port " + entry.value + " of zone " + entry.zone;
}

struct Describe {
  std::string operator()(const SetFirewallEntry& s) const {
    const bool source = s.entry.kind == FirewallEntry::Kind::source;
    const std::string verb = s.present ? (source ? "accept " : "open ") : (source ? "no longer accept " : "close ");
    return verb + in_words(s.entry) + " " + word(s.scope);
  }
  std::string operator()(const SetFirewallPolicy& s) const {
    return std::string("put the rules of policy ") + k_firewall_policy + " " + word(s.scope);
  }
  std::string operator()(const MakeFirewallPolicy&) const {
    return std::string("make policy ") + k_firewall_policy;
  }
  std::string operator()(const RemoveFirewallPolicy&) const {
    return std::string("remove policy ") + k_firewall_policy;
  }
  std::string operator()(const ReloadFirewall&) const { return "reload firewalld"; }
};

bool is_there(const FirewallEntry& entry, FirewallScope scope, const FirewallObserved& observed) {
  if (entry.kind == FirewallEntry::Kind::source) return observed.sources[scope].count(entry.value) != 0;
  return observed.ports[scope].count(entry.zone + " " + entry.value) != 0;
}

std::vector<FirewallEntry> wanted_entries(const FirewallDesired& desired, const FirewallObserved& observed) {
  std::vector<FirewallEntry> wanted;
  for (const std::string& source : desired.sources)
    wanted.push_back({FirewallEntry::Kind::source, k_trusted_zone, source});
  if (!desired.port.empty() && !observed.zone.empty())
    wanted.push_back({FirewallEntry::Kind::port, observed.zone, desired.port});
  return wanted;
}

void plan_entries(FirewallScope scope, const std::vector<FirewallEntry>& wanted, const FirewallObserved& observed,
                  const std::vector<Change>& noted, Steps& steps) {
  for (const FirewallEntry& entry : wanted)
    if (!is_there(entry, scope, observed)) steps.push_back(SetFirewallEntry{entry, scope, true});
  for (const Change& change : noted) {
    if (change.former != Former::absent) continue;
    const auto entry = entry_of(change.name);
    const bool unwanted = entry && std::find(wanted.begin(), wanted.end(), *entry) == wanted.end();
    if (unwanted && is_there(*entry, scope, observed)) steps.push_back(SetFirewallEntry{*entry, scope, false});
  }
}

void plan_policy(const FirewallDesired& desired, const FirewallObserved& observed, Steps& steps) {
  if (!observed.has_policies) return;
  const auto& policy = observed.policy;
  if (desired.accepts.empty()) {
    if (policy.permanent) steps.push_back(RemoveFirewallPolicy{});
    if (policy.permanent || policy.runtime) steps.push_back(ReloadFirewall{});
    return;
  }
  if (!policy.permanent)
    steps.push_back(MakeFirewallPolicy{desired.accepts});
  else if (*policy.permanent != desired.accepts)
    steps.push_back(SetFirewallPolicy{FirewallScope::permanent, desired.accepts});
  if (!policy.runtime)
    steps.push_back(ReloadFirewall{});
  else if (*policy.runtime != desired.accepts)
    steps.push_back(SetFirewallPolicy{FirewallScope::runtime, desired.accepts});
}

}  // namespace

std::string describe(const FirewallStep& step) {
  return "firewalld: " + std::visit(Describe{}, step);
}

FirewallDesired firewall_desired(const NetworkDesired& network) {
  FirewallDesired desired;
  if (network.backend == NetworkBackend::external) return desired;
  if (uses_overlay(network)) desired.port = std::to_string(network.vxlan_port) + "/udp";
  if (!network.accept_forward) return desired;
  for (const IpFamily family : k_families) {
    const std::string name = family == IpFamily::v4 ? "ipv4" : "ipv6";
    for (const Cidr& pool : minimal_blocks(network.pools, family)) {
      desired.sources.insert(pool.to_string());
      desired.accepts.push_back("rule family=\"" + name + "\" destination address=\"" + pool.to_string() + "\" accept");
    }
  }
  std::sort(desired.accepts.begin(), desired.accepts.end());
  return desired;
}

std::vector<FirewallStep> plan_firewall(const FirewallDesired& desired, const FirewallObserved& observed,
                                        const std::vector<Change>& noted) {
  Steps steps;
  const std::vector<FirewallEntry> wanted = wanted_entries(desired, observed);
  plan_entries(FirewallScope::permanent, wanted, observed, noted, steps);
  plan_policy(desired, observed, steps);
  // A reload puts in force what is settled for good.
  const bool reloads = std::any_of(steps.begin(), steps.end(), [](const FirewallStep& step) {
    return std::holds_alternative<ReloadFirewall>(step);
  });
  if (!reloads) plan_entries(FirewallScope::runtime, wanted, observed, noted, steps);
  return steps;
}

std::vector<Intent> firewall_intents(const std::vector<FirewallStep>& steps) {
  std::vector<Intent> intents;
  for (const FirewallStep& step : steps) {
    const auto* set = std::get_if<SetFirewallEntry>(&step);
    // What somebody has settled for good is theirs, even when it is not in force now.
    if (set != nullptr && set->present && set->scope == FirewallScope::permanent)
      intents.push_back({ChangeKind::firewall, ledger_name(set->entry), "", true});
    if (std::holds_alternative<MakeFirewallPolicy>(step))
      intents.push_back({ChangeKind::firewall, policy_ledger_name(), "", true});
  }
  return intents;
}

std::vector<Change> firewall_changes(const Ledger& ledger) {
  std::vector<Change> out;
  for (const Change& change : ledger.changes())
    if (change.kind == ChangeKind::firewall) out.push_back(change);
  return out;
}

std::string ledger_name(const FirewallEntry& entry) {
  const char* kind = entry.kind == FirewallEntry::Kind::source ? k_source : k_port;
  return std::string(kind) + " " + entry.zone + " " + entry.value;
}

std::string policy_ledger_name() {
  return std::string("policy ") + k_firewall_policy;
}

std::optional<FirewallEntry> entry_of(const std::string& ledger_name) {
  const auto words = split(ledger_name, ' ');
  if (words.size() != 3 || (words[0] != k_source && words[0] != k_port)) return std::nullopt;
  const auto kind = words[0] == k_source ? FirewallEntry::Kind::source : FirewallEntry::Kind::port;
  return FirewallEntry{kind, std::string(words[1]), std::string(words[2])};
}

}  // namespace slipway
