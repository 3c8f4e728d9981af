#pragma once
// What can change in the kernel without an event: sysctls, and the filter table of the older iptables. A few
// microseconds to read.
#include <string>
#include <vector>

namespace slipway::net {

// Two of them are equal as long as nothing changed. In the network namespace of the calling thread.
std::string quiet_state(const std::string& proc_sys, const std::vector<std::string>& sysctl_keys);

}  // namespace slipway::net
