#pragma once
// The operations behind the routes; private to this folder. Each decodes, hops to the state thread, encodes.
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/notifier.hpp"
#include "coordinator/api/api.hpp"
#include "coordinator/api/etag.hpp"
#include "coordinator/api/node_filter.hpp"
#include "coordinator/api/page.hpp"
#include "coordinator/api/principal.hpp"
#include "coordinator/api/range.hpp"
#include "coordinator/service/probe_round.hpp"
#include "coordinator/service/restart_budget.hpp"
#include "proto/codec.hpp"
#include "proto/network_probe.hpp"
#include "proto/problem.hpp"
#include "proto/routes.hpp"

namespace slipway::api {

struct RequestContext {
  http::Request request;
  std::map<std::string, std::string> parameters;
  std::shared_ptr<const Principal> principal;  // never null
};

// Who asks, for the audit log.
proto::AuditActor actor_of(const Principal& principal, const http::Request& request);
inline proto::AuditActor actor_of(const RequestContext& context) { return actor_of(*context.principal, context.request); }

using Reply = Result<http::Response>;
using Handling = boost::asio::awaitable<Reply>;

class Handlers {
 public:
  explicit Handlers(ApiDeps deps);
  using Function = Handling (Handlers::*)(RequestContext);
  static const std::map<std::string_view, Function>& table();

  http::Admission admit(const http::Request& head);
  std::shared_ptr<const http::PeerIdentity> identify(const http::Peer& peer) const;
  boost::asio::awaitable<http::Response> handle(http::Request request);
  void stop_waiting();

 private:
  // agents.cpp
  Handling join_node(RequestContext context);
  Handling get_ca_certificates(RequestContext context);
  Handling sync_agent(RequestContext context);
  Handling report_status(RequestContext context);
  Handling renew_certificates(RequestContext context);
  Handling get_master_secrets(RequestContext context);
  // artifacts.cpp
  Handling get_artifact_content(RequestContext context);
  Handling upload_blob(RequestContext context);
  Handling register_artifact(RequestContext context);
  Handling list_artifacts(RequestContext context);
  // artifact_upkeep.cpp
  Handling delete_artifact(RequestContext context);
  Handling collect_blobs(RequestContext context);
  Handling get_artifact_manifest(RequestContext context);
  Handling put_artifact_manifest(RequestContext context);
  // cluster.cpp
  Handling get_cluster(RequestContext context);
  Handling apply_cluster(RequestContext context);
  Handling plan_cluster(RequestContext context);
  Handling create_kubeconfig(RequestContext context);
  Handling list_nodes(RequestContext context);
  Handling list_matching_nodes(PageWish page, NodeFilter filter);
  Handling watch_nodes(NodeFilter filter, RequestContext context);  // node_watch.cpp
  friend class NodeWatch;
  Handling get_node(RequestContext context);
  Handling delete_node(RequestContext context);
  // node_changes.cpp
  Handling cordon_node(RequestContext context);
  Handling uncordon_node(RequestContext context);
  Handling drain_node(RequestContext context);
  Handling rotate_node(RequestContext context);
  Handling rotate_certificates(RequestContext context);
  // node_config.cpp
  Handling get_node_config(RequestContext context);
  Handling set_node_config(RequestContext context);
  Handling request_restart(RequestContext context);
  // cluster.cpp
  Handling create_token(RequestContext context);
  Handling list_tokens(RequestContext context);
  Handling delete_token(RequestContext context);
  Handling list_certificates(RequestContext context);
  // operators.cpp
  Handling create_operator(RequestContext context);
  Handling list_operators(RequestContext context);
  Handling revoke_operator(RequestContext context);
  // admission.cpp
  Handling list_joins(RequestContext context);
  Handling list_pending_nodes(RequestContext context);
  Handling approve_node(RequestContext context);
  Handling deny_node(RequestContext context);
  Handling replace_node(RequestContext context);
  // audit.cpp
  Handling list_audit(RequestContext context);
  Handling verify_audit(RequestContext context);
  Handling list_revoked(RequestContext context);
  Handling get_crl(RequestContext context);
  // pools.cpp
  Handling list_pools(RequestContext context);
  Handling create_pool(RequestContext context);
  Handling get_pool(RequestContext context);
  Handling list_pool_nodes(RequestContext context);
  Handling delete_pool(RequestContext context);
  Handling grow_pool(RequestContext context);
  Handling drain_pool(RequestContext context);
  Handling create_reservation(RequestContext context);
  Handling delete_reservation(RequestContext context);
  // cas.cpp
  Handling get_ca_bundles(RequestContext context);
  Handling list_cas(RequestContext context);
  Handling get_ca(RequestContext context);
  Handling change_ca(RequestContext context);
  // network_probe.cpp
  Handling start_network_probe(RequestContext context);
  Handling get_network_probe(RequestContext context);
  Handling offer_probe(RequestContext context);
  Handling report_probe(RequestContext context);
  // service.cpp
  Handling get_health(RequestContext context);
  Handling get_open_api(RequestContext context);
  Handling get_livez(RequestContext context);
  Handling get_readyz(RequestContext context);
  Handling get_version(RequestContext context);
  Handling get_metrics(RequestContext context);

