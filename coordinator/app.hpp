#pragma once
// The coordinator as one object: everything is made and wired here. Used by main.cpp and by the integration
// tests.
#include <cstdint>
#include <functional>
#include <memory>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "common/http/server.hpp"
#include "coordinator/ports/kube_api.hpp"
#include "coordinator/ports/kube_pods.hpp"
#include "coordinator/service/audit_trail.hpp"
#include "coordinator/service/join_limiter.hpp"
#include "coordinator/signer/client.hpp"
#include "proto/file_types.hpp"

namespace slipway {

struct AppOptions {
  proto::CoordinatorConfig config;
  http::ServerLimits limits = {};
  JoinLimits join_limits = {};
  RefusalLimits refusal_limits = {};
  bool kube = true;  // keep Node objects in step
  // Asked in the place of the cluster's kube-apiserver, on the state thread; both or none. They outlive the App.
  KubeApi* kube_nodes = nullptr;
  KubePods* kube_pods = nullptr;
  // To the signer process; moved from at the start. Null: the signer is on threads of this process, as in tests.
  std::shared_ptr<signer::SignerLink> signer = nullptr;
  // When all files are open and before the first thread is made.
  std::function<Status()> before_threads = {};
};

class App {
 public:
  // Reads the state, starts the threads, issues the serving certificate; it listens when this returns.
  // Blocks. A failure of the store later ends the process at once (exit 1): what was not acknowledged never
  // happened.
  static Result<std::unique_ptr<App>> start(AppOptions options);
  ~App();

  std::uint16_t port() const;
  // Stops accepting, lets requests in progress finish, waits until all is on disk, ends the threads. Blocks;
  // call once.
  Status stop(Millis deadline);

 private:
  struct Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
