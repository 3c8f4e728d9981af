#include "common/files/dir_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

std::string holder_of(const std::string& lock_path) {
  Result<std::string> text = read_file(lock_path, 32);
  if (!text || !parse_u64(trim(*text))) return "another process";
  return "process " + std::string(trim(*text));
}

}  // namespace

Result<DirLock> DirLock::acquire(const std::string& directory) {
  const std::string path = directory + "/.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return from_errno("open " + path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return from_errno("lock " + path, errno);
    return make_error(Errc::conflict, "lock " + directory + ": in use by " + holder_of(path) +
                                          "; stop that one, or use another data directory");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return from_errno("write " + path, errno);
  }
  return DirLock(std::move(fd));
}

}  // namespace slipway
