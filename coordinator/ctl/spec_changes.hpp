#pragma once
#include <string>
#include <vector>

#include "proto/cluster_types.hpp"

namespace slipway::ctl {

// "network.serviceCIDR: 10.0.0.0/16 -> 10.0.0.0/12", a line for each setting that is another one. Pure.
std::vector<std::string> spec_changes(const proto::ClusterSpec& before, const proto::ClusterSpec& after);

}  // namespace slipway::ctl
