#pragma once
// A host whose folders lie below one folder of the test.
#include <string>

#include "agent/render/component.hpp"

namespace slipway::test {

HostPaths paths_below(const std::string& root);

}  // namespace slipway::test
