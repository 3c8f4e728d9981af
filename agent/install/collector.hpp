#pragma once
// The blocking half of Installer::collect(). Private to this folder.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/domain/collect_plan.hpp"
#include "agent/install/paths.hpp"
#include "common/core/result.hpp"

namespace slipway::install_layout {

Result<StoredPrograms> stored_programs(const InstallPaths& paths);

// Component and folder of every process that executes a file below the install root, by /proc/<pid>/exe. An error when one cannot be looked
// at: who does not know what runs removes nothing.
Result<std::set<std::pair<std::string, std::string>>> running_programs(const InstallPaths& paths);

Status remove_garbage(const InstallPaths& paths, const CollectStep& step);

// Observe, plan, apply. Returns what went: "kubelet 1.20.1", "a download that nobody wants".
Result<std::vector<std::string>> collect(const InstallPaths& paths, const std::set<std::string>& wanted, WallTime now);

}  // namespace slipway::install_layout
