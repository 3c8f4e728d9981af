#pragma once
// The CoordinatorApi port in memory, with real certificates from real authorities: what it gives must pass
// the agent's checks. Behaves as the coordinator does towards one node: a token has uses, a known key needs
// none, the same key gets the same membership.
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/ports/coordinator_api.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/domain/cert_profile.hpp"
#include "proto/codec.hpp"

namespace slipway::test {

class FakeCoordinator final : public CoordinatorApi {
 public:
  FakeCoordinator(const Authority& authority, ProfileCluster cluster, Clock& clock)
      : signer_(authority),
        cluster_(std::move(cluster)),
        clock_(clock),
        pin(authority.ca(CaKind::fabric).certificate.sha256_hex()) {}

  // What an operator would hand over.
  std::string token() const { return "slipway1" + pin + "::" + credential; }

  boost::asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request,
                                                        JoinTrust trust) override {
    ++joins;
    last_join = request;
    last_trust = trust;
    Result<proto::JoinReply> answer = admit(request);
    if (lose_answers > 0) {
      --lose_answers;
      answer = make_error(Errc::timeout, "the answer was lost");
    }
    co_return answer;
  }

  boost::asio::awaitable<Result<std::optional<std::string>>> sync(SyncPosition position) override {
    positions.push_back(position);
    if (states.empty()) co_return std::optional<std::string>();
    Result<std::optional<std::string>> next = states.front();
    states.pop_front();
    co_return next;
  }

  boost::asio::awaitable<Status> report(proto::NodeStatusReport report) override {
    reports.push_back(std::move(report));
    if (report_error) co_return *report_error;
    co_return Status{};
  }

  boost::asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request) override {
    renewals.push_back(request);
    if (refusal) co_return *refusal;
    proto::RenewReply reply;
    const Status issued = issue(request.csrs, reply.certificates, reply.ca_bundles);
    if (!issued) co_return issued.error();
    if (lose_answers > 0) {
      --lose_answers;
      co_return make_error(Errc::timeout, "the answer was lost");
    }
    co_return reply;
  }

  boost::asio::awaitable<Result<proto::MasterSecrets>> master_secrets() override {
    ++secret_requests;
    if (refusal) co_return *refusal;
    co_return proto::MasterSecrets{service_account_key};
  }

  Status use_identity(const std::string& ca_pem, const KeyPair& pair) override {
    used_ca = ca_pem;
    used_chain = pair.chain_pem;
    return {};
  }

  // The desired state of a cluster with this node and `peers`.
  proto::DesiredState desired(std::uint64_t revision) const {
    proto::DesiredState state;
    state.epoch = "e1";
    state.revision = revision;
    state.cluster.metadata.name = cluster_.name;
    state.cluster.api_server.endpoint = "https://10.77.0.10:6443";
    state.cluster.coordinator.addresses = {"10.77.0.10"};
    state.cluster.network.pod_cidr = "10.10.0.0/16";
    state.cluster.network.service_cidr = "10.0.0.0/16";
    state.cluster.network.dns_ip = "10.0.0.10";
    state.cluster.versions = {"1.20.2", "3.4.23", "20.10.24", "1.1.1"};
    state.nodes.push_back({node_name, node_uid, 1, role, address, "10.10.3.0/24"});
    return state;
  }

 private:
  FileSigner signer_;
  ProfileCluster cluster_;
  Clock& clock_;

 public:
  std::string pin;
  std::string credential = "abc123.abcdefghijklmnopqrstuvwxyz234567";
  int token_uses = 1;
  std::optional<Error> refusal;  // of everything
  int lose_answers = 0;          // so many requests are carried out and their answers lost
  std::string node_name = "node1", node_uid = "9b2f1c1e-0000-4000-8000-00000000000a", role = "node",
              address = "10.77.0.13";
  Seconds life{3600};
  std::string service_account_key;
  std::deque<Result<std::optional<std::string>>> states;  // answers to sync(), in order
  std::optional<Error> report_error;

  int joins = 0;
  int secret_requests = 0;
  std::set<std::string> agent_keys;  // SPKI digests that count as this node
  std::optional<proto::JoinRequest> last_join;
  std::optional<JoinTrust> last_trust;
  std::vector<SyncPosition> positions;
  std::vector<proto::NodeStatusReport> reports;
  std::vector<proto::RenewRequest> renewals;
  std::string used_ca, used_chain;

 private:
  Result<proto::JoinReply> admit(const proto::JoinRequest& request) {
    if (refusal) return *refusal;
    const auto csr = request.csrs.find("agent");
    if (csr == request.csrs.end()) return make_error(Errc::invalid, "no request for the agent certificate");
    auto key = parse_csr(csr->second);
    if (!key) return key.error();
    const bool known = agent_keys.contains(key->spki_sha256_hex);
    if (!known) {
      if (request.token != credential || token_uses == 0)
        return make_error(Errc::denied, "the join was refused");
      if (!agent_keys.empty()) return make_error(Errc::conflict, "the name is taken");
      --token_uses;
      agent_keys.insert(key->spki_sha256_hex);
    }
    proto::JoinReply reply;
    reply.cluster_name = cluster_.name;
    reply.cluster_id = cluster_.id;
    reply.node_name = request.node_name;
    reply.node_uid = node_uid;
    reply.generation = 1;
    reply.role = request.role;
    reply.address = request.address;
    reply.pod_cidr = "10.10.3.0/24";
    if (auto issued = issue(request.csrs, reply.certificates, reply.ca_bundles); !issued)
      return issued.error();
    return reply;
  }

  Status issue(const std::map<std::string, std::string>& csrs,
               std::map<std::string, std::string>& certificates,
               std::map<std::string, std::string>& bundles) {
    ProfileInput input;
    input.cluster = cluster_;
    input.node = {node_name, node_uid, 1, role == "master", {IpAddress::parse(address).value()}};
    for (const auto& [name, text] : csrs) {
      auto csr = parse_csr(text);
      if (!csr) return csr.error();
      const auto usage = cert_usage_from_string(name);
      if (!usage) return make_error(Errc::invalid, "no usage " + name);
      auto spec = profile(*usage, input);
      if (!spec) return spec.error();
      const auto serial = Serial::from_random(random_bytes(16));
      if (!serial) return serial.error();
      const WallTime now = clock_.wall();
      auto cert = signer_.issue(*spec, csr->spki_der, *serial, now - Seconds(300), now + life);
      if (!cert) return cert.error();
      certificates[name] = cert->pem;
      if (name == "agent") agent_keys.insert(csr->spki_sha256_hex);
    }
    for (const CaKind kind : k_ca_kinds) bundles[std::string(to_string(kind))] = signer_.ca_pem(kind);
    return {};
  }
};

}  // namespace slipway::test
