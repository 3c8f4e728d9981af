#include "common/files/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "common/core/unique_fd.hpp"
#include "common/files/tree.hpp"
#include "common/files/write_all.hpp"

namespace slipway {

namespace {

constexpr mode_t k_mode_bits = 07777;

// What stands before the process id in the names of temporary files for `path`.
std::string temporary_prefix(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return "." + (slash == std::string::npos ? path : path.substr(slash + 1)) + ".tmp-";
}

std::string temporary_name(const std::string& path) {
  // Unique within the host without a random source: process, and a counter within it.
  static std::atomic<unsigned> counter{0};
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return folder + temporary_prefix(path) + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

Result<UniqueFd> create_exclusively(const std::string& path, mode_t mode) {
  constexpr int k_flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::open(path.c_str(), k_flags, 0600);
  if (fd < 0 && errno == EEXIST && ::unlink(path.c_str()) == 0) {
    // Left by a process that had our id before a crash.
    fd = ::open(path.c_str(), k_flags, 0600);
  }
  if (fd < 0) return from_errno("create " + path, errno);
  UniqueFd owned(fd);
  // Created private, then opened up to `mode`, all before the first byte: no umask can widen or narrow it.
  if (::fchmod(fd, mode & k_mode_bits) != 0) return from_errno("set the mode of " + path, errno);
  return owned;
}

Status fill(const std::string& temporary, std::string_view content, mode_t mode, std::optional<FileOwner> owner) {
  Result<UniqueFd> fd = create_exclusively(temporary, mode);
  if (!fd) return fd.error();
  if (owner) {
    if (::fchown(fd->get(), owner->uid, owner->gid) != 0) return from_errno("set the owner of " + temporary, errno);
    // chown takes setuid and setgid away; the mode asked for stands.
    if (::fchmod(fd->get(), mode & k_mode_bits) != 0) return from_errno("set the mode of " + temporary, errno);
  }
  if (Status written = write_all(fd->get(), content, temporary); !written) return written;
  if (::fsync(fd->get()) != 0) return from_errno("fsync " + temporary, errno);
  // Some file systems report a lost write only here.
  if (::close(fd->release()) != 0) return from_errno("close " + temporary, errno);
  return {};
}

// Opens for reading; FIFOs and devices are refused before anything is read from them.
Result<UniqueFd> open_regular(const std::string& path, struct stat& info) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return from_errno("open " + path, errno);
  if (::fstat(fd.get(), &info) != 0) return from_errno("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return make_error(Errc::invalid, "read " + path + ": not a regular file");
  return fd;
}

Result<std::string> read_limited(int fd, const std::string& path, std::size_t max_bytes, std::size_t expected) {
  std::string content;
  // One byte more than allowed shows a file that is too long, or grows while it is read.
  content.resize(std::min(expected, max_bytes) + 1);
  std::size_t used = 0;
  for (;;) {
    const ssize_t got = ::read(fd, content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int number = errno;
      secure_wipe(content.data(), content.size());
      return from_errno("read " + path, number);
    }
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > max_bytes) {
      secure_wipe(content.data(), content.size());
      return make_error(Errc::invalid, "read " + path + ": longer than " + std::to_string(max_bytes) + " bytes");
    }
    if (used == content.size()) content.resize(std::min(content.size() * 2, max_bytes + 1));
  }
  content.resize(used);
  return content;
}

bool same_file(const std::string& path, std::string_view content, mode_t mode, std::optional<FileOwner> owner) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if ((info.st_mode & k_mode_bits) != (mode & k_mode_bits)) return false;
  if (owner && (info.st_uid != owner->uid || info.st_gid != owner->gid)) return false;
  if (static_cast<std::size_t>(info.st_size) != content.size()) return false;
  Result<std::string> present = read_file(path, content.size());
  if (!present) return false;
  const bool same = *present == content;
  secure_wipe(present->data(), present->size());
  return same;
}

// Between its making and its mode a folder has none, whatever the umask: after a kill the next call finishes it.
constexpr mode_t k_unfinished = 0;

Status finish_dir(const std::string& path, mode_t mode) {
  if (::chmod(path.c_str(), mode & k_mode_bits) != 0) return from_errno("set the mode of " + path, errno);
  return sync_dir(parent_path(path));
}

}  // namespace

std::string parent_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                             std::optional<FileOwner> owner) {
  const std::string temporary = temporary_name(path);
  // A process that was killed here before may have left a part of a secret, and nobody else knows that name.
  remove_stale(parent_path(path), temporary_prefix(path));
  if (Status filled = fill(temporary, content, mode, owner); !filled) {
    ::unlink(temporary.c_str());
    return filled;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    return from_errno("rename " + temporary + " to " + path, number);
  }
  return sync_dir(parent_path(path));
}

