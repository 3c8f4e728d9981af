#pragma once
// The state of the whole as checks with cause and cure. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/time.hpp"
#include "coordinator/domain/state.hpp"
#include "coordinator/ports/state_store.hpp"
#include "coordinator/service/pool_view.hpp"
#include "coordinator/service/registrar.hpp"
#include "proto/desired_types.hpp"
#include "proto/view_types.hpp"

namespace slipway::api {

struct KubeState {
  bool ok = false;
  std::string message;                 // what failed last, or since when all is well
  std::vector<std::string> conflicts;  // one line a node whose Node.spec.podCIDR is another one
};

// Of backend routes.
struct OutsideRoutes {
  struct Trouble {
    std::string node;
    std::string what;
  };
  bool used = false;
  std::string message;  // why nothing is known of them; empty: they were listed
  std::size_t good = 0;
  std::vector<Trouble> trouble;
};

struct CoordinatorState {
  std::string clock_problem;  // empty: the clock is not behind what was signed
  std::string listen;         // "0.0.0.0:7443"
  std::size_t io_threads = 0; // 0: the state thread does the I/O
  std::size_t connections = 0;
};

struct StoreState {
  std::string problem;  // why `space` could not be read; empty: it was
  StoreSpace space;
  CommitState commit;
};

struct AuthorityState {
  proto::CaView view;
  Seconds longest_life{0};  // of what it signs
};

struct HealthInput {
  std::vector<proto::NodeView> nodes;
  std::vector<proto::CertificateView> certificates;  // the current ones and the CAs
  std::vector<proto::ComponentRef> components;
  std::vector<proto::PoolView> pools;
  KubeState kube;
  OutsideRoutes outside;
  CoordinatorState coordinator;
  StoreState store;
  std::vector<AuthorityState> authorities;
  std::vector<RouteCollision> route_collisions;
  std::uint64_t wanted_mtu = 0;  // network.mtu
  bool rollout_paused = false;   // rollout.paused
  std::string audit_damage;  // empty: the audit log was whole at the start
  WallTime now{};
  WallTime started{};  // of the coordinator: before, nobody was heard
};

proto::HealthReport check_health(const HealthInput& input);

// The certificates that are in use: those of live nodes, ended or not, and the others that have not ended; by
// owner and usage.
std::vector<proto::CertificateView> current_certificates(const State& state, WallTime now);

}  // namespace slipway::api
