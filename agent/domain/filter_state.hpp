#pragma once
// The node's packet filter and kernel settings as values: what is observed, and the steps that change it. For
// agent/domain/network_plan.hpp. Pure.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway {

inline constexpr char k_forward_chain[] = "SLIPWAY-FORWARD";
inline constexpr char k_masquerade_table[] = "slipway";  // of family ip, and of ip6

enum class IpFamily { v4, v6 };
inline constexpr IpFamily k_families[] = {IpFamily::v4, IpFamily::v6};
inline IpFamily family_of(const Cidr& block) {
  return block.is_v4() ? IpFamily::v4 : IpFamily::v6;
}
// As nftables names it.
inline constexpr const char* nft_word(IpFamily family) {
  return family == IpFamily::v4 ? "ip" : "ip6";
}
// One thing for each family.
template <class T>
struct PerFamily {
  T v4{}, v6{};
  T& operator[](IpFamily family) { return family == IpFamily::v4 ? v4 : v6; }
  const T& operator[](IpFamily family) const { return family == IpFamily::v4 ? v4 : v6; }
  bool operator==(const PerFamily&) const = default;
};

struct Sysctl {
  std::string key;  // with slashes, below /proc/sys: "net/ipv4/ip_forward"
  std::string value;
  bool operator==(const Sysctl&) const = default;
};

struct ObservedSysctl {
  std::string key;
  std::optional<std::string> value;  // empty: this kernel (or network namespace) has not got it
  bool writable = false;
};

struct MasqueradeTable {
  std::vector<std::string> rule_marks;  // the comment of each rule, in order; "" for a rule without one
  std::vector<Cidr> local;              // elements of the set of ranges that are not masqueraded, sorted
  bool operator==(const MasqueradeTable&) const = default;
};

struct ForwardState {
  bool tool_present = false;  // an iptables program of the family was found
  bool policy_drop = false;   // Docker sets it
  bool jump_first = false;    // rule 1 of FORWARD jumps to our chain
  bool chain_present = false;
  bool chain_exact =
      false;  // the chain holds, for each of accepted, one rule by source and one by destination, no more
  std::vector<Cidr> accepted;  // sorted
};

// A chain of somebody else's that lets no forwarded packet pass unless a rule of its own accepts it. An accept
// elsewhere does not help: a packet must pass all chains of a hook (nft(8), "accept").
struct ForeignRefusal {
  std::string family, table, chain;  // as nftables names them: "inet filter forward"
  std::string how;                   // "policy drop", "reject"
  std::string accepts;               // its accepting rules, a line each
};

// Both variants of iptables have rules in one network namespace.
struct MixedTables {
  std::vector<std::string> legacy;    // "ip filter", ...
  std::vector<std::string> nf_tables;
  bool mixed() const { return !legacy.empty() && !nf_tables.empty(); }
};

// A pod to which the CNI plugin portmap leads ports of this host. It puts the rules into iptables' table nat when the
// pod is made, and nobody puts them again.
struct HostPortPod {
  std::string name;       // "default/web"; its container where the runtime has not kept it
  std::string container;  // its sandbox's identifier, which the rules have in a comment
  PerFamily<bool> addresses;  // in which families it has one
  bool operator==(const HostPortPod&) const = default;
};

// Those that stand now. Blocks.
using HostPortPods = std::function<std::vector<HostPortPod>()>;

struct FilterState {
  PerFamily<std::optional<MasqueradeTable>> masquerade;  // empty: no table
  PerFamily<ForwardState> forward;
  std::vector<ForeignRefusal> refusals;
  MixedTables iptables;
  std::vector<std::string> lost_host_ports = {};  // pods by name whose ports of this host lead nowhere: their rules are gone
};

struct PutMasquerade {  // the whole table in one transaction
  IpFamily family = IpFamily::v4;
  std::vector<std::string> rules;
  MasqueradeTable table;
};
struct RemoveMasquerade {
  IpFamily family = IpFamily::v4;
};
struct PutForward {
  IpFamily family = IpFamily::v4;
  std::vector<Cidr> accepted;
};
struct RemoveForward {
  IpFamily family = IpFamily::v4;
};
struct LoadModule {
  std::string name;
};
struct SetSysctl {
  Sysctl sysctl;
};
enum class NetworkFile {
  sysctl,
  modules,
  // So that other managers of network devices leave ours alone (host_dropins.hpp).
  udev_link,
  networkd_device,
  networkd_routes,
  network_manager,
};
struct WriteNetworkFile {
  NetworkFile file = NetworkFile::sysctl;
  std::string content;  // empty: remove the file
};

}  // namespace slipway
