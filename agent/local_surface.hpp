#pragma once
// The agent's socket on its host: what the running agent answers there, put together.
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "agent/ports/network.hpp"
#include "agent/service/agent_state.hpp"
#include "agent/service/local_api.hpp"
#include "common/async/clock.hpp"
#include "common/http/unix_server.hpp"
#include "proto/file_types.hpp"

namespace slipway {

// State thread. The references outlive it.
class LocalSurface {
 public:
  struct Deps {
    boost::asio::any_io_executor executor;
    const proto::AgentConfig& config;
    Clock& clock;
    AgentState& state;
    Network& network;
    std::function<boost::asio::awaitable<Status>(HealthProbe probe)> probe;
  };
  explicit LocalSurface(Deps deps);

  // A socket that cannot be had is no reason for a node not to run.
  Status listen();
  void stop() { server_.stop(); }

 private:
  LocalApi::Deps api_deps();
  Workers& workers();
  std::vector<SupportSection> sections(const proto::HealthReport& health);

  Deps deps_;
  std::unique_ptr<Workers> workers_;  // from the first question on that needs one
  std::optional<gid_t> group_;
  LocalApi api_;
  http::UnixServer server_;
};

}  // namespace slipway