  struct SyncPosition {
    std::shared_ptr<const Principal> who;  // an agent
    std::string epoch;
    std::uint64_t revision = 0;
    std::uint64_t applied = 0;  // revision of the same epoch
    bool takes_deltas = false;
    SteadyTime deadline{};
    IpAddress from;
    std::optional<std::string> probe =
        {};  // of the network, that it knows of; absent: an agent that takes part in none
  };
  Handling dispatch(http::Request request);
  Handling dispatch_live(const proto::Route& route, RequestContext context);
  boost::asio::awaitable<std::optional<http::Response>> confirm_live(std::shared_ptr<const Principal> principal, IpAddress from);
  boost::asio::awaitable<Status> check_live(std::shared_ptr<const Principal> principal, IpAddress from);
  // Whether who has the certificate is still one of ours, and only one. State thread.
  Status still_counts(const Principal& principal, const IpAddress& from) const;
  const std::vector<Cidr>& nat_sources() const;  // state thread
  // The same as still_counts() of an agent, with its node. State thread; the pointer lives until the next operation.
  Result<const Node*> live_node(const AgentIdentity& agent, const IpAddress& from) const;
  Handling sync_on_state(std::shared_ptr<const SyncPosition> have);
  Handling tell_news(std::shared_ptr<const SyncPosition> have);
  struct Sender {
    std::shared_ptr<const Principal> who;  // an agent
    IpAddress from;
    std::uint64_t mark = 0;  // report_mark() of what it sent
  };
  boost::asio::awaitable<Result<bool>> repeats_on_state(Sender sender);
  Handling status_on_state(std::shared_ptr<const proto::NodeStatusReport> given, Sender sender);
  const std::string& probe_news(const SyncPosition& have, const Node& node);  // state thread; empty: none
  Handling start_probe_on_state();
  Handling get_probe_on_state(SteadyTime deadline);
  Handling probe_view();
  Handling answer_durably(Reply reply);
  struct ProbeSender {
    std::shared_ptr<const Principal> who;  // an agent
    IpAddress from;
  };
  Handling offer_on_state(std::shared_ptr<const proto::ProbeOffer> offer, ProbeSender sender);
  Handling await_targets(std::shared_ptr<const proto::ProbeOffer> offer, ProbeSender sender);
  Handling report_probe_on_state(std::shared_ptr<const proto::ProbeReport> report, ProbeSender sender);
  void tell_probe_changes(std::uint64_t before);
  std::vector<ProbeMember> probe_members() const;  // state thread
  Handling refuse_live(std::shared_ptr<const Principal> principal, IpAddress from, Error error);
  Handling apply_on_state(proto::ClusterSpec spec, proto::AuditActor actor, Guard guard);
  boost::asio::awaitable<Result<Outcome>> delete_on_state(std::string name, proto::AuditActor actor, Guard guard);
  Handling change_cordon(RequestContext context, bool unschedulable);
  Handling cordon_on_state(CordonNode wish, proto::AuditActor actor, Guard guard);
  struct DrainWish {
    std::string name;
    bool force = false;
  };
  Handling drain_on_state(DrainWish wish, proto::AuditActor actor, Guard guard);
  boost::asio::awaitable<Status> audit_evictions(DrainStep step, proto::AuditActor actor);
  boost::asio::awaitable<Result<Outcome>> rotate(std::string name, proto::AuditActor actor, Guard guard);
  boost::asio::awaitable<Result<Outcome>> rotate_on_state(std::string name, proto::AuditActor actor, Guard guard);
  Handling node_response(std::string name);
  Handling node_config_response(std::string name);
  Result<std::vector<CrlSpec>> crl_specs(std::vector<CaKind> kinds, bool all) const;  // state thread
  boost::asio::awaitable<Status> audit_refusal(proto::AuditRecord record);
  Handling decide(DecideNode decision, proto::AuditActor actor);
  boost::asio::awaitable<Result<Outcome>> replace_on_state(ReplaceNode replacement, proto::AuditActor actor, Guard guard);
  // For the operator, with the join command. `pin`: digest of the CA that the record says it pins.
  boost::asio::awaitable<Result<proto::TokenReply>> token_reply(NewToken token, std::string pin);
  boost::asio::awaitable<Result<Outcome>> change_pool(Operation operation, proto::AuditActor actor, Guard guard);
  boost::asio::awaitable<Result<Outcome>> change_pool_on_state(Operation operation, proto::AuditActor actor, Guard guard);
  Handling pool_response(int status, std::string name);
  Handling change_ca_on_state(CaRotation::Wish wish, proto::AuditActor actor, Guard guard);
  struct PersonsCertificate {
    ValidatedCluster cluster;
    IssuedCertificate certificate;
  };
  // For an operator's CSR. Recorded durably before it is returned: without its record it counts nothing. Errc::invalid names /csr.
  boost::asio::awaitable<Result<PersonsCertificate>> issue_and_record(CertUsage usage, std::string user, std::string csr, proto::AuditActor actor);
  Result<IssuedCertificate> issue_for_person(CertUsage usage, const ValidatedCluster& cluster,
                                             const std::string& user, const std::string& spki_der);
  CaFacts pinned_ca() const;  // whose digest join tokens carry; state thread
  boost::asio::awaitable<Result<CaFacts>> current_pin();
  proto::ClusterView cluster_view() const;                            // state thread
  std::vector<proto::NodeView> node_views() const;                    // state thread
  std::vector<proto::CertificateView> certificates_with_cas() const;  // state thread
  HealthInput health_input() const;                                   // state thread
  boost::asio::awaitable<Result<HealthInput>> health_input_there();   // state thread
  boost::asio::awaitable<Result<StoreSpace>> store_space();
  void count_join(const Status& result);
  boost::asio::awaitable<Result<Outcome>> submit(Operation operation, proto::AuditActor actor, Guard guard = {});
  // The operation, if the guard allows it; nothing comes between its look and the operation.
  boost::asio::awaitable<Result<Outcome>> submit_on_state(Operation operation, proto::AuditActor actor, Guard guard);

