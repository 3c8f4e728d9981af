#pragma once
// For root's commands on a data directory that belongs to the daemon's user: what they create must stay the
// daemon's.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include "common/core/result.hpp"

namespace slipway {

// The effective user for the time of a block: the store's files stay their owner's.
class ActAsOwner {
 public:
  static Result<std::unique_ptr<ActAsOwner>> of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return from_errno("looking at " + path, errno);
    auto guard = std::unique_ptr<ActAsOwner>(new ActAsOwner);
    if (::geteuid() != 0 || info.st_uid == 0) return guard;
    if (::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0)
      return from_errno("acting as the owner of " + path, errno);
    guard->changed_ = true;
    return guard;
  }
  ActAsOwner(const ActAsOwner&) = delete;
  ActAsOwner& operator=(const ActAsOwner&) = delete;
  ~ActAsOwner() {
    if (changed_ && (::seteuid(0) != 0 || ::setegid(0) != 0))
      std::abort();  // never go on as a user nobody asked for
  }

 private:
  ActAsOwner() = default;
  bool changed_ = false;
};

}  // namespace slipway
