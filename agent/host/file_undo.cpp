#include "agent/host/file_undo.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "agent/domain/program_copies.hpp"
#include "agent/host/host_objects.hpp"
#include "common/core/text.hpp"
#include "common/crypto/file_digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_copy = std::size_t{16} << 20;
constexpr std::int64_t k_second_ns = 1'000'000'000;
constexpr std::size_t k_told_names = 5;

std::int64_t modified_ns(const struct stat& info) {
  return info.st_mtim.tv_sec * k_second_ns + info.st_mtim.tv_nsec;
}

// The device tells other file systems only; a bind mount of the same one would be emptied with the folder
// that it shows.
Status no_mount_within(const std::string& path, bool nor_at) {
  const auto points = mount_points();
  if (!points) return points.error();
  for (const auto& [point, itself] : *points) {
    if ((nor_at && point == path) || point.starts_with(path + "/"))
      return make_error(Errc::conflict,
                        "a file system is mounted at " + point + "; unmount it, then reset again");
  }
  return {};
}

Status remove_whole(const std::string& path) {
  if (!path_exists(path)) return {};
  if (auto free = no_mount_within(path, true); !free) return free;
  return remove_tree(path);
}

// Of a folder that was there, and empty, before us.
std::vector<std::string> contents_of(const std::string& path) {
  auto names = list_dir(path);
  if (!names) return {};
  std::erase(*names, "lost+found");
  return *names;
}

Status empty_folder(const Change& change) {
  const std::string& path = change.name;
  if (auto free = no_mount_within(path, false); !free) return free;
  for (const std::string& name : contents_of(path)) {
    if (auto gone = remove_tree(path + "/" + name); !gone) return gone;
  }
  if (::chown(path.c_str(), change.uid, change.gid) != 0) return from_errno("set the owner of " + path, errno);
  if (::chmod(path.c_str(), change.mode) != 0) return from_errno("set the mode of " + path, errno);
  return {};
}

bool same_empty_folder(const Change& change, const struct stat& info) {
  const bool same = (info.st_mode & 07777) == change.mode && info.st_uid == change.uid && info.st_gid == change.gid;
  return !S_ISDIR(info.st_mode) || (same && contents_of(change.name).empty());
}

Status remove_if_empty(const std::string& path) {
  if (::rmdir(path.c_str()) == 0) return sync_dir(parent_path(path));
  if (errno == ENOENT) return {};
  if (errno == EBUSY) return make_error(Errc::conflict, "a file system is mounted there");
  if (errno != ENOTEMPTY && errno != EEXIST) return from_errno("remove " + path, errno);
  auto names = list_dir(path);
  if (!names) return names.error();
  const std::size_t more = names->size() > k_told_names ? names->size() - k_told_names : 0;
  names->resize(std::min(names->size(), k_told_names));
  return make_error(Errc::conflict, "it holds what is not Slipway's: " + join(*names, ", ") +
                                        (more == 0 ? "" : " and " + std::to_string(more) + " more"));
}

// The names under which common/files writes a file or link before it has its own; of living processes too.
std::vector<std::string> temporary_prefixes(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return {"." + name + ".tmp-", name + ".tmp-"};
}

std::vector<std::string> temporaries(const std::string& path) {
  std::vector<std::string> found;
  const auto names = list_dir(parent_path(path));
  if (!names) return found;
  for (const std::string& prefix : temporary_prefixes(path)) {
    std::copy_if(names->begin(), names->end(), std::back_inserter(found), [&prefix](const std::string& name) { return name.starts_with(prefix); });
  }
  return found;
}

Status remove_temporaries(const std::string& path) {
  for (const std::string& prefix : temporary_prefixes(path)) remove_stale(parent_path(path), prefix);
  const std::vector<std::string> left = temporaries(path);
  if (left.empty()) return {};
  return make_error(Errc::conflict, "beside it is " + join(left, ", ") + ", which a process that runs may be writing");
}

Status restore_link(const std::string& path, const std::string& target) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
    if (auto gone = remove_file(path); !gone) return gone;
  }
  const auto switched = switch_link(path, target);
  return switched ? Status() : switched.error();
}

