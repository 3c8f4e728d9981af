#pragma once
// What a reset does, in which order, and what it leaves. Pure.
#include <set>
#include <string>
#include <vector>

#include "agent/domain/change_ledger.hpp"

namespace slipway {

// What is there now of one entry.
struct EntrySeen {
  bool there = false;  // copy: with our bytes
  std::string value;  // link: its target; sysctl: its value; unit: the unit file that systemd knows
  bool other_kind =
      false;  // something is there, but no file where a file should be, no link where a link should be
  bool same_as_kept = false;      // file: what is there is what stood there before us
  std::vector<std::string> temporary;  // file, link: what an agent that was killed while writing it has left beside it
  std::vector<std::string> more;  // programs: "runc (123)"; chains, namespaces: their names; device: its ports
};

struct ResetSeen {
  std::vector<EntrySeen> of;        // of each entry, in the ledger's order
  std::vector<std::string> mounts;  // all mount points of the host
  std::set<std::string> self_mounts;  // of these, folders that are bound to their own place: nothing lies behind them
};

enum class ResetAction {
  stop_unit,
  end_programs,
  remove_cgroup,  // and the processes that are left in it
  unmount,        // name: mount point
  remove_device,
  remove_routes,
  remove_addresses,
  remove_table,
  remove_chains,
  remove_firewall,  // what firewalld was told
  remove_namespaces,
  set_sysctl,       // value: the former one
  unload_module,
  remove_temporary,  // of a file or link
  remove_file,
  remove_copy,   // name: path; only what has the bytes of the entry
  restore_file,  // the copy back to its place
  remove_link,
  restore_link,  // value: the former target
  reload_units,  // systemd reads what is left
  remove_tree,
  empty_tree,  // the folder stays, as it was
  remove_dir,  // only when it is empty
};

struct ResetStep {
  ResetAction action = ResetAction::remove_file;
  std::string name;
  std::string value;
  Change change;  // the entry that it undoes; for an unmount the tree that the mount is in
};

struct Leftover {
  ChangeKind kind = ChangeKind::file;
  std::string name;
  std::string why;  // with the cure where there is one
  bool operator==(const Leftover&) const = default;
};

struct ResetPlan {
  std::vector<ResetStep> steps;
  std::vector<Leftover> leftovers;  // known before anything is done
  bool empty() const { return steps.empty() && leftovers.empty(); }
};

// Steps in the order in which to carry them out; each may be carried out again. An entry of which nothing is
// there gives none, so a second reset, or one that goes on after a kill, plans what is left to do.
ResetPlan plan_reset(const std::vector<Change>& changes, const ResetSeen& seen);

// For people: "remove the link /etc/...".
std::string describe(const ResetStep& step);

// Whether a mount below `tree` was made by a component for a pod or container; anything else is somebody's.
bool is_component_mount(const std::string& tree, const std::string& mount);

}  // namespace slipway
