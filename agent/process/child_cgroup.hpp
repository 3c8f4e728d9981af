#pragma once
// Control groups for units on hosts without systemd: <mount>/<root>/<unit> in each hierarchy that can be written. Both
// versions; where there is none, units run without.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/unit_spec.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Where the hierarchies are mounted; empty: there is no such one. With version 2 all may be one.
struct CgroupMounts {
  std::string tracking;  // for knowing which processes belong to a unit
  std::string pids;      // TasksMax
  std::string memory;    // tells of OOM kills
  bool operator==(const CgroupMounts&) const = default;
};
// Pure: from the text of /proc/mounts.
CgroupMounts cgroup_mounts(std::string_view mounts);

// The number after a word in a file such as memory.events or memory.oom_control.
std::optional<std::uint64_t> counter_in(std::string_view text, std::string_view word);

class ChildCgroups {
 public:
  // `root`: the folder of ours in each hierarchy, which is made unless `make` is false.
  explicit ChildCgroups(std::string root, bool make = true);
  ChildCgroups(std::string root, CgroupMounts mounts) : root_(std::move(root)), mounts_(std::move(mounts)) {}

  // Makes the unit's groups and sets their limits. The cgroup.procs files that its process writes itself into.
  std::vector<std::string> make(const UnitSpec& spec) const;
  // False: members() knows nothing.
  bool tracks() const { return !mounts_.tracking.empty(); }
  std::vector<pid_t> members(const std::string& unit) const;
  // How often the kernel killed one of the unit's processes for want of memory; 0 when it does not tell.
  std::uint64_t oom_kills(const std::string& unit) const;
  // Removes what is empty. A group with processes stays.
  void remove(const std::string& unit) const;

 private:
  std::string dir(const std::string& mount, const std::string& unit) const { return mount + "/" + root_ + "/" + unit; }
  std::vector<std::string> distinct_mounts() const;

  std::string root_;
  CgroupMounts mounts_;
};

}  // namespace slipway
