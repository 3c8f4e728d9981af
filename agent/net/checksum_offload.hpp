#pragma once
// The switch tx-checksum-ip-generic of an interface (linux/ethtool.h), in the network namespace of the calling thread.
#include <optional>
#include <string>

#include "common/core/result.hpp"

namespace slipway::net {

// Empty: there is no such interface, or it has no such switch.
Result<std::optional<bool>> checksum_offload(const std::string& interface);
Status set_checksum_offload(const std::string& interface, bool on);

}  // namespace slipway::net