namespace {

// File systems without RENAME_NOREPLACE (NFS) have links.
int rename_to_free_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  ::unlink(from.c_str());
  return 0;
}

}  // namespace

Status write_new_file(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = temporary_name(path);
  remove_stale(parent_path(path), temporary_prefix(path));
  if (Status filled = fill(temporary, content, mode, std::nullopt); !filled) {
    ::unlink(temporary.c_str());
    return filled;
  }
  if (const int number = rename_to_free_name(temporary, path); number != 0) {
    ::unlink(temporary.c_str());
    if (number == EEXIST) return make_error(Errc::conflict, "write " + path + ": something is there already");
    return from_errno("rename " + temporary + " to " + path, number);
  }
  return sync_dir(parent_path(path));
}

Result<bool> write_file_if_changed(const std::string& path, std::string_view content, mode_t mode,
                                   std::optional<FileOwner> owner) {
  if (same_file(path, content, mode, owner)) return false;
  if (Status written = write_file_atomically(path, content, mode, owner); !written) return written.error();
  return true;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  struct stat info {};
  Result<UniqueFd> fd = open_regular(path, info);
  if (!fd) return fd.error();
  return read_limited(fd->get(), path, max_bytes, static_cast<std::size_t>(info.st_size));
}

Result<Secret> read_secret_file(const std::string& path, std::size_t max_bytes) {
  struct stat info {};
  Result<UniqueFd> fd = open_regular(path, info);
  if (!fd) return fd.error();
  if ((info.st_mode & 077) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & k_mode_bits));
    return make_error(Errc::denied, "read " + path + ": it holds a secret and others than its owner may reach it (mode " +
                                        mode + "); run: chmod 600 " + path);
  }
  Result<std::string> content = read_limited(fd->get(), path, max_bytes, static_cast<std::size_t>(info.st_size));
  if (!content) return content.error();
  return Secret(std::move(*content));
}

Status make_dirs(const std::string& path, mode_t mode) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISDIR(info.st_mode)) return make_error(Errc::conflict, "make folder " + path + ": something else is there that is no folder");
    return (info.st_mode & k_mode_bits) == k_unfinished ? finish_dir(path, mode) : Status();
  }
  if (errno != ENOENT) return from_errno("stat " + path, errno);
  const std::string parent = parent_path(path);
  if (parent != path) {
    if (Status made = make_dirs(parent, mode); !made) return made;
  }
  if (::mkdir(path.c_str(), k_unfinished) != 0) {
    const int number = errno;
    // Another process may have been quicker; a link that leads nowhere is an error.
    if (number == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return from_errno("make folder " + path, number);
  }
  return finish_dir(path, mode);
}

namespace {

constexpr mode_t k_private_dir = 0700;

// By its descriptor: what is looked at is what is changed.
Result<UniqueFd> open_itself(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
  if (!fd) return from_errno("open " + path, errno);
  return fd;
}

}  // namespace

FileOwner own_user() { return {::geteuid(), ::getegid()}; }

Result<bool> make_private_dirs(const std::string& path) {
  if (auto made = make_dirs(path, k_private_dir); !made) return made.error();
  const auto fd = open_itself(path, O_DIRECTORY);
  if (!fd) return fd.error();
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return from_errno("stat " + path, errno);
  if ((info.st_mode & k_mode_bits & ~k_private_dir) == 0) return false;
  if (::fchmod(fd->get(), k_private_dir) != 0) return from_errno("set the mode of " + path, errno);
  return true;
}

Result<bool> keep_mode(const std::string& path, mode_t mode) {
  const auto fd = open_itself(path, O_NOFOLLOW);
  if (!fd && fd.error().code != Errc::not_found) return make_error(Errc::invalid, "keep the mode of " + path + ": not a regular file");
  if (!fd) return fd.error();
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return from_errno("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return make_error(Errc::invalid, "keep the mode of " + path + ": not a regular file");
  const FileOwner own = own_user();
  const bool others = info.st_uid != own.uid || info.st_gid != own.gid;
  if (!others && (info.st_mode & k_mode_bits) == mode) return false;
  if (others && ::fchown(fd->get(), own.uid, own.gid) != 0) return from_errno("set the owner of " + path, errno);
  if (::fchmod(fd->get(), mode) != 0) return from_errno("set the mode of " + path, errno);
  return true;
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return from_errno("remove " + path, errno);
  }
  return sync_dir(parent_path(path));
}

Status sync_dir(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return from_errno("open folder " + path, errno);
  if (::fsync(fd.get()) != 0) return from_errno("fsync folder " + path, errno);
  return {};
}

}  // namespace slipway
