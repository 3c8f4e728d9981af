#pragma once
// What firewalld is to let pass for the pod network, what it does, and the steps from one to the other. Pure.
//
// firewalld ends its FORWARD chain with a reject that no rule of anybody else's overrides, so it has to be told in
// its own words, each of them for now (runtime) and for the next reload or start (permanent):
//  - the cluster's pod ranges are sources of the zone "trusted": what pods send passes, to the node as well;
//  - the policy "slipway" accepts what is forwarded to these ranges: from a node to a pod of another one;
//  - the tunnel's UDP port is open in the zone of the interface that has the node's address.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/domain/change_ledger.hpp"
#include "agent/domain/network_plan.hpp"

namespace slipway {

inline constexpr char k_trusted_zone[] = "trusted";
inline constexpr char k_firewall_policy[] = "slipway";

struct FirewallDesired {
  std::set<std::string> sources;     // "10.10.0.0/16"
  std::vector<std::string> accepts;  // the policy's rules, in firewalld's rich language and its own spelling
  std::string port;                  // "8472/udp", or empty
};

enum class FirewallScope { runtime, permanent };
template <class T>
struct PerScope {
  T runtime{}, permanent{};
  T& operator[](FirewallScope scope) { return scope == FirewallScope::runtime ? runtime : permanent; }
  const T& operator[](FirewallScope scope) const {
    return scope == FirewallScope::runtime ? runtime : permanent;
  }
};

// Of a firewalld that runs.
struct FirewallObserved {
  PerScope<std::set<std::string>> sources;  // of the trusted zone
  std::string zone;                         // of the node's interface
  PerScope<std::set<std::string>> ports;    // of all zones with one of the ports asked for: "public 8472/udp"
  bool has_policies = true;                 // firewalld before 0.9 knows none, and needs none
  PerScope<std::optional<std::vector<std::string>>> policy;  // its rules; empty: there is no such policy
};

// One fact that firewalld is told, or no longer.
struct FirewallEntry {
  enum class Kind { source, port };
  Kind kind = Kind::source;
  std::string zone;
  std::string value;
  bool operator==(const FirewallEntry&) const = default;
};
struct SetFirewallEntry {
  FirewallEntry entry;
  FirewallScope scope = FirewallScope::runtime;
  bool present = true;
};
// Of a policy that the scope knows.
struct SetFirewallPolicy {
  FirewallScope scope = FirewallScope::runtime;
  std::vector<std::string> accepts;
};
// New policies become known at a reload only, which drops what others have set for the runtime alone and empties the
// tables of iptables; it is done at a node's first pass and at its leaving, as Docker does for its own policy.
struct MakeFirewallPolicy {
  std::vector<std::string> accepts;
};
struct RemoveFirewallPolicy {};
struct ReloadFirewall {};
using FirewallStep = std::variant<SetFirewallEntry, SetFirewallPolicy, MakeFirewallPolicy, RemoveFirewallPolicy, ReloadFirewall>;

std::string describe(const FirewallStep& step);

// Nothing with somebody else's network plugin, or where FORWARD is another engine's.
FirewallDesired firewall_desired(const NetworkDesired& network);

// `noted`: what the change ledger has of firewalld. What it says that we added, and that is not wanted any more, is taken away; what was
// there before us stays.
std::vector<FirewallStep> plan_firewall(const FirewallDesired& desired, const FirewallObserved& observed,
                                        const std::vector<Change>& noted);
// What is to be noted before these steps are taken.
std::vector<Intent> firewall_intents(const std::vector<FirewallStep>& steps);

// Of a whole ledger.
std::vector<Change> firewall_changes(const Ledger& ledger);
// Names in the change ledger: "source trusted 10.10.0.0/16", "port public 8472/udp", "policy slipway".
std::string ledger_name(const FirewallEntry& entry);
std::string policy_ledger_name();
std::optional<FirewallEntry> entry_of(const std::string& ledger_name);

}  // namespace slipway
