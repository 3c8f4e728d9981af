#pragma once
// A unit's process as the kernel sees it: starting it, watching it, finding it again. Only for direct_supervisor.cpp and its
// tests.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/run_record.hpp"
#include "agent/domain/unit_spec.hpp"
#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway {

struct ChildPlan {
  UnitSpec spec;
  std::vector<std::string> argv;
  std::string invocation;                // 32 hex digits
  std::string notify_socket;             // empty: none
  std::string log_path;                  // its output is appended there
  std::vector<std::string> cgroup_files;  // cgroup.procs of the groups it joins
};

struct Child {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  UniqueFd pidfd;
  // The child waits until something is written here, and ends when it is closed before: no process runs of which nothing was
  // written down. Once it has executed its program, the other end is closed.
  UniqueFd gate;
};

Result<Child> fork_child(const ChildPlan& plan);
Status let_go(const Child& child);

// The process of the record, when it still runs. Blocks for a fifth of a second at most, where number and start agree and the
// mark does not: the process may have been made this moment.
std::optional<Child> find_child(const RunRecord& record);

// How a process ended.
struct ChildEnd {
  ExitKind kind = ExitKind::none;  // none: it was another's child, and the kernel does not tell
  std::int32_t status = 0;
};
// Empty: it has not ended, or its parent has not collected it and the kernel tells no one else before.
std::optional<ChildEnd> collect(int pidfd);

void send_signal(int pidfd, int signal);
// All processes with that mark in their environment: for hosts whose cgroups cannot be written.
std::vector<pid_t> marked_processes(const std::string& invocation);

}  // namespace slipway
