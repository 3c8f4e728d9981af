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
#include "proto/network_probe.hpp"

namespace slipway {

// Used on `executor`'s thread. Keeps two connections: one waits for news, the other reports. The rest open
// their own.
class HttpCoordinator final : public CoordinatorApi, public ArtifactSource {
 public:
  // `coordinators`: at least one; tried in turn, the one that answered last first. Calls under way at the
  // same time try all of them each. An artifact that broke off at one goes on at the next.
  // `clock`: compared with the coordinator's at a join, which fails when they differ too much; null: not
  // compared.
  HttpCoordinator(boost::asio::any_io_executor executor, std::vector<http::Endpoint> coordinators,
                  const Clock* clock = nullptr);
  ~HttpCoordinator() override;

  boost::asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request, JoinTrust trust) override;
  boost::asio::awaitable<Result<std::optional<SyncNews>>> sync(SyncPosition position) override;
  boost::asio::awaitable<Status> report(proto::NodeStatusReport report) override;
  boost::asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request) override;
  boost::asio::awaitable<Result<proto::MasterSecrets>> master_secrets() override;
  boost::asio::awaitable<Result<proto::CaBundles>> ca_bundles() override;
  boost::asio::awaitable<Result<proto::RestartReply>> request_restart(proto::RestartRequest request) override;
  boost::asio::awaitable<Result<proto::ProbeTargets>> offer_probe(proto::ProbeOffer offer) override;
  boost::asio::awaitable<Status> report_probe(proto::ProbeReport report) override;
  Status use_identity(const std::string& ca_pem, const KeyPair& pair) override;

  boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override;

  // https://HOST:PORT; empty: none has answered yet.
  std::string last_answered() const;

 private:
  using Tls = std::shared_ptr<http::TlsClientContext>;
  struct Channel {
    std::shared_ptr<http::Client> client;  // shared with the call under way: a renewal must not cut it
    Tls tls;                               // it was made with
    std::size_t at = 0;                    // of which coordinator
  };
  boost::asio::awaitable<Result<http::Response>> call(Channel& channel, Tls tls, http::Request request,
                                                      Millis deadline);
  boost::asio::awaitable<Result<http::Response>> call_once(http::Request request);
  // What `fd` lacks, from one coordinator.
  boost::asio::awaitable<Status> fetch_from(std::size_t at, ArtifactRef artifact, int fd);

  boost::asio::any_io_executor executor_;
  std::vector<http::Endpoint> coordinators_;
  const Clock* clock_;
  std::size_t current_ = 0;  // the one that answered last
  bool any_answered_ = false;
  Tls tls_;                  // null until use_identity()
  Channel polling_;
  Channel reporting_;
  Channel probing_;  // from an offer to its report
};

// "https://IP:7443" each. Errc::invalid names the one that is wrong.
Result<std::vector<http::Endpoint>> parse_coordinators(const std::vector<std::string>& urls);

}  // namespace slipway
