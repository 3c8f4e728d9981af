#include "tests/support/fake_coordinator.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "common/crypto/random.hpp"
#include "proto/codec.hpp"
#include "proto/nodes_mark.hpp"
#include "tests/support/profile_cluster.hpp"

namespace slipway::test {

ProfileCluster service_cluster() {
  ProfileCluster cluster = demo_profile_cluster("10.77.0.10");
  cluster.coordinator_names = {"10.77.0.10"};
  return cluster;
}

const Authority& service_authority() {
  static const Authority authority =
      Authority::create(service_cluster(), WallTime(Seconds(1'790'000'000))).value();
  return authority;
}

FakeCoordinator::FakeCoordinator(const Authority& authority, ProfileCluster cluster, Clock& clock)
    : signer_(authority),
      cluster_(std::move(cluster)),
      clock_(clock),
      pin(authority.ca(CaKind::fabric).certificate.sha256_hex()) {}

std::string FakeCoordinator::token() const {
  return "slipway1" + pin + "::" + credential;
}

boost::asio::awaitable<Result<proto::JoinReply>> FakeCoordinator::join(proto::JoinRequest request,
                                                                       JoinTrust trust) {
  if (const Status trusted = check(trust); !trusted) co_return trusted.error();
  ++joins;
  last_join = request;
  last_trust = trust;
  if (refusal) co_return *refusal;
  Result<proto::JoinReply> answer = admit(request);
  if (lose_answers > 0) {
    --lose_answers;
    answer = make_error(Errc::timeout, "the answer was lost");
  }
  co_return answer;
}

boost::asio::awaitable<Result<std::optional<SyncNews>>> FakeCoordinator::sync(SyncPosition position) {
  positions.push_back(position);
  if (const Status allowed = admit_agent(); !allowed) co_return allowed.error();
  if (!states.empty()) {
    const Result<std::optional<std::string>> next = states.front();
    states.pop_front();
    if (!next) co_return next.error();
    if (!*next) co_return std::optional<SyncNews>();
    co_return std::optional<SyncNews>(SyncNews{**next});
  }
  if (!deltas.empty()) {
    SyncNews next{deltas.front(), true};
    deltas.pop_front();
    co_return std::optional<SyncNews>(std::move(next));
  }
  if (!probe.empty() && position.probe != probe)
    co_return std::optional<SyncNews>(SyncNews{"", false, probe});
  if (newer_than(position) || !waits || position.at_once) co_return newer_than(position);
  boost::asio::awaitable<bool> waiting = changed_.wait(std::chrono::seconds(50));
  (void)co_await std::move(waiting);
  const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != boost::asio::cancellation_type::none)
    co_return make_error(Errc::canceled, "asking for the desired state");
  if (const Status still = admit_agent(); !still) co_return still.error();
  co_return newer_than(position);
}

boost::asio::awaitable<Status> FakeCoordinator::report(proto::NodeStatusReport report) {
  if (const Status allowed = admit_agent(); !allowed) co_return allowed.error();
  reports.push_back(std::move(report));
  if (report_error) co_return *report_error;
  co_return Status{};
}

boost::asio::awaitable<Result<proto::RenewReply>> FakeCoordinator::renew(proto::RenewRequest request) {
  renewals.push_back(request);
  if (const Status allowed = admit_agent(); !allowed) co_return allowed.error();
  if (request.csrs.empty()) co_return make_error(Errc::invalid, "there is no certificate request");
  if (!knows_moves) request.address.reset();  // an older one reads over the field
  if (request.address) {
    const bool moves = *request.address != address;
    if (moves && role == "master") co_return make_error(Errc::denied, "the address of a master is static");
    if (moves && move_refusal) co_return *move_refusal;
    if (moves && !request.csrs.contains("kubeletServing")) co_return make_error(Errc::invalid, "/csrs/kubeletServing is missing");
    if (moves) issued_.erase("kubeletServing");
    address = *request.address;
  }
  proto::RenewReply reply;
  if (request.address) reply.address = address;
  const Status issued = issue(request.csrs, reply.certificates, reply.ca_bundles);
  if (!issued) co_return issued.error();
  if (lose_answers > 0) {
    --lose_answers;
    co_return make_error(Errc::timeout, "the answer was lost");
  }
  co_return reply;
}

boost::asio::awaitable<Result<proto::MasterSecrets>> FakeCoordinator::master_secrets() {
  ++secret_requests;
  if (const Status allowed = admit_agent(); !allowed) co_return allowed.error();
  if (role != "master") co_return make_error(Errc::denied, "this route is for masters");
  co_return proto::MasterSecrets{service_account_key};
}

boost::asio::awaitable<Result<proto::CaBundles>> FakeCoordinator::ca_bundles() {
  ++bundle_requests;
  if (const auto meanwhile = std::exchange(before_bundles, {})) meanwhile();
  if (refusal) co_return *refusal;
  proto::CaBundles reply;
  for (const CaKind kind : k_ca_kinds) reply.ca_bundles[std::string(to_string(kind))] = signer_.ca_pem(kind);
  if (false_bundle) reply.ca_bundles["fabric"] = *false_bundle;
  co_return reply;
}

boost::asio::awaitable<Result<proto::RestartReply>> FakeCoordinator::request_restart(proto::RestartRequest request) {
  if (refusal) co_return *refusal;
  if (const Status admitted = admit_agent(); !admitted) co_return admitted.error();
  restarts.push_back(request);
  co_return proto::RestartReply{request.done || restart_refusal.empty(), request.done ? std::string() : restart_refusal, 10};
}

boost::asio::awaitable<Result<proto::ProbeTargets>> FakeCoordinator::offer_probe(proto::ProbeOffer offer) {
  if (refusal) co_return *refusal;
  if (const Status admitted = admit_agent(); !admitted) co_return admitted.error();
  offers.push_back(offer);
  if (offer.probe != probe) co_return make_error(Errc::conflict, "that probe is over");
  co_return proto::ProbeTargets{offer.probe, targets};
}

boost::asio::awaitable<Status> FakeCoordinator::report_probe(proto::ProbeReport report) {
  if (refusal) co_return *refusal;
  if (const Status admitted = admit_agent(); !admitted) co_return admitted.error();
  if (report.probe != probe) co_return make_error(Errc::conflict, "that probe is over");
  probe_reports.push_back(std::move(report));
  probe.clear();  // all are done
  co_return Status{};
}

Status FakeCoordinator::use_identity(const std::string& ca_pem, const KeyPair& pair) {
  if (const auto ca = Certificate::chain_from_pem(ca_pem); !ca) return ca.error();
  const auto chain = Certificate::chain_from_pem(pair.chain_pem);
  if (!chain) return chain.error();
  const auto key = PrivateKey::from_pem(pair.key_pem);
  if (!key) return key.error();
  if (!chain->front().matches(*key)) return make_error(Errc::invalid, "the certificate is for another key");
  const auto newest = issued_.find("agent");
  if (newest != issued_.end() && Certificate::from_pem(newest->second.pem)->der() == chain->front().der())
    removed = false;
  used_ca = ca_pem;
  used_chain = pair.chain_pem;
  return {};
}

void FakeCoordinator::publish(proto::DesiredState state) {
  const proto::NodesMark mark = proto::mark_of(state.nodes);
  state.form = proto::k_desired_form;
  state.node_count = mark.count;
  state.nodes_hash = mark.hash();
  if (published && published->epoch != state.epoch) past_.clear();
  published = std::move(state);
  past_.insert_or_assign(published->revision, *published);
  changed_.notify();
}

void FakeCoordinator::remove_node() {
  removed = true;
  buried_keys.merge(agent_keys);
  agent_keys.clear();
  issued_.clear();
  changed_.notify();
}

proto::DesiredState FakeCoordinator::desired(std::uint64_t revision) const {
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
  state.nodes.push_back({node_name, node_uid, generation_, role, address, "10.10.3.0/24"});
  return state;
}

Status FakeCoordinator::check(const JoinTrust& trust) const {
  if (trust.ca_pem.empty()) {
    if (trust.ca_sha256.size() != 64)
      return make_error(Errc::invalid, "the CA pin must be 64 hexadecimal digits");
    if (trust.ca_sha256 != pin) return make_error(Errc::unauthenticated, "the pin is of another CA");
    return {};
  }
  const auto chain = Certificate::chain_from_pem(trust.ca_pem);
  if (!chain) return chain.error();
  for (const Certificate& ca : *chain) {
    if (ca.sha256_hex() == pin) return {};
  }
  return make_error(Errc::unauthenticated, "the coordinator's certificate is from another CA");
}

Status FakeCoordinator::admit_agent() const {
  if (used_chain.empty()) return make_error(Errc::unauthenticated, "this host has no certificate yet");
  if (refusal) return *refusal;
  if (removed) return make_error(Errc::gone, "this node was deleted from the cluster");
  return {};
}

std::optional<SyncNews> FakeCoordinator::newer_than(const SyncPosition& position) const {
  if (!published) return std::nullopt;
  if (published->epoch == position.epoch && published->revision <= position.revision) return std::nullopt;
  const auto before = past_.find(position.revision);
  if (position.takes_delta && published->epoch == position.epoch && before != past_.end())
    return SyncNews{proto::encode(delta_between(before->second, *published)), true};
  return SyncNews{proto::encode(*published)};
}

Result<proto::JoinReply> FakeCoordinator::admit(const proto::JoinRequest& request) {
  const auto csr = request.csrs.find("agent");
  if (csr == request.csrs.end()) return make_error(Errc::invalid, "no request for the agent certificate");
  auto key = parse_csr(csr->second);
  if (!key) return key.error();
  const bool known = agent_keys.contains(key->spki_sha256_hex);
  if (!known) {
    const bool valid = request.token == credential && token_uses > 0;
    if (!valid && buried_keys.contains(key->spki_sha256_hex))
      return make_error(Errc::gone, "this node was deleted from the cluster");
    if (!valid) return make_error(Errc::denied, "the join was refused");
    if (!agent_keys.empty()) return make_error(Errc::conflict, "the name is taken");
    --token_uses;
    if (removed) ++generation_;
    agent_keys.insert(key->spki_sha256_hex);
  }
  proto::JoinReply reply;
  reply.cluster_name = cluster_.name;
  reply.cluster_id = cluster_.id;
  reply.node_name = request.node_name;
  reply.node_uid = node_uid;
  reply.generation = generation_;
  reply.role = request.role;
  reply.address = request.address;
  reply.pod_cidr = "10.10.3.0/24";
  if (auto issued = issue(request.csrs, reply.certificates, reply.ca_bundles); !issued) return issued.error();
  return reply;
}

Status FakeCoordinator::issue(const std::map<std::string, std::string>& csrs,
                              std::map<std::string, std::string>& certificates,
                              std::map<std::string, std::string>& bundles) {
  std::map<std::string, CsrKey> keys;
  for (const auto& [name, text] : csrs) {
    auto csr = parse_csr(text);
    if (!csr) return csr.error();
    const auto usage = cert_usage_from_string(name);
    if (!usage) return make_error(Errc::invalid, "no usage " + name);
    const auto& allowed = role == "master" ? usages_of_master() : usages_of_node();
    if (std::find(allowed.begin(), allowed.end(), *usage) == allowed.end())
      return make_error(Errc::denied, "a " + role + " gets no certificate for " + name);
    keys.emplace(name, std::move(*csr));
  }
  // A repeated request gets what was issued for it.
  const bool same = std::all_of(keys.begin(), keys.end(), [this](const auto& wanted) {
    const auto held = issued_.find(wanted.first);
    return held != issued_.end() && held->second.spki == wanted.second.spki_sha256_hex &&
           clock_.wall() < held->second.good_until;
  });
  for (const auto& [name, key] : keys) {
    if (const Status made = same ? Status{} : sign(name, key); !made) return made;
    certificates[name] = issued_.at(name).pem;
  }
  for (const CaKind kind : k_ca_kinds) {
    const bool masters_only = kind == CaKind::etcd || kind == CaKind::front_proxy;
    if (role == "master" || !masters_only) bundles[std::string(to_string(kind))] = signer_.ca_pem(kind);
  }
  return {};
}

Status FakeCoordinator::sign(const std::string& name, const CsrKey& key) {
  ProfileInput input;
  input.cluster = cluster_;
  input.node = {node_name, node_uid, generation_, role == "master", {IpAddress::parse(address).value()}};
  auto spec = profile(*cert_usage_from_string(name), input);
  if (!spec) return spec.error();
  const auto serial = Serial::from_random(random_bytes(16));
  if (!serial) return serial.error();
  const WallTime now = clock_.wall();
  auto cert = signer_.issue(*spec, key.spki_der, *serial, now - Seconds(300), now + life);
  if (!cert) return cert.error();
  issued_[name] = {key.spki_sha256_hex, cert->pem, now + life * 2 / 3};
  if (name == "agent") agent_keys.insert(key.spki_sha256_hex);
  return {};
}

proto::DesiredDelta delta_between(const proto::DesiredState& before, const proto::DesiredState& after) {
  proto::DesiredDelta delta;
  delta.epoch = after.epoch;
  delta.from = before.revision;
  delta.to = after.revision;
  delta.form = proto::k_desired_form;
  const proto::NodesMark mark = proto::mark_of(after.nodes);
  delta.node_count = mark.count;
  delta.nodes_hash = mark.hash();
  const auto has = [](const proto::DesiredState& state, const std::string& uid) {
    return std::any_of(state.nodes.begin(), state.nodes.end(), [&uid](const proto::PeerNode& node) { return node.uid == uid; });
  };
  for (const proto::PeerNode& node : after.nodes) {
    if (std::find(before.nodes.begin(), before.nodes.end(), node) == before.nodes.end()) delta.up.push_back(node);
    const auto own = after.overrides.find(node.name);
    if (own != after.overrides.end()) delta.up_overrides.insert(*own);
  }
  for (const proto::PeerNode& node : before.nodes) {
    if (!has(after, node.uid)) delta.del.push_back({node.uid, node.generation, {node.pod_cidr}});
  }
  delta.cluster = after.cluster;
  delta.components = after.components;
  delta.pod_ranges = after.pod_ranges;
  delta.cas = after.cas;
  delta.overrides = after.overrides;
  delta.artifact_manifest = after.artifact_manifest;
  return delta;
}

}  // namespace slipway::test
