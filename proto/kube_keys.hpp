#pragma once
// What Slipway knows of Kubernetes' component configurations: names at their top, by minor version. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/types.hpp"

namespace slipway::proto {

// What is wrong with a setting, and which.
struct SettingProblem {
  std::string where;  // "config/evictionHrd", "extraArgs/0"
  std::string what;   // with the cure
};

// "1.20.2" -> 20; nothing for what is no version of Kubernetes 1.
std::optional<int> kubernetes_minor(std::string_view version);

// Unknown names, and names that Slipway decides on itself.
std::vector<SettingProblem> kubelet_problems(const ComponentSettings& settings, int minor);
std::vector<SettingProblem> kube_proxy_problems(const ComponentSettings& settings, int minor);

}  // namespace slipway::proto
