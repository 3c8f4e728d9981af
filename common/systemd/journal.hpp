#pragma once
// Reading systemd's journal. Blocks: it maps and searches files.
#include <cstddef>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway::systemd {

// The last messages that processes of the unit wrote, oldest first, as they were written. Empty `directory`: the host's
// journal. Errc::unavailable: there is none that can be read.
Result<std::vector<std::string>> last_messages(const std::string& unit, std::size_t most, const std::string& directory = "");

}  // namespace slipway::systemd
