#pragma once
// Adapter: what preflight needs to know of this host, read from /proc, /sys and /etc. Changes nothing, runs nothing.
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/preflight.hpp"

namespace slipway {

// All of HostObserved but the fields that need the network, the agent's store or more than a file: address, mtu, routes, unreachable,
// clock_skew, joined, cgroup_driver.
// `root_dir` goes before every path: "" on a host, a folder in tests. Blocks for some milliseconds; what cannot be read stays unknown.
HostObserved observe_host(const std::string& root_dir);

// The MTU of the device that has this address, in the calling thread's network namespace; 0 when there is none such.
std::uint64_t mtu_of(const IpAddress& address);

// Pure parts of it.
std::vector<std::pair<std::uint16_t, std::uint64_t>> listeners_in(std::string_view proc_net_tcp);  // port, inode of the socket
std::vector<std::string> swaps_in(std::string_view proc_swaps);
// `modules`: the texts of modules.dep and modules.builtin. "-" and "_" are one letter to the kernel.
bool has_module(std::string_view modules, std::string_view name);
// What the agent rendered for the kubelet: the texts of its configuration and of its unit, whose flags count more. A configuration that is
// not Slipway's says nothing.
KubeletFound kubelet_found(std::string_view config, std::string_view unit);
// DefaultEnvironment= of systemd's own settings: variables with "proxy" in their name.
std::map<std::string, std::string> proxies_in(std::string_view system_conf);

}  // namespace slipway
