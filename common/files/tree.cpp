#include "common/files/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <memory>
#include <string_view>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using DirHandle = std::unique_ptr<DIR, CloseDir>;

constexpr int k_open_dir = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;

// Takes the descriptor over.
Result<std::vector<std::string>> names_in(UniqueFd fd, const std::string& path) {
  DirHandle dir(::fdopendir(fd.get()));
  if (!dir) return from_errno("list " + path, errno);
  (void)fd.release();  // closedir() closes it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) return from_errno("list " + path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> names_below(int fd, const std::string& path) {
  UniqueFd copy(::openat(fd, ".", k_open_dir));
  if (!copy) return from_errno("open folder " + path, errno);
  return names_in(std::move(copy), path);
}

// What is `name` in folder `fd`? A folder on another device is refused.
Result<bool> is_folder_here(int fd, const std::string& name, const std::string& path, dev_t device) {
  struct stat info {};
  if (::fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return from_errno("stat " + path, errno);
  if (!S_ISDIR(info.st_mode)) return false;
  if (info.st_dev != device) {
    return make_error(Errc::conflict, "remove " + path + ": another file system is mounted there; unmount it first");
  }
  return true;
}

// With `removing` false only looks for mounts, so that nothing is touched when there is one.
Status walk_and_remove(int fd, const std::string& path, dev_t device, bool removing) {
  Result<std::vector<std::string>> names = names_below(fd, path);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::string below = path + "/" + name;
    Result<bool> folder = is_folder_here(fd, name, below, device);
    if (!folder) return folder.error();
    if (*folder) {
      UniqueFd child(::openat(fd, name.c_str(), k_open_dir));
      if (!child) return from_errno("open folder " + below, errno);
      if (Status done = walk_and_remove(child.get(), below, device, removing); !done) return done;
    }
    if (!removing) continue;
    if (::unlinkat(fd, name.c_str(), *folder ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
      return from_errno("remove " + below, errno);
    }
  }
  return {};
}

Status sync_below(int fd, const std::string& path) {
  Result<std::vector<std::string>> names = names_below(fd, path);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::string below = path + "/" + name;
    struct stat info {};
    if (::fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return from_errno("stat " + below, errno);
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) continue;
    UniqueFd child(::openat(fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!child) return from_errno("open " + below, errno);
    if (S_ISDIR(info.st_mode)) {
      if (Status done = sync_below(child.get(), below); !done) return done;
    } else if (::fsync(child.get()) != 0) {
      return from_errno("fsync " + below, errno);
    }
  }
  if (::fsync(fd) != 0) return from_errno("fsync folder " + path, errno);
  return {};
}

}  // namespace

Result<std::vector<std::string>> list_dir(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return from_errno("list " + path, errno);
  return names_in(std::move(fd), path);
}

bool path_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Status remove_tree(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return from_errno("stat " + path, errno);
  }
  if (!S_ISDIR(info.st_mode)) return remove_file(path);
  struct stat above {};
  if (::stat(parent_path(path).c_str(), &above) != 0) return from_errno("stat " + parent_path(path), errno);
  if (above.st_dev != info.st_dev) {
    return make_error(Errc::conflict, "remove " + path + ": it is a mounted file system; unmount it first");
  }
  {
    UniqueFd fd(::open(path.c_str(), k_open_dir));
    if (!fd) return from_errno("open folder " + path, errno);
    if (Status looked = walk_and_remove(fd.get(), path, info.st_dev, false); !looked) return looked;
    if (Status removed = walk_and_remove(fd.get(), path, info.st_dev, true); !removed) return removed;
  }
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return from_errno("remove " + path, errno);
  return sync_dir(parent_path(path));
}

void remove_stale(const std::string& folder, const std::string& prefix) {
  const Result<std::vector<std::string>> names = list_dir(folder);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    const auto process = parse_u64(rest.substr(0, rest.find('-')));
    if (!process || *process == 0 || *process > INT_MAX) continue;
    const bool gone = ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH;
    if (gone) (void)::unlink((folder + "/" + name).c_str());
  }
}

Status sync_tree(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), k_open_dir));
  if (!fd) return from_errno("open folder " + path, errno);
  return sync_below(fd.get(), path);
}

Result<bool> switch_link(const std::string& link_path, const std::string& target) {
  struct stat info {};
  if (::lstat(link_path.c_str(), &info) == 0) {
    if (!S_ISLNK(info.st_mode)) {
      return make_error(Errc::conflict, "switch link " + link_path + ": something else is there that is no link; move it away");
    }
    Result<std::string> present = read_link(link_path);
    if (present && *present == target) return false;
  }
  const std::string temporary = link_path + ".tmp-" + std::to_string(::getpid());
  remove_stale(parent_path(link_path), link_path.substr(link_path.rfind('/') + 1) + ".tmp-");
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return from_errno("make link " + temporary, errno);
  if (::rename(temporary.c_str(), link_path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    return from_errno("rename " + temporary + " to " + link_path, number);
  }
  if (Status synced = sync_dir(parent_path(link_path)); !synced) return synced.error();
  return true;
}

Result<std::string> read_link(const std::string& link_path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(link_path.c_str(), target, sizeof target);
  if (length >= 0) return std::string(target, static_cast<std::size_t>(length));
  if (errno == EINVAL) return make_error(Errc::invalid, "read link " + link_path + ": not a link");
  return from_errno("read link " + link_path, errno);
}

}  // namespace slipway
