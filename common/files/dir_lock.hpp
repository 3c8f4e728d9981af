#pragma once
// One daemon a data directory.
#include <string>

#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway {

// Holds an exclusive flock on <directory>/.lock until it is destroyed. The kernel lets go when the process dies, however it
// dies; the file stays and names the last holder's process id, for people.
class DirLock {
 public:
  // Does not wait: Errc::conflict when another process holds it, with that process's id and the cure.
  static Result<DirLock> acquire(const std::string& directory);

  DirLock(DirLock&&) noexcept = default;
  DirLock& operator=(DirLock&&) noexcept = default;

 private:
  explicit DirLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace slipway
