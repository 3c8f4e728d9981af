#pragma once
// The pod network's files below /etc (agent/domain/host_dropins.hpp), and the one daemon that has no place for
// such files.
#include <map>
#include <string>

#include "agent/domain/network_plan.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// Those that are there. `etc` is /etc but in tests.
Result<std::map<NetworkFile, std::string>> read_network_files(const std::string& etc);
// Whole or not at all; its folder is made where there is none.
Status write_network_file(const std::string& etc, const WriteNetworkFile& step);

// Whether a dhcpcd for all interfaces runs (it keeps its number in `run`/dhcpcd.pid or `run`/dhcpcd/pid) that its
// configuration does not keep from the pod network's devices.
bool dhcpcd_takes_pods(const std::string& etc, const std::string& run = "/run", const std::string& proc = "/proc");

}  // namespace slipway::net
