#pragma once
// Backend routes, put together: the operator's hook, our notes and the task that keeps the routes.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "coordinator/api/health.hpp"
#include "coordinator/service/registrar.hpp"
#include "proto/file_types.hpp"

namespace slipway {

// State thread, but for make().
class RouteKeeper {
 public:
  struct Deps {
    boost::asio::any_io_executor executor;  // the state thread's
    Clock& clock;
    Workers& workers;  // for the notes
    Registrar& registrar;
    const proto::CoordinatorConfig& config;
    std::uint64_t seed = 1;
  };
  // Of a cluster of another backend, or without a hook, it does nothing but say so. Errc::invalid: the hook's settings. Blocks.
  static Result<std::unique_ptr<RouteKeeper>> make(Deps deps);
  ~RouteKeeper();

  // Both until cancelled.
  boost::asio::awaitable<Status> run();
  boost::asio::awaitable<Status> follow_nodes();
  // Ends the calls of the hook that run. Any thread.
  void stop();
  api::OutsideRoutes state() const;

 private:
  struct Parts;
  RouteKeeper(Deps deps, bool used, std::unique_ptr<Parts> parts);
  Deps deps_;
  bool used_ = false;             // the cluster's backend is routes
  std::unique_ptr<Parts> parts_;  // null: there is no hook
};

}  // namespace slipway
