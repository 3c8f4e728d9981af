#pragma once
// Adapter: the coordinator's REST API over mutual TLS, for agents; also where artifacts come from.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/artifact_source.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "common/http/client.hpp"

namespace slipway {

// Used on `executor`'s thread. Keeps two connections: one waits for news, the other reports. The rest open
// their own.
class HttpCoordinator final : public CoordinatorApi, public ArtifactSource {
 public:
  // `coordinators`: at least one; tried in turn, the one that answered last first.
  HttpCoordinator(boost::asio::any_io_executor executor, std::vector<http::Endpoint> coordinators);
  ~HttpCoordinator() override;

  boost::asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request, JoinTrust trust) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> sync(SyncPosition position) override;
  boost::asio::awaitable<Status> report(proto::NodeStatusReport report) override;
  boost::asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request) override;
  boost::asio::awaitable<Result<proto::MasterSecrets>> master_secrets() override;
  Status use_identity(const std::string& ca_pem, const KeyPair& pair) override;

  boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override;

 private:
  using Tls = std::shared_ptr<http::TlsClientContext>;
  struct Channel {
    std::shared_ptr<http::Client> client;  // shared with the call under way: a renewal must not cut it
    Tls tls;                               // it was made with
  };
  boost::asio::awaitable<Result<http::Response>> call(Channel& channel, Tls tls, http::Request request,
                                                      Millis deadline);
  boost::asio::awaitable<Result<http::Response>> call_once(http::Request request);
  boost::asio::awaitable<Status> fetch_into(ArtifactRef artifact, int fd, std::uint64_t offset);
  void next_coordinator() { current_ = (current_ + 1) % coordinators_.size(); }

  boost::asio::any_io_executor executor_;
  std::vector<http::Endpoint> coordinators_;
  std::size_t current_ = 0;
  Tls tls_;  // null until use_identity()
  Channel polling_;
  Channel reporting_;
};

// "https://IP:7443" each. Errc::invalid names the one that is wrong.
Result<std::vector<http::Endpoint>> parse_coordinators(const std::vector<std::string>& urls);

}  // namespace slipway
