#include "agent/domain/reset_plan.hpp"

#include <algorithm>
#include <set>

#include "agent/domain/program_copies.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

bool is_ours(Former former) {
  return former == Former::absent || former == Former::presumed;
}

// What is in the tree is ours, if not the tree.
bool filled_by_us(const Change& change) {
  return change.kind == ChangeKind::tree && (is_ours(change.former) || change.former == Former::empty);
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

class Planner {
 public:
  Planner(const std::vector<Change>& changes, const ResetSeen& seen) : changes_(changes), seen_(seen) {}

  ResetPlan plan() {
    // What runs goes first, in the reverse order of its making; then what it held open; then what it stood
    // on.
    each({ChangeKind::unit}, &Planner::unit);
    each({ChangeKind::programs}, &Planner::programs);
    each({ChangeKind::cgroup}, &Planner::cgroup);
    mounts();
    each({ChangeKind::device}, &Planner::device);
    each({ChangeKind::routes, ChangeKind::table, ChangeKind::chains, ChangeKind::firewall,
          ChangeKind::addresses},
         &Planner::marked);
    // After the devices, which go with them at a time of the kernel's choice.
    each({ChangeKind::namespaces}, &Planner::namespaces);
    each({ChangeKind::file, ChangeKind::link}, &Planner::file_or_link);
    each({ChangeKind::copy}, &Planner::copied_program);
    if (units_change_) plan_.steps.push_back({ResetAction::reload_units, "", "", {}});
    // After the files that would set them again at the next boot.
    each({ChangeKind::sysctl}, &Planner::sysctl);
    each({ChangeKind::module}, &Planner::module);
    each({ChangeKind::tree}, &Planner::tree);
    dirs();
    return std::move(plan_);
  }

 private:
  using Handler = void (Planner::*)(const Change&, const EntrySeen&);

  void each(const std::set<ChangeKind>& kinds, Handler handler) {
    for (std::size_t i = changes_.size(); i-- > 0;) {
      if (kinds.count(changes_[i].kind) == 0 || i >= seen_.of.size()) continue;
      const EntrySeen& seen = seen_.of[i];
      if (seen.there || !seen.temporary.empty()) (this->*handler)(changes_[i], seen);
    }
  }

  void step(ResetAction action, const Change& change, std::string value = {}) {
    plan_.steps.push_back({action, change.name, std::move(value), change});
  }
  void leave(const Change& change, std::string why) {
    plan_.leftovers.push_back({change.kind, change.name, std::move(why)});
  }

  // True: it is not ours to undo; what is unsure is told.
  bool not_ours(const Change& change) {
    if (change.former == Former::unsure) {
      const bool copied = change.kind == ChangeKind::file && !change.value.empty();
      leave(change, std::string("it was there when the ledger was begun and may be somebody else's; if it is not, remove it") +
                        (copied ? " (what it held then is in the ledger's folder, as kept/" + change.value + ")" : ""));
    }
    return !is_ours(change.former);
  }

  void unit(const Change& change, const EntrySeen& seen) {
    // A unit of the same name that somebody else brought runs from a file of its own.
    if (!seen.value.empty() && !change.wanted.empty() && seen.value != change.wanted) return;
    step(ResetAction::stop_unit, change);
  }

  void programs(const Change& change, const EntrySeen& seen) {
    if (!not_ours(change)) step(ResetAction::end_programs, change, join(seen.more, ", "));
  }

  void mounts() {
    std::vector<std::string> all = seen_.mounts;
    std::sort(all.begin(), all.end());
    // The deepest first; of several on one point the last one is on top.
    for (auto mount = all.rbegin(); mount != all.rend(); ++mount) {
      const Change* tree = tree_of(*mount);
      // The disk that was mounted there before us.
      if (tree == nullptr || (tree->former == Former::empty && tree->name == *mount)) continue;
      if (is_component_mount(tree->name, *mount) || seen_.self_mounts.count(*mount) != 0) {
        plan_.steps.push_back({ResetAction::unmount, *mount, "", *tree});
      } else if (blocked_.insert(tree->name).second) {
        leave(*tree, "a file system is mounted at " + *mount +
                         " that no pod or container of ours needs: unmount it, then reset again");
      }
    }
  }

  // The outermost tree of ours that the path is in, or is.
  const Change* tree_of(const std::string& path) const {
    const Change* found = nullptr;
    for (const Change& change : changes_) {
      if (!filled_by_us(change) || (path != change.name && !is_below(path, change.name))) continue;
      if (found == nullptr || change.name.size() < found->name.size()) found = &change;
    }
    return found;
  }

  void device(const Change& change, const EntrySeen& seen) {
    if (not_ours(change)) return;
    step(ResetAction::remove_device, change, join(seen.more, ", "));
  }

  void marked(const Change& change, const EntrySeen& seen) {
    if (not_ours(change)) return;
    const ResetAction action = change.kind == ChangeKind::routes      ? ResetAction::remove_routes
                               : change.kind == ChangeKind::addresses ? ResetAction::remove_addresses
                               : change.kind == ChangeKind::table     ? ResetAction::remove_table
                               : change.kind == ChangeKind::firewall  ? ResetAction::remove_firewall
                                                                      : ResetAction::remove_chains;
    step(action, change, join(seen.more, ", "));
  }

  void namespaces(const Change& change, const EntrySeen& seen) {
    if (!not_ours(change)) step(ResetAction::remove_namespaces, change, join(seen.more, ", "));
  }

  void file_or_link(const Change& change, const EntrySeen& seen) {
    const bool link = change.kind == ChangeKind::link;
    if (!seen.temporary.empty()) step(ResetAction::remove_temporary, change, join(seen.temporary, ", "));
    if (!seen.there) return;
    if (change.former == Former::link) {
      if (seen.other_kind) return was_link(change, seen);
      step(ResetAction::restore_link, change, change.value);
      return note_unit(change);
    }
    if (change.former == Former::kept && !seen.other_kind) {
      if (seen.same_as_kept || (link && seen.value == change.value)) return;
      step(link ? ResetAction::restore_link : ResetAction::restore_file, change, link ? change.value : "");
      note_unit(change);
      return;
    }
    if (change.former == Former::kept)
      return leave(change, "something else is there now; what was there before us is in the ledger's folder");
    if (not_ours(change) || goes_with_tree(change)) return;
    if (seen.other_kind)
      return leave(change, link ? "something else than our link is there now"
                                : "something else than our file is there now");
    if (link && !change.wanted.empty() && seen.value != change.wanted)
      return leave(change, "it leads to " + seen.value + " now, which is not where ours led");
    step(link ? ResetAction::remove_link : ResetAction::remove_file, change);
    note_unit(change);
  }

  // What somebody has put in its place has other bytes, and is not there for us.
  void copied_program(const Change& change, const EntrySeen& seen) {
    const auto copy = program_copy_of(change.name);
    if (!copy || !is_ours(change.former)) return;
    if (!seen.temporary.empty())
      plan_.steps.push_back({ResetAction::remove_temporary, copy->path, join(seen.temporary, ", "), change});
    if (seen.there) plan_.steps.push_back({ResetAction::remove_copy, copy->path, "", change});
  }

  void was_link(const Change& change, const EntrySeen& seen) {
    if (seen.value != change.value)
      leave(change, "something else is there now; before us it was a link to " + change.value);
  }

  // Within a tree that is removed as a whole, its folder excepted.
  bool goes_with_tree(const Change& change) const {
    const Change* tree = tree_of(change.name);
    return tree != nullptr && tree->name != change.name && blocked_.count(tree->name) == 0;
  }

  void note_unit(const Change& change) {
    const bool of_unit = change.name.ends_with(".service") || change.name.find(".service.d/") != std::string::npos;
    units_change_ = units_change_ || of_unit;
  }

  void sysctl(const Change& change, const EntrySeen& seen) {
    if (change.former == Former::unsure || change.former == Former::presumed) {
      if (change.wanted.empty() || seen.value != change.wanted) return;
      return leave(change,
                   "it is " + seen.value + "; what it was before us is not known. The next boot sets it");
    }
    if (change.former != Former::kept || seen.value == change.value) return;
    // Somebody has set it to something else since: that is theirs.
    if (!change.wanted.empty() && seen.value != change.wanted) return;
    step(ResetAction::set_sysctl, change, change.value);
  }

  void module(const Change& change, const EntrySeen&) {
    if (!not_ours(change)) step(ResetAction::unload_module, change);
  }

  void tree(const Change& change, const EntrySeen&) {
    if (blocked_.count(change.name) != 0) return;
    if (change.former == Former::empty) return step(ResetAction::empty_tree, change);
    if (not_ours(change)) return;
    const bool inside = std::any_of(changes_.begin(), changes_.end(), [&](const Change& other) {
      return filled_by_us(other) && blocked_.count(other.name) == 0 &&
             is_below(change.name, other.name);
    });
    if (!inside) step(ResetAction::remove_tree, change);
  }

  void cgroup(const Change& change, const EntrySeen&) {
    if (!not_ours(change)) step(ResetAction::remove_cgroup, change);
  }

  // The deepest first. Folders within trees of ours go with them.
  void dirs() {
    std::vector<const Change*> ours;
    for (std::size_t i = 0; i < changes_.size() && i < seen_.of.size(); ++i) {
      const Change& change = changes_[i];
      if (change.kind != ChangeKind::dir || !seen_.of[i].there || !is_ours(change.former)) continue;
      const Change* tree = tree_of(change.name);
      if (tree == nullptr || blocked_.count(tree->name) != 0) ours.push_back(&change);
    }
    std::sort(ours.begin(), ours.end(), [](const Change* a, const Change* b) { return a->name > b->name; });
    for (const Change* change : ours) step(ResetAction::remove_dir, *change);
  }

  const std::vector<Change>& changes_;
  const ResetSeen& seen_;
  ResetPlan plan_;
  std::set<std::string> blocked_;
  bool units_change_ = false;
};

}  // namespace

