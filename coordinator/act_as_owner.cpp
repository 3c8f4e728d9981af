#include "coordinator/act_as_owner.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace slipway {

Result<std::unique_ptr<ActAsOwner>> ActAsOwner::of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return from_errno("looking at " + path, errno);
  auto guard = std::unique_ptr<ActAsOwner>(new ActAsOwner);
  if (::geteuid() != 0 || info.st_uid == 0) return guard;
  if (::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0)
    return from_errno("acting as the owner of " + path, errno);
  guard->changed_ = true;
  return guard;
}

ActAsOwner::~ActAsOwner() {
  if (changed_ && (::seteuid(0) != 0 || ::setegid(0) != 0))
    std::abort();  // never go on as a user nobody asked for
}

}  // namespace slipway
