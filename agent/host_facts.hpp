#pragma once
// What this host is. Everything here reads a few small files and blocks no longer than that.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/address_watch.hpp"
#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/http/client.hpp"
#include "proto/report_types.hpp"

namespace slipway {

proto::NodeFacts host_facts();

// Those of routes_in() that the kernel has now.
Result<std::vector<std::string>> host_routes();

// The IPv4 routes in the text of /proc/net/route as "172.17.0.0/16 dev docker0" or "10.0.0.0/8 via eth1", without default routes and
// what leads to pods, the host's own or (by the metric that we give them) its peers': addresses that are somebody's already. At most 32.
std::vector<std::string> routes_in(std::string_view table);

// The UUID in the text of /sys/class/dmi/id/product_uuid, lower case; empty when it is none, or one that boards are known to share.
std::string product_uuid_in(std::string_view text);

// "systemd" where systemd can make cgroups for pods, else "cgroupfs": on cgroup v1 in a container whose
// controllers belong to somebody else. From the texts of /proc/self/cgroup and of whether the unified
// hierarchy is mounted at /sys/fs/cgroup.
std::string cgroup_driver_of(std::string_view proc_self_cgroup, bool unified);
std::string host_cgroup_driver();

// The local address that packets to the first reachable of `remotes` would carry; no packet is sent. Resolves
// names: blocks.
Result<IpAddress> local_address_towards(const std::vector<http::Endpoint>& remotes);

// Whether some link of this host has it now.
bool is_own_address(const IpAddress& address);

// Where the coordinators are reached from now: from `named` (nodeAddress) where it is set and there. Blocks.
AddressSight address_sight(const IpAddress& registered, const std::string& named, const std::vector<http::Endpoint>& endpoints);

// "A=b\0C=d\0" of a running process.
Result<std::string> process_environment(std::int32_t pid);

}  // namespace slipway