bool is_component_mount(const std::string& tree, const std::string& mount) {
  if (!is_below(mount, tree)) return false;
  // Volumes, their subpaths and devices of the kubelet; layers, shm and namespaces of Docker; bundles of
  // containerd, and what it mounts for a moment.
  static constexpr std::string_view k_parts[] = {
      "/pods/",  "/plugins/", "/overlay2/",   "/overlay/", "/aufs/",         "/devicemapper/",
      "/btrfs/", "/zfs/",     "/containers/", "/netns/",   "/runtime-runc/", "/io.containerd.",
      "/tmpmounts/"};
  const std::string rest = mount.substr(tree.size());
  if (rest == "/netns" || rest == "/overlay2") return true;
  return std::any_of(std::begin(k_parts), std::end(k_parts),
                     [&rest](std::string_view part) { return rest.starts_with(part); });
}

ResetPlan plan_reset(const std::vector<Change>& changes, const ResetSeen& seen) {
  return Planner(changes, seen).plan();
}

std::string describe(const ResetStep& step) {
  const std::string note = step.value.empty() ? "" : ": " + step.value;
  switch (step.action) {
    case ResetAction::stop_unit:
      return "stop " + step.name;
    case ResetAction::end_programs:
      return "end the processes of the programs below " + step.name + note;
    case ResetAction::unmount:
      return "unmount " + step.name;
    case ResetAction::remove_device:
      return "remove the network device " + step.name +
             (step.value.empty() ? "" : " and its ports " + step.value);
    case ResetAction::remove_routes:
    case ResetAction::remove_addresses:
    case ResetAction::remove_table:
    case ResetAction::remove_chains:
    case ResetAction::remove_firewall:
    case ResetAction::remove_namespaces:
      return "remove the " + describe(step.change.kind, step.name) + note;
    case ResetAction::set_sysctl:
      return "set " + step.name + " back to " + step.value;
    case ResetAction::unload_module:
      return "unload the kernel module " + step.name;
    case ResetAction::remove_temporary:
      return "remove what an agent that was killed has left beside " + step.name + note;
    case ResetAction::remove_file:
      return "remove the file " + step.name;
    case ResetAction::remove_copy:
      return "remove our copy of a program, " + step.name;
    case ResetAction::restore_file:
      return "put back what was before ours: " + step.name;
    case ResetAction::remove_link:
      return "remove the link " + step.name;
    case ResetAction::restore_link:
      return "let " + step.name + " lead to " + step.value + " again";
    case ResetAction::reload_units:
      return "have systemd read its units again";
    case ResetAction::empty_tree:
      return "empty " + step.name + ", as it was before us";
    case ResetAction::remove_tree:
      return "remove " + step.name + " with all that is in it";
    case ResetAction::remove_cgroup:
      return "remove the control group " + step.name + " with the processes in it";
    case ResetAction::remove_dir:
      return "remove the folder " + step.name + " when it is empty";
  }
  return step.name;
}

}  // namespace slipway
