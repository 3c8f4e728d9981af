#pragma once
// Kernel settings below /proc/sys, and the files that set them at the next boot.
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/filter_state.hpp"
#include "common/core/result.hpp"

namespace slipway::net {

// `root` is /proc/sys but in tests.
std::vector<ObservedSysctl> read_sysctls(const std::string& root, const std::vector<std::string>& keys);
Status set_sysctl(const std::string& root, const Sysctl& sysctl);

}  // namespace slipway::net