  // Runs `job` on the state thread and resumes with its value when all that it saw is durable.
  template <class R>
  boost::asio::awaitable<Result<R>> read_state(std::function<Result<R>()> job);
  template <class R>
  boost::asio::awaitable<Result<R>> read_on_state(std::function<Result<R>()> job);

  ApiDeps deps_;
  RestartBudget budget_{deps_.clock, deps_.board};  // state thread
  WallTime started_;
  bool stopping_ = false;  // state thread
  ProbeRound probe_;       // state thread
  Notifier probe_changed_;  // notified with each phase of it; state thread
  // Notified when a node reported something new or was removed; state thread. Joins are noticed within a
  // second.
  Notifier nodes_changed_;
  std::atomic<std::size_t> watches_{0};
  // By Errc; the last is for success. Counted on all I/O threads.
  static constexpr std::size_t k_codes = static_cast<std::size_t>(Errc::internal) + 2;
  std::array<std::atomic<std::uint64_t>, k_codes> joins_{};
  std::array<std::atomic<std::uint64_t>, 2> renewals_{};
  std::atomic<std::uint64_t> overlaps_{0};  // refusals because of somebody else's addresses
};

template <class R>
boost::asio::awaitable<Result<R>> Handlers::read_on_state(std::function<Result<R>()> job) {
  Result<R> value = job();
  boost::asio::awaitable<Status> durable = deps_.registrar.durable(deps_.registrar.state().revision());
  const Status safe = co_await std::move(durable);
  if (!safe) co_return safe.error();
  co_return value;
}

template <class R>
boost::asio::awaitable<Result<R>> Handlers::read_state(std::function<Result<R>()> job) {
  std::function<boost::asio::awaitable<Result<R>>()> there = [this, job] { return read_on_state<R>(job); };
  boost::asio::awaitable<Result<R>> hop = run_on<R>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Result<Seconds> token_ttl(const std::string& text);

// Errc::invalid names the first key of the query that the route does not know, or that stands twice.
Status check_query(const proto::Route& route, const http::Request& request);

http::Response text_response(int status, std::string text, std::string type = "text/plain; charset=utf-8");
http::Response json_text_response(int status, std::string json);
http::Response empty_response(int status);
http::Response problem_response(const Error& error);
template <class T>
http::Response json_response(int status, const T& value) {
  return json_text_response(status, proto::encode(value));
}
// With the tag that If-Match takes.
template <class T>
struct Tagged {
  T value;
  std::string etag;
};
template <class T>
http::Response json_response(int status, const Tagged<T>& tagged) {
  http::Response response = json_response(status, tagged.value);
  response.headers.set("ETag", tagged.etag);
  return response;
}
// The body as T; Errc::invalid names the field. What people write is read strictly: a field that is mistyped must not be a wish
// that is dropped, such as a token for one node that would admit any.
template <class T>
Result<T> body_as(const http::Request& request) {
  auto value = proto::decode_strict<T>(request.body);
  if (!value) return error_of(value, "reading the request");
  return value;
}
// The same from agents: newer ones may send more than this version knows.
template <class T>
Result<T> agent_body_as(const http::Request& request) {
  auto value = proto::decode<T>(request.body);
  if (!value) return error_of(value, "reading the request");
  return value;
}

}  // namespace slipway::api
