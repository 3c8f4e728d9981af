#pragma once
// The cluster's settings, read and written back.
#include <string>

#include "coordinator/ctl/connection.hpp"
#include "proto/cluster_types.hpp"

namespace slipway::ctl {

struct LivingCluster {
  proto::ClusterView view;
  std::string etag;  // empty: not told
};
// `whole`: fields that this slipwayctl does not know are an error. For who writes back what was read: they would be lost.
Result<LivingCluster> read_cluster(Connection& connection, bool whole = false);
// On what was read and nothing else: a change that somebody made meanwhile is not overwritten.
Result<proto::ClusterView> put_cluster(const std::string& spec_json, const std::string& etag, Connection& connection);

}  // namespace slipway::ctl
