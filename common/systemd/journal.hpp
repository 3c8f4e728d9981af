#pragma once
// The last lines that a unit has written to the journal.
#include <cstddef>
#include <string>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway::systemd {

struct JournalLimits {
  std::size_t lines = 200;
  std::size_t bytes = 256 * 1024;
  Millis time{3'000};
};

// "2026-11-29T06:00:00Z kubelet[812]: text", oldest first; empty when there are none. Blocks, no longer than
// about `time`. Errc::denied: the journal may not be read. `folder`: of journal files, for tests; empty: the
// system's.
Result<std::string> last_lines(const std::string& unit, const JournalLimits& limits = {},
                               const std::string& folder = {});

}  // namespace slipway::systemd