// Whether the very bytes that we put there lie there.
bool is_there(const ProgramCopy& copy) {
  struct stat info {};
  if (::lstat(copy.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const auto digest = sha256_of_file(copy.path);
  return digest && *digest == copy.sha256;
}

EntrySeen look_at_copy(const Change& change) {
  EntrySeen seen;
  const auto copy = program_copy_of(change.name);
  if (!copy) return seen;
  seen.temporary = temporaries(copy->path);
  seen.there = is_there(*copy);
  return seen;
}

Status remove_copy(const Change& change) {
  const auto copy = program_copy_of(change.name);
  return copy && is_there(*copy) ? remove_file(copy->path) : Status();
}

std::vector<std::string> namespaces(const std::string& prefix) {
  const std::string name = prefix.substr(prefix.rfind('/') + 1);
  auto names = list_dir(parent_path(prefix));
  if (!names) return {};
  std::erase_if(*names, [&name](const std::string& other) { return !other.starts_with(name); });
  return *names;
}

Status remove_namespaces(const std::string& prefix) {
  const std::string folder = parent_path(prefix);
  const auto points = mount_points();
  if (!points) return points.error();
  for (const std::string& name : namespaces(prefix)) {
    const std::string path = folder + "/" + name;
    const bool mounted = std::any_of(points->begin(), points->end(), [&path](const MountPoint& point) { return point.path == path; });
    if (auto gone = mounted ? unmount(path) : Status(); !gone) return gone;
    if (auto gone = remove_file(path); !gone) return gone;
  }
  // Others have theirs in it; the next one to need the folder makes it.
  (void)::rmdir(folder.c_str());
  return {};
}

}  // namespace

bool FileUndo::handles(ChangeKind kind) {
  return kind == ChangeKind::file || kind == ChangeKind::link || kind == ChangeKind::dir ||
         kind == ChangeKind::tree || kind == ChangeKind::copy || kind == ChangeKind::namespaces;
}

EntrySeen FileUndo::look(const Change& change) const {
  if (change.kind == ChangeKind::copy) return look_at_copy(change);
  EntrySeen seen;
  if (change.kind == ChangeKind::namespaces) {
    seen.more = namespaces(change.name);
    seen.there = !seen.more.empty();
    return seen;
  }
  if (change.kind == ChangeKind::file || change.kind == ChangeKind::link) seen.temporary = temporaries(change.name);
  struct stat info {};
  if (::lstat(change.name.c_str(), &info) != 0) {
    // What stood there before us is to come back even when somebody has taken ours away.
    seen.there = change.former == Former::kept || change.former == Former::link;
    return seen;
  }
  seen.there = true;
  if (S_ISLNK(info.st_mode)) {
    if (auto target = read_link(change.name)) seen.value = std::move(*target);
  }
  if (change.kind == ChangeKind::file) {
    seen.other_kind = !S_ISREG(info.st_mode);
    seen.same_as_kept = change.former == Former::kept && S_ISREG(info.st_mode) && same_as_copy(change);
  }
  if (change.kind == ChangeKind::link) seen.other_kind = !S_ISLNK(info.st_mode);
  if (change.former == Former::empty) seen.there = !same_empty_folder(change, info);
  if (change.kind == ChangeKind::dir && !S_ISDIR(info.st_mode)) seen.there = false;
  return seen;
}

bool FileUndo::same_as_copy(const Change& change) const {
  struct stat info {};
  if (::lstat(change.name.c_str(), &info) != 0) return false;
  const bool same = (info.st_mode & 07777) == change.mode && info.st_uid == change.uid &&
                    info.st_gid == change.gid && modified_ns(info) == change.modified_ns;
  if (!same) return false;
  const auto now = read_file(change.name, k_max_copy);
  const auto copy = read_file(copies_ + "/" + change.value, k_max_copy);
  return now && copy && *now == *copy;
}

Status FileUndo::restore(const Change& change) const {
  const auto copy = read_file(copies_ + "/" + change.value, k_max_copy);
  if (!copy) return error_of(copy, "the copy of what was there");
  if (auto made = make_dirs(parent_path(change.name), 0755); !made) return made;
  if (auto written =
          write_file_atomically(change.name, *copy, change.mode, FileOwner{change.uid, change.gid});
      !written)
    return written;
  const timespec modified{change.modified_ns / k_second_ns, change.modified_ns % k_second_ns};
  const timespec times[2] = {{0, UTIME_OMIT}, modified};
  if (::utimensat(AT_FDCWD, change.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return from_errno("set the time of " + change.name, errno);
  return {};
}

Status FileUndo::undo(const ResetStep& step) const {
  switch (step.action) {
    case ResetAction::remove_temporary:
      return remove_temporaries(step.name);
    case ResetAction::remove_file:
    case ResetAction::remove_link:
      return remove_file(step.name);
    case ResetAction::remove_copy:
      return remove_copy(step.change);
    case ResetAction::restore_file:
      return restore(step.change);
    case ResetAction::restore_link:
      return restore_link(step.name, step.value);
    case ResetAction::empty_tree:
      return empty_folder(step.change);
    case ResetAction::remove_tree:
      return remove_whole(step.name);
    case ResetAction::remove_namespaces:
      return remove_namespaces(step.name);
    case ResetAction::remove_dir:
      return remove_if_empty(step.name);
    default:
      return make_error(Errc::internal, "no way to " + describe(step));
  }
}

}  // namespace slipway
