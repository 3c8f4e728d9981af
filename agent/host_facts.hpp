#pragma once
// What this host is. Everything here reads a few small files and blocks no longer than that.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/address_watch.hpp"
#include "agent/domain/preflight.hpp"
#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/http/client.hpp"
#include "proto/report_types.hpp"

namespace slipway {

proto::NodeFacts host_facts();

// Those of routes_in() that the kernel has now, as told_routes() says them.
Result<std::vector<std::string>> host_routes();
// All of them.
Result<std::vector<HostRoute>> kernel_routes();

// The routes in the texts of /proc/net/route and /proc/net/ipv6_route (empty: the kernel has no IPv6), each once, without default routes,
// the host's own and link-local addresses, and what leads to pods, the host's own or (by the metric that we give them) its peers':
// addresses that are somebody's already.
std::vector<HostRoute> routes_in(std::string_view v4_table, std::string_view v6_table);
// "172.17.0.0/16 dev docker0", "10.0.0.0/8 via eth1"; at most 32 of each family: of a host that routes for others a part tells enough.
std::vector<std::string> told_routes(const std::vector<HostRoute>& routes);

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
