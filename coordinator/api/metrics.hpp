#pragma once
// Metrics in the Prometheus text format. Pure.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/core/time.hpp"
#include "coordinator/service/registrar.hpp"
#include "proto/view_types.hpp"

namespace slipway::api {

struct MetricsInput {
  std::vector<proto::NodeView> nodes;
  std::vector<proto::CertificateView> certificates;
  std::vector<proto::PoolView> pools;
  std::map<std::pair<std::string, std::string>, std::uint64_t> join_requests;  // (result, reason)
  std::map<std::string, std::uint64_t> renewals;                               // result
  std::map<std::string, std::map<int, std::uint64_t>> free_blocks;             // by pool and prefix length
  AllocationTimes allocations;
  std::uint64_t rejected_overlaps = 0;
  std::uint64_t duplicate_claims = 0;  // Node objects whose block is another than theirs, or another's
  std::size_t connections = 0;
  std::uint64_t revision = 0;
  std::uint64_t desired_revision = 0;       // that agents are told of
  std::uint64_t acknowledged_revision = 0;  // that all live nodes have applied
  std::size_t waiting_agents = 0;
  FeedCounts feed;
  WallTime now{};
};

std::string render_metrics(const MetricsInput& input);

}  // namespace slipway::api
