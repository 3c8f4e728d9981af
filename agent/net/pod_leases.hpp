#pragma once
// The addresses that the CNI plugin host-local has given out: a file for each, named after it.
#include <string>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway::net {

// In the folder of one network; the first `most` of them in the order of their addresses. Empty when there is
// no such folder. Blocks.
std::vector<IpAddress> leased_addresses(const std::string& folder, std::size_t most);

}  // namespace slipway::net
