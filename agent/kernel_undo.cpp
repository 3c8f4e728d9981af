#include "agent/kernel_undo.hpp"

#include <utility>

#include "agent/host/host_objects.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

Result<std::unique_ptr<KernelUndo>> KernelUndo::open(UndoPaths paths) {
  auto network = net::NetworkUndo::open(paths.network);
  if (!network) return network.error();
  return std::unique_ptr<KernelUndo>(new KernelUndo(std::move(paths), std::move(*network)));
}

Result<ResetSeen> KernelUndo::look(const std::vector<Change>& changes) {
  ResetSeen seen;
  for (const Change& change : changes) {
    auto entry = look_at(change);
    if (!entry) return error_of(entry, "looking at " + describe(change.kind, change.name));
    seen.of.push_back(std::move(*entry));
  }
  auto mounts = mount_points();
  if (!mounts) return mounts.error();
  for (const MountPoint& mount : *mounts) {
    seen.mounts.push_back(mount.path);
    if (mount.itself) seen.self_mounts.insert(mount.path);
  }
  return seen;
}

Result<EntrySeen> KernelUndo::look_at(const Change& change) {
  if (FileUndo::handles(change.kind)) return files_.look(change);
  if (net::NetworkUndo::handles(change.kind)) return network_.look(change);
  EntrySeen seen;
  if (change.kind == ChangeKind::programs) {
    for (const RunningProgram& program : programs_below(change.name))
      seen.more.push_back(program.name + " (" + std::to_string(program.pid) + ")");
    seen.there = !seen.more.empty();
  } else if (change.kind == ChangeKind::cgroup) {
    seen.there = !cgroup_folders(change.name, paths_.cgroups).empty();
  } else if (change.kind == ChangeKind::module) {
    seen.there = module_loaded(change.name, paths_.sys);
  }
  return seen;
}

Status KernelUndo::undo(const ResetStep& step) {
  switch (step.action) {
    case ResetAction::end_programs:
      return end_programs(step.name);
    case ResetAction::remove_cgroup:
      return remove_cgroup(step.name, paths_.cgroups);
    case ResetAction::unmount:
      return unmount(step.name);
    case ResetAction::unload_module:
      return unload_module(step.name);
    default:
      return FileUndo::handles(step.change.kind) ? files_.undo(step) : network_.undo(step);
  }
}

Result<Change> KernelUndo::former(const Intent& intent) {
  if (net::NetworkUndo::handles(intent.kind)) return network_.former(intent);
  const Change change{intent.kind, intent.name, intent.wanted, Former::absent, ""};
  auto seen = look_at(change);
  if (!seen) return seen.error();
  Change former = change;
  // Units are told by their files; a module that is loaded is used by others too.
  if (seen->there) former.former = Former::found;
  return former;
}

Status note_changes(const std::string& data_dir, const std::vector<Intent>& intents, const UndoPaths& paths) {
  if (auto made = make_dirs(data_dir, 0700); !made) return made;
  auto host = KernelUndo::open(paths);
  if (!host) return host.error();
  auto ledger =
      FileChangeLedger::open(data_dir, [&host](const Intent& intent) { return (*host)->former(intent); });
  if (!ledger) return ledger.error();
  return (*ledger)->intend(intents);
}

}  // namespace slipway
