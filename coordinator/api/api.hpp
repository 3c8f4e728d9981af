#pragma once
// The REST API: from a verified certificate and a route to a handler. Deny by default: a request reaches a
// handler only when its route declares a role that the caller has, and an agent only while the state says
// that it is a live node.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/core/secret.hpp"
#include "common/http/server.hpp"
#include "coordinator/api/blob_store.hpp"
#include "coordinator/api/health.hpp"
#include "coordinator/ports/audit_log.hpp"
#include "coordinator/ports/signer.hpp"
#include "coordinator/ports/state_store.hpp"
#include "coordinator/service/audit_trail.hpp"
#include "coordinator/service/ca_rotation.hpp"
#include "coordinator/service/enrollment.hpp"
#include "coordinator/service/node_drain.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/service/registrar.hpp"

namespace slipway::api {

struct ApiDeps {
  boost::asio::any_io_executor state;  // executor of the state thread
  Registrar& registrar;
  NodeStatusBoard& board;
  Enrollment& enrollment;
  Signer& signer;
  StateStore& store;
  Workers& workers;
  Clock& clock;
  BlobStore blobs;
  std::string cluster_id;
  CaRotation& cas;
  Secret service_account_key;                            // PEM; for masters
  std::function<std::string(std::size_t)> random_bytes;  // thread safe
  // On the state thread, after the deletion is durable: cut the node's connections, delete its Node object.
  std::function<void(const Node& node)> node_deleted;
  std::function<KubeState()> kube_state;          // on the state thread
  std::function<std::size_t()> connection_count;  // thread safe
  std::function<CoordinatorState()> coordinator_state = {};    // on the state thread
  std::function<Result<StoreSpace>()> store_space = {};        // blocks: on a worker
  // On the state thread, after the replacement is durable: cut the connections of the node's old identity.
  std::function<void(const Node& node)> cut_node = {};
  // On any thread, after the revocation is durable: cut the connections of this person.
  std::function<void(const std::string& user)> cut_operator = {};
  AuditLog* audit = nullptr;                      // never null in a daemon
  AuditTrail* trail = nullptr;
  NodeDrain* drain = nullptr;  // null: there is no kube-apiserver to ask
  std::function<OutsideRoutes()> outside_routes = {};  // on the state thread; null: not of interest
  std::string audit_damage = {};  // what was wrong with the audit log at the start; empty: nothing
};

class Handlers;

// Must outlive the server that calls it.
class Api {
 public:
  // Errc::internal when a route has no handler or a handler no route: such a program does not start.
  static Result<std::unique_ptr<Api>> make(ApiDeps deps);
  ~Api();

  http::Handler handler();
  // Answers all long polls at once and all later ones without waiting: before the server drains. State
  // thread.
  void stop_waiting();

 private:
  explicit Api(std::unique_ptr<Handlers> handlers);
  std::unique_ptr<Handlers> handlers_;
};

}  // namespace slipway::api
