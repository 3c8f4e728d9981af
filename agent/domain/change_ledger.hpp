#pragma once
// What the agent and its components change on a host, with what was there before. Pure. The store writes an
// entry before the change that it speaks of (agent/ports/change_ledger.hpp); a reset undoes exactly these
// entries (reset_plan.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

enum class ChangeKind {
  file,      // name: path
  link,      // name: path; wanted: where it leads
  dir,       // name: path; goes only when it is empty
  tree,      // name: path; a folder, file or socket that our components fill: goes with all that is in it
  unit,      // name: "kubelet.service"; wanted: its unit file
  sysctl,    // name: key with slashes; wanted: the value that we or our component set, empty when that is not
             // known beforehand
  module,    // name: kernel module
  routes,    // name: route protocol number. One entry for all: each route carries the mark
  table,     // name: nft table of family ip, or with its family before it: "ip6 slipway"
  chains,    // name: prefix of iptables chains
  device,    // name: network interface
  cgroup,    // name: control group below each hierarchy
  firewall,  // name: what firewalld was told (firewall_plan.hpp)
  addresses,  // name: "fe80::5157:*" (link_hop.hpp). One entry for all: each address carries the mark
  programs,   // name: folder. Processes that run a program from there, and what they have started
  copy,       // name: path and SHA-256 of a program of ours in somebody else's folder (program_copies.hpp)
  namespaces,  // name: beginning of their paths, "/run/netns/cni-". Pods' network namespaces, each a mount of
               // a file, in a folder that others use too
};

// What was there when the entry was written.
enum class Former {
  absent,    // nothing: what is there now is ours
  found,     // the same thing of somebody else's, which we only use: a folder, a loaded module
  kept,      // something of somebody else's that we replaced: it is put back (file: from a copy; link: its
             // target; sysctl: its value)
  empty,     // tree: an empty folder of somebody else's, a disk mounted there perhaps: it stays, what came into it goes
  link,      // file: a link of somebody else's was in its place; value: where it led
  presumed,  // it was there already, left by an agent of before there was this ledger: its name is ours
             // alone, or our mark is in it
  unsure,    // the ledger was begun on a node that had joined already, and this may be somebody else's: left
             // alone, and told
};

struct Change {
  ChangeKind kind = ChangeKind::file;
  std::string name;
  std::string wanted = {};
  Former former = Former::absent;
  std::string value = {};             // kept link: its target; sysctl: its value; kept file: name of the copy
  std::uint32_t mode = 0;        // kept file, empty tree
  std::uint32_t uid = 0;         // likewise
  std::uint32_t gid = 0;         // likewise
  std::int64_t modified_ns = 0;  // kept file: its time of modification, since 1970
  bool operator==(const Change&) const = default;
};

// What somebody is about to change.
struct Intent {
  ChangeKind kind = ChangeKind::file;
  std::string name;
  std::string wanted = {};
  bool ours_by_name = false;  // nobody else has anything of this name
  bool operator==(const Intent&) const = default;
};

// For people: "file /etc/docker/daemon.json", "sysctl net/ipv4/ip_forward".
std::string describe(ChangeKind kind, const std::string& name);

// Words of the file; empty, nullopt: none of them.
std::string_view to_string(ChangeKind kind);
std::string_view to_string(Former former);
std::optional<ChangeKind> change_kind_of(std::string_view word);
std::optional<Former> former_of(std::string_view word);

// Entries in the order in which they were written; of several for one thing the first holds: later ones saw
// our own work.
class Ledger {
 public:
  // False: it was known.
  bool add(Change change);
  const Change* find(ChangeKind kind, const std::string& name) const;
  const std::vector<Change>& changes() const { return changes_; }
  // Those of the intents that have no entry yet, each once.
  std::vector<Intent> news(const std::vector<Intent>& intents) const;

 private:
  std::vector<Change> changes_;
  std::map<std::pair<ChangeKind, std::string>, std::size_t> index_;
};

// Names come from our own rendering, but a ledger is read as root and acted on: an absolute path without
// "..", "//" or control characters and with at least two parts; keys, units, devices and chains without
// slashes or with plain parts. Errc::invalid.
Status check_change(const Change& change);

}  // namespace slipway
