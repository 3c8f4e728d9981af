#pragma once
// The CoordinatorApi port in memory, with real certificates from real authorities: what it gives must pass
// the agent's checks. Behaves as the coordinator does towards one node: a token has uses, a known key needs
// none, the same key gets the same membership. tests/contract/coordinator_api_contract.cpp holds it to that.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/ports/coordinator_api.hpp"
#include "common/async/notifier.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "proto/desired_types.hpp"
#include "proto/join_types.hpp"
#include "proto/report_types.hpp"

namespace slipway {
struct CsrKey;
}

namespace slipway::test {

ProfileCluster service_cluster();

// Making authorities costs an RSA key: once for all cases.
const Authority& service_authority();

// What a coordinator would tell who has `before`; parts of the settings all of them, changed or not.
proto::DesiredDelta delta_between(const proto::DesiredState& before, const proto::DesiredState& after);

class FakeCoordinator final : public CoordinatorApi {
 public:
  FakeCoordinator(const Authority& authority, ProfileCluster cluster, Clock& clock);

  // What an operator would hand over.
  std::string token() const;

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

  FileSigner& signer() { return signer_; }

  // There is news: whoever waits gets it.
  void publish(proto::DesiredState state);
  // As by an operator.
  void remove_node();

  // The desired state of a cluster with this node alone.
  proto::DesiredState desired(std::uint64_t revision) const;

 private:
  FileSigner signer_;
  ProfileCluster cluster_;
  Clock& clock_;

 public:
  std::string pin;
  std::string credential = "abc123.abcdefghijklmnopqrstuvwxyz234567";
  int token_uses = 1;
  std::optional<Error> refusal;  // of every request
  std::optional<Error> move_refusal;
  bool knows_moves = true;
  int lose_answers = 0;          // so many requests are carried out and their answers lost
  std::string node_name = "node1", node_uid = "9b2f1c1e-0000-4000-8000-00000000000a", role = "node",
              address = "10.77.0.13";
  Seconds life{3600};
  std::string service_account_key;
  std::deque<Result<std::optional<std::string>>> states;  // first answers to sync(), whatever is asked
  std::deque<std::string> deltas;                         // then these, as changes
  std::optional<proto::DesiredState> published;           // then what is newer of this
  bool waits = false;    // with no news sync() waits for them, as in life; otherwise it is over at once
  bool removed = false;  // the node of the identity that is in use
  std::optional<Error> report_error;

  int joins = 0;
  int secret_requests = 0;
  int bundle_requests = 0;
  std::optional<std::string> false_bundle;  // instead of the fabric one
  std::function<void()> before_bundles;     // what happens while bundles are on their way, once
  std::set<std::string> agent_keys;   // SPKI digests that count as this node
  std::set<std::string> buried_keys;  // of the removed node
  std::optional<proto::JoinRequest> last_join;
  std::optional<JoinTrust> last_trust;
  std::vector<SyncPosition> positions;
  std::vector<proto::NodeStatusReport> reports;
  std::vector<proto::RenewRequest> renewals;
  std::vector<proto::RestartRequest> restarts;  // wishes, and what was given back
  std::string restart_refusal;                  // why nobody may; empty: everybody may
  std::string used_ca, used_chain;
  std::string probe;                        // of the network, that sync() tells of; empty: none
  std::vector<proto::ProbeTarget> targets;  // of any probe
  std::vector<proto::ProbeOffer> offers;
  std::vector<proto::ProbeReport> probe_reports;

 private:
  struct Issued {
    std::string spki;
    std::string pem;
    WallTime good_until;
  };
  Notifier changed_;
  std::map<std::uint64_t, proto::DesiredState> past_;  // what was published in this epoch, by revision
  std::map<std::string, Issued> issued_;  // by usage
  std::uint64_t generation_ = 1;

  // What TLS does in life: nothing of the request gets here when it fails.
  Status check(const JoinTrust& trust) const;

  // May the host whose certificate is in use ask for anything?
  Status admit_agent() const;
  std::optional<SyncNews> newer_than(const SyncPosition& position) const;
  Result<proto::JoinReply> admit(const proto::JoinRequest& request);
  Status issue(const std::map<std::string, std::string>& csrs,
               std::map<std::string, std::string>& certificates, std::map<std::string, std::string>& bundles);
  Status sign(const std::string& name, const CsrKey& key);
};

}  // namespace slipway::test
