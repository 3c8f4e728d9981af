#pragma once
// A small file system that only the calling thread, and threads it starts, can see: to fill a disk without filling the host's.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::test {

// Needs root. Threads started in it must have ended before it does.
class PrivateTmpfs {
 public:
  // `options` as of mount(8): "size=2m".
  PrivateTmpfs(std::string dir, const std::string& options)
      : former_(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC)),
        working_dir_(std::filesystem::current_path()),
        dir_(std::move(dir)) {
    // The thread sanitizer starts one of its own with the first thread: here, so that it is not in the new namespace and never leaves.
    std::thread([] {}).join();
    if (!former_ || ::unshare(CLONE_NEWNS) != 0) throw std::runtime_error(from_errno("new mount namespace", errno).message);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", dir_.c_str(), "tmpfs", 0, options.c_str()) != 0) {
      throw std::runtime_error(from_errno("mounting tmpfs on " + dir_, errno).message);
    }
  }
  ~PrivateTmpfs() {
    // A thread left in the wrong namespace would spoil every later test.
    if (::umount2(dir_.c_str(), MNT_DETACH) != 0 || !go_back()) std::abort();
    std::error_code ignored;
    std::filesystem::current_path(working_dir_, ignored);  // setns() leads to the root
  }
  PrivateTmpfs(const PrivateTmpfs&) = delete;
  PrivateTmpfs& operator=(const PrivateTmpfs&) = delete;

 private:
  // A joined thread lets go of the working directory that it shared a moment after it was joined (the kernel's exit_mm() comes before
  // exit_fs()), and until then setns(2) says EINVAL.
  bool go_back() const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (::setns(former_.get(), CLONE_NEWNS) != 0) {
      if (errno != EINVAL || std::chrono::steady_clock::now() > until) return false;
      ::sched_yield();
    }
    return true;
  }

  UniqueFd former_;
  std::filesystem::path working_dir_;
  std::string dir_;
};

}  // namespace slipway::test
