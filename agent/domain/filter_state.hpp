#pragma once
// The node's packet filter and kernel settings as values: what is observed, and the steps that change it. For
// agent/domain/network_plan.hpp. Pure.
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway {

inline constexpr char k_forward_chain[] = "SLIPWAY-FORWARD";
inline constexpr char k_masquerade_table[] = "slipway";  // family ip

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
  bool tool_present = false;  // an iptables program was found
  bool policy_drop = false;   // Docker sets it
  bool jump_first = false;    // rule 1 of FORWARD jumps to our chain
  bool chain_present = false;
  bool chain_exact =
      false;  // the chain holds, for each of accepted, one rule by source and one by destination, no more
  std::vector<Cidr> accepted;  // sorted
};

struct PutMasquerade {  // the whole table in one transaction
  std::vector<std::string> rules;
  MasqueradeTable table;
};
struct RemoveMasquerade {};
struct PutForward {
  std::vector<Cidr> accepted;
};
struct RemoveForward {};
struct LoadModule {
  std::string name;
};
struct SetSysctl {
  Sysctl sysctl;
};
enum class NetworkFile { sysctl, modules };
struct WriteNetworkFile {
  NetworkFile file = NetworkFile::sysctl;
  std::string content;  // empty: remove the file
};

}  // namespace slipway
