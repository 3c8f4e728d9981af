#pragma once
// Reading systemd's journal. Blocks: it maps and searches files.
#include <cstddef>
#include <string>
#include <vector>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway::systemd {

// The last messages that processes of the unit wrote, oldest first, as they were written. Empty `directory`: the host's
// journal. Errc::unavailable: there is none that can be read.
Result<std::vector<std::string>> last_messages(const std::string& unit, std::size_t most, const std::string& directory = "");

struct JournalLimits {
  std::size_t lines = 200;
  std::size_t bytes = 256 * 1024;
  Millis time{3'000};
};

// What the unit says and what systemd says of it: "2026-11-29T06:00:00Z kubelet[812]: text", oldest first; empty when there are
// none. Blocks no longer than about `time`. Errc::unavailable: as above.
Result<std::string> last_lines(const std::string& unit, const JournalLimits& limits = {}, const std::string& directory = "");

}  // namespace slipway::systemd
