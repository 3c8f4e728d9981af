// What operators call: cluster, nodes, tokens, certificates. Who joins: admission.cpp.
#include <algorithm>
#include <optional>

#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "coordinator/api/handlers.hpp"
#include "coordinator/domain/cluster_plan.hpp"
#include "coordinator/api/list_filters.hpp"

namespace slipway::api {

namespace {

http::Response cluster_response(const proto::ClusterView& view) {
  return json_response(200, Tagged<proto::ClusterView>{view, etag_of(view.spec)});
}

// "10.77.0.0/24", or one address.
Result<Cidr> source_range(const std::string& text) {
  if (text.find('/') != std::string::npos) return Cidr::parse(text);
  const auto address = IpAddress::parse(text);
  if (!address) return address.error();
  return Cidr::make(*address, address->bits());
}

Result<TokenSpec> token_spec(const proto::TokenRequest& request) {
  TokenSpec spec;
  const auto ttl = token_ttl(request.ttl);
  if (!ttl) return ttl.error();
  spec.ttl = *ttl;
  const auto role = node_role_from_string(request.role);
  if (!role) return field_error("/role", " must be node or master");
  spec.role = *role;
  spec.max_uses = request.max_uses;
  spec.node = request.node;
  spec.pool = request.pool;
  for (std::size_t i = 0; i < request.sources.size(); ++i) {
    const auto range = source_range(request.sources[i]);
    if (!range) return at_field("/sources/" + std::to_string(i), range.error());
    spec.sources.push_back(*range);
  }
  return spec;
}

proto::TokenView view_of(const JoinToken& token, WallTime now) {
  proto::TokenView view{token.id, std::string(to_string(token.role)), token.node, token.uses, token.max_uses,
                        to_rfc3339(token.created_at), to_rfc3339(token.expires_at), std::string(token_state(token, now))};
  view.pool = token.pool;
  for (const Cidr& source : token.sources) view.sources.push_back(source.to_string());
  return view;
}

// Order of certificates in lists, and the place where the next page begins.
std::string position_of(const proto::CertificateView& view) {
  return view.node + "/" + view.usage + "/" + view.serial;
}

}  // namespace

Result<Seconds> token_ttl(const std::string& text) {
  const auto ttl = parse_duration(text);
  if (!ttl) return field_error("/ttl", " must be a duration such as 90s, 15m, 24h or 7d");
  return *ttl;
}

CaFacts Handlers::pinned_ca() const {
  const CaLine* line = deps_.registrar.state().ca(CaKind::fabric);
  return line == nullptr ? CaFacts{} : server_ca(*line);
}

boost::asio::awaitable<Result<CaFacts>> Handlers::current_pin() {
  std::function<Result<CaFacts>()> job = [this] { return Result<CaFacts>(pinned_ca()); };
  boost::asio::awaitable<Result<CaFacts>> reading = read_state<CaFacts>(std::move(job));
  co_return co_await std::move(reading);
}

proto::ClusterView Handlers::cluster_view() const {
  const State& state = deps_.registrar.state();
  proto::ClusterView view;
  view.id = state.identity().id;
  view.epoch = state.identity().epoch;
  view.revision = state.revision();
  view.ca_sha256 = pinned_ca().sha256;
  view.spec = state.cluster().spec;
  view.capacity = state.capacity();
  view.desired_revision = state.desired_revision();
  view.rollout = budget_.view(state);
  return view;
}

Handling Handlers::get_cluster(RequestContext) {
  std::function<Result<proto::ClusterView>()> job = [this] {
    return Result<proto::ClusterView>(cluster_view());
  };
  boost::asio::awaitable<Result<proto::ClusterView>> reading = read_state<proto::ClusterView>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return cluster_response(*view);
}

Handling Handlers::apply_cluster(RequestContext context) {
  auto spec = proto::decode_strict<proto::ClusterSpec>(context.request.body);
  if (!spec) co_return error_of(spec, "reading the request");
  const Guard guard = cluster_guard(context.request);
  const proto::AuditActor actor = actor_of(context);
  std::function<Handling()> there = [this, given = *spec, actor, guard] { return apply_on_state(given, actor, guard); };
  Handling hop = run_on<http::Response>(deps_.state, std::move(there));
  co_return co_await std::move(hop);
}

Handling Handlers::apply_on_state(proto::ClusterSpec spec, proto::AuditActor actor, Guard guard) {
  ApplyCluster operation{std::move(spec), reported_routes(deps_.registrar.state(), deps_.board)};
  boost::asio::awaitable<Result<Outcome>> applying = submit_on_state(std::move(operation), std::move(actor), std::move(guard));
  const auto outcome = co_await std::move(applying);
  if (!outcome) co_return outcome.error();
  co_return cluster_response(cluster_view());
}

Handling Handlers::plan_cluster(RequestContext context) {
  auto spec = proto::decode_strict<proto::ClusterSpec>(context.request.body);
  if (!spec) co_return error_of(spec, "reading the request");
  std::function<Result<proto::ClusterView>()> job = [this, given = *spec]() -> Result<proto::ClusterView> {
    const State& state = deps_.registrar.state();
    const auto plan = slipway::plan_cluster(state, {given, reported_routes(state, deps_.board)});
    if (!plan) return plan.error();
    proto::ClusterView view = cluster_view();
    view.spec = plan->cluster.spec;
    view.capacity = capacity_with(plan->cluster, plan->pools.ledger, state.nodes().size());
    return view;
  };
  boost::asio::awaitable<Result<proto::ClusterView>> reading = read_state<proto::ClusterView>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(200, *view);
}

Result<IssuedCertificate> Handlers::issue_for_person(CertUsage usage, const ValidatedCluster& cluster,
                                                     const std::string& user, const std::string& spki_der) {
  ProfileInput input;
  input.cluster = profile_cluster(cluster, deps_.cluster_id);
  input.user_name = user;
  const auto spec = profile(usage, input);
  if (!spec) return spec.error();
  const auto serial = Serial::from_random(deps_.random_bytes(16));
  if (!serial) return serial.error();
  const Validity validity = validity_of(spec->validity, lifetimes_of(cluster), deps_.clock.wall());
  const auto issued = deps_.signer.issue(*spec, spki_der, *serial, validity.not_before, validity.not_after);
  if (!issued) return issued.error();
  IssuedCertificate certificate;
  certificate.pem = issued->pem;
  certificate.names = names_of(*spec);
  certificate.record.serial = issued->serial_hex;
  certificate.record.usage = usage;
  certificate.record.subject = user;
  certificate.record.not_before = issued->not_before;
  certificate.record.not_after = issued->not_after;
  certificate.record.sha256 = issued->sha256_hex;
  certificate.record.spki_sha256 = sha256_hex(spki_der);
  certificate.record.ca = issued->ca;
  return certificate;
}

boost::asio::awaitable<Result<Handlers::PersonsCertificate>> Handlers::issue_and_record(CertUsage usage, std::string user, std::string csr,
                                                                                        proto::AuditActor actor) {
  if (const Status name = check_user_name(user); !name) co_return at_field("/user", name.error());
  const auto key = parse_csr(csr);
  if (!key) co_return at_field("/csr", key.error());
  std::function<Result<ValidatedCluster>()> job = [this] {
    return Result<ValidatedCluster>(deps_.registrar.state().cluster());
  };
  boost::asio::awaitable<Result<ValidatedCluster>> reading = read_state<ValidatedCluster>(std::move(job));
  const auto cluster = co_await std::move(reading);
  if (!cluster) co_return cluster.error();
  const auto certificate = issue_for_person(usage, *cluster, user, key->spki_der);
  if (!certificate) co_return certificate.error();
  boost::asio::awaitable<Result<Outcome>> recording = submit(RecordCertificate{*certificate}, std::move(actor));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  co_return PersonsCertificate{*cluster, *certificate};
}

Handling Handlers::create_kubeconfig(RequestContext context) {
  const auto request = body_as<proto::KubeconfigRequest>(context.request);
  if (!request) co_return request.error();
  boost::asio::awaitable<Result<PersonsCertificate>> issuing =
      issue_and_record(CertUsage::kubeconfig_admin, request->user, request->csr, actor_of(context));
  const auto issued = co_await std::move(issuing);
  if (!issued) co_return issued.error();
  const proto::KubeconfigReply reply{issued->cluster.spec.metadata.name, issued->cluster.spec.api_server.endpoint,
                                     deps_.signer.ca_pem(CaKind::apiserver), issued->certificate.pem,
                                     to_rfc3339(issued->certificate.record.not_after)};
  co_return json_response(200, reply);
}

Handling Handlers::list_nodes(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  const auto filter = NodeFilter::of(context.request);
  if (!filter) co_return filter.error();
  const auto watch = wants_watch(context.request);
  if (!watch) co_return watch.error();
  Handling handling = *watch ? watch_nodes(*filter, std::move(context)) : list_matching_nodes(*page, *filter);
  co_return co_await std::move(handling);
}

Handling Handlers::list_matching_nodes(PageWish page, NodeFilter filter) {
  std::function<Result<proto::NodeList>()> job = [this, page, filter] {
    const State& state = deps_.registrar.state();
    const auto view = [&](const auto& entry) -> std::optional<proto::NodeView> {
      auto shown = node_view(state, entry.second, deps_.board.find(entry.second.uid));
      if (!filter.matches(shown)) return std::nullopt;
      return shown;
    };
    return Result<proto::NodeList>(
        page_of<proto::NodeList>(state.nodes(), page, view, [](const proto::NodeView& shown) { return shown.name; }));
  };
  boost::asio::awaitable<Result<proto::NodeList>> reading = read_state<proto::NodeList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::get_node(RequestContext context) { return node_response(context.parameters["name"]); }

Handling Handlers::node_response(std::string name) {
  std::function<Result<Tagged<proto::NodeView>>()> job = [this, name]() -> Result<Tagged<proto::NodeView>> {
    const State& state = deps_.registrar.state();
    const Node* node = state.node(name);
    if (node == nullptr) return make_error(Errc::not_found, "there is no node named \"" + name + "\"");
    return Tagged<proto::NodeView>{node_view(state, *node, deps_.board.find(node->uid)), etag_of(*node)};
  };
  boost::asio::awaitable<Result<Tagged<proto::NodeView>>> reading = read_state<Tagged<proto::NodeView>>(std::move(job));
  const auto view = co_await std::move(reading);
  if (!view) co_return view.error();
  co_return json_response(200, *view);
}

Handling Handlers::delete_node(RequestContext context) {
  const std::string name = context.parameters["name"];
  const proto::AuditActor actor = actor_of(context);
  const Guard guard = node_guard(context.request, name);
  std::function<boost::asio::awaitable<Result<Outcome>>()> there = [this, name, actor, guard] {
    return delete_on_state(name, actor, guard);
  };
  boost::asio::awaitable<Result<Outcome>> hop = run_on<Outcome>(deps_.state, std::move(there));
  const auto outcome = co_await std::move(hop);
  if (!outcome) co_return outcome.error();
  co_return empty_response(204);
}

boost::asio::awaitable<Result<Outcome>> Handlers::delete_on_state(std::string name, proto::AuditActor actor, Guard guard) {
  boost::asio::awaitable<Result<Outcome>> deleting =
      submit_on_state(DeleteNode{name, deps_.clock.wall()}, std::move(actor), std::move(guard));
  auto outcome = co_await std::move(deleting);
  if (outcome && outcome->node) {
    deps_.board.forget(outcome->node->uid);
    nodes_changed_.notify();
    deps_.node_deleted(*outcome->node);
  }
  co_return outcome;
}

Handling Handlers::create_token(RequestContext context) {
  const auto request = body_as<proto::TokenRequest>(context.request);
  if (!request) co_return request.error();
  const auto spec = token_spec(*request);
  if (!spec) co_return spec.error();
  auto token = new_token(*spec, deps_.clock.wall());
  if (!token) co_return token.error();
  boost::asio::awaitable<Result<CaFacts>> asking = current_pin();
  const auto pin = co_await std::move(asking);
  if (!pin) co_return pin.error();
  token->record.pinned_ca = pin->number;
  boost::asio::awaitable<Result<Outcome>> creating = submit(CreateToken{token->record}, actor_of(context));
  const auto created = co_await std::move(creating);
  if (!created) co_return created.error();
  boost::asio::awaitable<Result<proto::TokenReply>> replying = token_reply(*token, pin->sha256);
  const auto reply = co_await std::move(replying);
  if (!reply) co_return reply.error();
  co_return json_response(201, *reply);
}

Handling Handlers::list_tokens(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  const auto filter = TokenFilter::of(context.request);
  if (!filter) co_return filter.error();
  std::function<Result<proto::TokenList>()> job = [this, wish = *page, filter = *filter] {
    const WallTime now = deps_.clock.wall();
    const auto view = [&](const auto& entry) -> std::optional<proto::TokenView> {
      auto shown = view_of(entry.second, now);
      if (!filter.matches(shown)) return std::nullopt;
      return shown;
    };
    return Result<proto::TokenList>(page_of<proto::TokenList>(deps_.registrar.state().tokens(), wish, view,
                                                              [](const proto::TokenView& shown) { return shown.id; }));
  };
  boost::asio::awaitable<Result<proto::TokenList>> reading = read_state<proto::TokenList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::delete_token(RequestContext context) {
  boost::asio::awaitable<Result<Outcome>> deleting = submit(DeleteToken{context.parameters["id"]}, actor_of(context));
  const auto deleted = co_await std::move(deleting);
  if (!deleted) co_return deleted.error();
  co_return empty_response(204);
}

Handling Handlers::list_certificates(RequestContext context) {
  const auto wish = page_wish(context.request);
  if (!wish) co_return wish.error();
  const auto filter = CertificateFilter::of(context.request);
  if (!filter) co_return filter.error();
  std::function<Result<proto::CertificateList>()> job = [this, page = *wish, filter = *filter] {
    const std::vector<proto::CertificateView> all = certificates_with_cas();
    const auto first = std::find_if(all.begin(), all.end(), [&](const auto& view) { return page.after.empty() || position_of(view) > page.after; });
    const auto view = [&](const proto::CertificateView& shown) { return filter.matches(shown) ? std::optional(shown) : std::nullopt; };
    return Result<proto::CertificateList>(page_of<proto::CertificateList>(first, all.end(), page.limit, view, position_of));
  };
  boost::asio::awaitable<Result<proto::CertificateList>> reading =
      read_state<proto::CertificateList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

}  // namespace slipway::api
