#pragma once
// What became of a component, in words: slipwayctl and the agent say it alike. Pure.
#include <string>
#include <vector>

#include "common/core/time.hpp"
#include "proto/report_types.hpp"

namespace slipway::proto {

// "exited with code 255", "killed by SIGKILL", "killed by the kernel: out of memory".
std::string end_text(const ComponentEnd& end);

// For each component whose process ended, a line, and below it its last words when it does not run well now; not made safe for
// terminals.
std::vector<std::string> component_ends(const std::vector<ComponentStatus>& components, WallTime now);

}  // namespace slipway::proto
