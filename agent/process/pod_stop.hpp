#pragma once
// Ends what runs in pods when the host goes down. A container's first process does not hear SIGTERM unless it asked to
// (pid_namespaces(7)), and the runtimes leave containers alone when they stop: without this a shutdown waits for systemd's
// 90 seconds.
#include <chrono>

#include "common/core/result.hpp"

namespace slipway {

struct PodStop {
  std::size_t told = 0;    // processes
  std::size_t killed = 0;  // of them, with SIGKILL, because they did not go in time
};

// SIGTERM to all processes of pods, and after `grace` SIGKILL to those that are left. Blocks until they are gone, two seconds
// longer than `grace` at most. Errc::timeout: some do not even go then.
Result<PodStop> stop_pods(std::chrono::milliseconds grace);

// Whether systemd says that the host goes down.
Result<bool> host_stops();

}  // namespace slipway
