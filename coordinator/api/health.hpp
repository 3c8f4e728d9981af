#pragma once
// The state of the whole as checks with cause and cure. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/time.hpp"
#include "coordinator/domain/state.hpp"
#include "proto/types.hpp"

namespace slipway::api {

struct KubeState {
  bool ok = false;
  std::string message;                 // what failed last, or since when all is well
  std::vector<std::string> conflicts;  // one line a node whose Node.spec.podCIDR is another one
};

struct HealthInput {
  std::vector<proto::NodeView> nodes;
  std::vector<proto::CertificateView> certificates;  // the current ones and the CAs
  std::vector<proto::ComponentRef> components;
  std::vector<proto::PoolView> pools;
  KubeState kube;
  std::string audit_damage;  // empty: the audit log was whole at the start
  WallTime now{};
  WallTime started{};  // of the coordinator: before, nobody was heard
};

proto::HealthReport check_health(const HealthInput& input);

// The certificates that are in use: those of live nodes, ended or not, and the others that have not ended; by
// owner and usage.
std::vector<proto::CertificateView> current_certificates(const State& state, WallTime now);

}  // namespace slipway::api
