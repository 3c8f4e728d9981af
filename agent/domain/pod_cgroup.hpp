#pragma once
// Which processes are pods'. Pure.
#include <string_view>

namespace slipway {

// Whether a process with this /proc/PID/cgroup belongs to a container of the runtime or of a pod: below kubepods, whatever
// the cgroup driver, below /docker, or in a scope that docker, containerd or CRI-O made.
bool in_pod(std::string_view proc_cgroup);

}  // namespace slipway
