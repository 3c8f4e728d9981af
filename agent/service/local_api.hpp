#pragma once
// What the agent answers on its own host, without any coordinator: /v1/status, /v1/health, /v1/preflight,
// /v1/support.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/service/agent_state.hpp"
#include "agent/service/support.hpp"
#include "common/async/clock.hpp"
#include "common/http/unix_server.hpp"
#include "proto/preflight.hpp"

namespace slipway {

// State thread.
class LocalApi {
 public:
  struct Deps {
    Clock& clock;
    AgentState& state;
    std::function<Workers&()> workers;  // of its own: what blocks for seconds here must not hold up the node
    std::function<boost::asio::awaitable<Status>(HealthProbe probe)> probe;
    std::function<Result<proto::PreflightReport>(std::vector<std::string> ignore)> preflight;  // blocks
    // Called on the state thread, gather on a worker. `health`: what is found now.
    std::function<std::vector<SupportSection>(const proto::HealthReport& health)> sections;
    std::function<std::vector<Secret>()> secrets;  // blocks
    std::optional<gid_t> group = {};               // whose members may ask, beside root; not for the archive
  };
  explicit LocalApi(Deps deps) : deps_(std::move(deps)) {}

  http::UnixHandler handler();  // it must not outlive this

 private:
  std::optional<http::Response> refuse(const http::UnixPeer& peer, const http::Request& request) const;
  boost::asio::awaitable<http::Response> handle(http::Request request);
  boost::asio::awaitable<Result<proto::PreflightReport>> preflight(std::vector<std::string> ignore);
  boost::asio::awaitable<proto::HealthReport> health();
  boost::asio::awaitable<http::Response> preflight_response(http::Request request);
  boost::asio::awaitable<http::Response> support();
  http::Response status();

  Deps deps_;
  std::shared_ptr<bool> packing_ = std::make_shared<bool>(false);  // one archive at a time
};

}  // namespace slipway
