#pragma once
// What the host's own files say of its components: <dir>/kubelet.d and <dir>/kube-proxy.d, *.yaml merged over
// the configuration and *.args with an argument a line, in the order of their names. Blocks: call it through
// offload().
#include <string>

#include "agent/domain/host_settings.hpp"

namespace slipway {

// `minor` of Kubernetes: whose names are known.
HostSettings read_host_settings(const std::string& dir, int minor);

}  // namespace slipway
