#pragma once
// Processes, mounts, control groups and kernel modules as a reset finds and ends them. Blocks.
#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct RunningProgram {
  pid_t pid = 0;
  std::string name;      // "containerd-shim"
  bool of_ours = false;  // runs a program of the folder; false: it was started by one that does
};

// Processes that run a program from below `folder`, also one that was replaced since, and all that they have
// started. Not the calling process nor what it was started by.
std::vector<RunningProgram> programs_below(const std::string& folder, const std::string& proc = "/proc");

// First asks what was started by them (containers), then ends what is left. Errc::timeout names what does not
// end.
Status end_programs(const std::string& folder, std::chrono::milliseconds patience = std::chrono::seconds(10),
                    const std::string& proc = "/proc");

struct MountPoint {
  std::string path;
  bool itself = false;  // a folder bound to its own place, as dockerd does to set its propagation: unmounting it hides and shows nothing
};

// All mount points of this mount namespace, in the order in which they were mounted.
Result<std::vector<MountPoint>> mount_points(const std::string& mountinfo = "/proc/self/mountinfo");
std::vector<MountPoint> mounts_in(std::string_view mountinfo);  // pure
// Not lazily: what is busy is an error.
Status unmount(const std::string& path);

// Paths of the group in each hierarchy below `root`.
std::vector<std::string> cgroup_folders(const std::string& name, const std::string& root = "/sys/fs/cgroup");
// Ends the processes in it and below, then removes it.
Status remove_cgroup(const std::string& name, const std::string& root = "/sys/fs/cgroup");

bool module_loaded(const std::string& name, const std::string& sys = "/sys");
// Errc::conflict: it is in use.
Status unload_module(const std::string& name);

}  // namespace slipway
