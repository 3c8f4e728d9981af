#pragma once
// Port: the coordinator as the agent sees it.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/ports/node_store.hpp"
#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "proto/desired_types.hpp"
#include "proto/join_types.hpp"
#include "proto/network_probe.hpp"
#include "proto/report_types.hpp"

namespace slipway {

// By what the coordinator is known before there is a certificate of our own. One of the two.
struct JoinTrust {
  std::string ca_sha256;  // pin from a join token
  std::string ca_pem;     // bundle stored at an earlier join
};

struct SyncPosition {
  std::string epoch;  // empty: nothing yet
  std::uint64_t revision = 0;
  std::uint64_t applied = 0;  // revision whose routes are programmed
  bool at_once = false;       // do not wait for news: is it there again?
  bool takes_delta = false;   // what has changed since `revision` will do
  std::string probe = {};     // of the network, that was heard of last; empty: none
};

// The JSON of a DesiredState, or of a DesiredDelta from the position that was told.
struct SyncNews {
  std::string json;  // empty: there is only a probe to take part in
  bool is_delta = false;
  std::string probe = {};  // of the network, that this node is to take part in; empty: none
};

// Used on the agent's state thread. Several coordinators are tried in turn inside. Errors carry the
// coordinator's words, code and Retry-After; Errc::unavailable and Errc::timeout when none was reached.
// Nothing but join() works before use_identity().
class CoordinatorApi {
 public:
  virtual ~CoordinatorApi() = default;

  // Not one byte of the request leaves before the coordinator's certificate was verified by `trust`.
  // Errc::pending: an operator has to approve this host; the same request later asks again.
  virtual boost::asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request,
                                                                JoinTrust trust) = 0;
  // Waits until there is a state newer than `position`, or some time has gone by: then empty. Errc::gone: this
  // node was deleted. One call at a time.
  virtual boost::asio::awaitable<Result<std::optional<SyncNews>>> sync(SyncPosition position) = 0;
  // One call at a time.
  virtual boost::asio::awaitable<Status> report(proto::NodeStatusReport report) = 0;
  virtual boost::asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request) = 0;
  virtual boost::asio::awaitable<Result<proto::MasterSecrets>> master_secrets() = 0;
  // The bundles that this node's role gets.
  virtual boost::asio::awaitable<Result<proto::CaBundles>> ca_bundles() = 0;
  // Leave to restart components for new settings, or that it is given back. Errc::not_found: the coordinator is older and has no such rule.
  virtual boost::asio::awaitable<Result<proto::RestartReply>> request_restart(proto::RestartRequest request) = 0;
  // Where this node's pods are, for the probe of the network that sync() told of; the answer says whom to
  // ping, and comes when all nodes have said so, some seconds later. Errc::conflict: that probe is over.
  // Errc::not_found: the coordinator knows none.
  virtual boost::asio::awaitable<Result<proto::ProbeTargets>> offer_probe(proto::ProbeOffer offer) = 0;
  virtual boost::asio::awaitable<Status> report_probe(proto::ProbeReport report) = 0;
  // From now on calls use this certificate and trust these CAs; calls on their way are not disturbed.
  virtual Status use_identity(const std::string& ca_pem, const KeyPair& pair) = 0;
};

}  // namespace slipway
