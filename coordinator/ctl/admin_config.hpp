#pragma once
// The operator's credentials: /etc/slipway/admin.conf. Blocks.
#include <string>

#include "common/core/result.hpp"
#include "proto/file_types.hpp"

namespace slipway::ctl {

// The cluster named `cluster` (empty: the current one, or the only one). Errc::invalid names the field; a
// file that others can read is refused, two clusters of one name as well.
Result<proto::AdminCluster> load_admin_cluster(const std::string& path, const std::string& cluster);
// The choice alone; pure.
Result<proto::AdminCluster> choose_cluster(const proto::AdminConfig& config, const std::string& cluster);

// The whole file; it must be readable by its owner alone.
Result<proto::AdminConfig> load_admin_config(const std::string& path);
// The name of the cluster that is meant without --cluster; empty when that is open.
std::string current_cluster(const proto::AdminConfig& config);

}  // namespace slipway::ctl
