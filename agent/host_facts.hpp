#pragma once
// What this host is. Everything here reads a few small files and blocks no longer than that.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/http/client.hpp"
#include "proto/types.hpp"

namespace slipway {

proto::NodeFacts host_facts();

// "systemd" where systemd can make cgroups for pods, else "cgroupfs": on cgroup v1 in a container whose
// controllers belong to somebody else. From the texts of /proc/self/cgroup and of whether the unified
// hierarchy is mounted at /sys/fs/cgroup.
std::string cgroup_driver_of(std::string_view proc_self_cgroup, bool unified);
std::string host_cgroup_driver();

// The local address that packets to the first reachable of `remotes` would carry; no packet is sent. Resolves
// names: blocks.
Result<IpAddress> local_address_towards(const std::vector<http::Endpoint>& remotes);

// "A=b\0C=d\0" of a running process.
Result<std::string> process_environment(std::int32_t pid);

}  // namespace slipway
