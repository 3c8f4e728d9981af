#pragma once
// The host's own settings, as they were read from its files. A value.
#include <string>
#include <vector>

#include "proto/settings_types.hpp"

namespace slipway {

struct HostSettings {
  proto::ComponentSettings kubelet, kube_proxy;
  std::string kubelet_problem,
      kube_proxy_problem;  // file, name and cure; the component's are then to stay as they were. Empty: none
  std::vector<std::string> paths;  // a change of one is a reason to look again
};

}  // namespace slipway
