#pragma once
// What operators may set of kubelet and kube-proxy: keys that their minor knows (config_keys.hpp), and neither keys nor flags that Slipway
// decides itself. One rule for the coordinator, which refuses, and for files on a host. Pure.
#include <string>
#include <vector>

#include "proto/settings_types.hpp"

namespace slipway::kube {

// What is wrong with a setting, and which.
struct SettingProblem {
  std::string where;  // "config/evictionHrd", "extraArgs/0"
  std::string what;   // with the cure
};

// Unknown names, and names that Slipway decides on itself.
std::vector<SettingProblem> kubelet_problems(const proto::ComponentSettings& settings, int minor);
std::vector<SettingProblem> kube_proxy_problems(const proto::ComponentSettings& settings, int minor);

}  // namespace slipway::kube
