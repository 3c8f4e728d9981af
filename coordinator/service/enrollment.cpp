#include "coordinator/service/enrollment.hpp"

#include <algorithm>
#include <utility>

#include "common/core/secret.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/random.hpp"
#include "common/log/log.hpp"
#include "coordinator/domain/ca_gates.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_max_csrs = 16;
constexpr std::size_t k_max_host_routes = 64;
constexpr std::size_t k_max_machine_id = 64;
constexpr std::uint32_t k_ask_again = 10;  // seconds, while an operator decides
constexpr int k_max_tries = 3;  // when the same node's other request gets in between

// Failures that cost: the others are not the caller's fault, or need a valid token to get at.
bool counts_as_failed(Errc code) { return code == Errc::denied || code == Errc::invalid || code == Errc::gone; }

std::string shown(const std::string& text) { return text.substr(0, 64); }

// What a token's source ranges are held against, and where a copy would be: the connection. On our own host the word is believed.
IpAddress source_of(const IpAddress& told, const IpAddress& peer) { return peer.is_loopback() ? told : peer; }

}  // namespace

struct Enrollment::Work {
  bool renewal = false;
  proto::JoinRequest join;  // of a renewal only csrs
  IpAddress peer;
  AgentIdentity who;
  proto::AuditActor actor;
  std::optional<IpAddress> own_address;  // of a renewal: where the node says it is, and is
  std::optional<IpAddress> moves_to;  // that, when it is not its registered one
  IpAddress moved_from;
  std::string token_id;  // as shown, for the log
  AdmissionRequest request;
  std::map<CertUsage, CsrKey> keys;
  // Taken from the state.
  Admission admission;
  ProfileInput profile;
  Lifetimes lifetimes;
  std::string cluster_name;
  double renew_at = 0;
  // The outcome.
  JoinStage stage = JoinStage::request;  // where it is, in the end where it was refused
  std::string reason;                    // the true one of a refusal
  std::string cure;
  std::vector<IssuedCertificate> issued;
  Node node;
  std::map<std::string, std::string> pems;

  // With the cure of a refusal there, until a better one is known.
  void enter(JoinStage next, Cause cause = Cause::none);
  Status read_request();
  Status read_csrs();
  Status read_address(const std::optional<std::string>& told, const std::optional<IpAddress>& from);
  std::map<std::string, std::string> ca_bundles(Signer& signer) const;
  proto::JoinReply reply(Signer& signer);
};

void Enrollment::Work::enter(JoinStage next, Cause cause) {
  stage = next;
  cure = usual_cure(next, cause, shown(join.node_name));
}

Status Enrollment::Work::read_request() {
  const auto role = node_role_from_string(join.role);
  if (!role) return field_error("/role", " must be node or master");
  if (join.node_name.empty() || join.node_name.size() > 253) return field_error("/nodeName", " must be a name of 1 to 253 letters");
  if (join.facts.machine_id.size() > k_max_machine_id) return field_error("/facts/machineId", " is too long");
  const auto address = IpAddress::parse(join.address);
  if (!address) return at_field("/address", address.error());
  request.node_name = join.node_name;
  request.role = *role;
  request.address = *address;
  request.from = source_of(*address, peer);
  request.machine_id = lower(join.facts.machine_id);
  if (join.facts.host_routes.size() > k_max_host_routes) return field_error("/facts/hostRoutes", " has too many entries");
  request.host_routes = host_routes_of(join.facts.host_routes, join.node_name, true);
  request.facts = join.facts;
  cut_facts(request.facts);
  if (!join.token.empty()) {
    request.token = present_token(join.token);
    // A text that is no token at all is treated as one that nobody knows.
    if (!request.token) request.token = PresentedToken{};
    token_id = request.token->id;
    secure_wipe(join.token.data(), join.token.size());
    join.token.clear();
  }
  return {};
}

Status Enrollment::Work::read_csrs() {
  if (join.csrs.size() > k_max_csrs) return field_error("/csrs", " has more than " + std::to_string(k_max_csrs) + " entries");
  for (const auto& [name, pem] : join.csrs) {
    const auto usage = cert_usage_from_string(name);
    if (!usage) return field_error(pointer_below("/csrs", shown(name)), " is not a certificate of a node");
    const auto key = parse_csr(pem);
    if (!key) return at_field("/csrs/" + name, key.error());
    request.spkis[*usage] = key->spki_sha256_hex;
    keys.emplace(*usage, *key);
  }
  return {};
}

Status Enrollment::Work::read_address(const std::optional<std::string>& told, const std::optional<IpAddress>& from) {
  if (!told) return {};
  const auto parsed = IpAddress::parse(*told);
  if (!parsed) return at_field("/address", parsed.error());
  if (!from) return make_error(Errc::denied, "an address was named, and nobody knows from where");
  peer = *from;
  own_address = *parsed;
  return {};
}

std::map<std::string, std::string> Enrollment::Work::ca_bundles(Signer& signer) const {
  std::map<std::string, std::string> bundles;
  for (const CaKind kind : k_ca_kinds) {
    if (!node_trusts(node.role, kind)) continue;
    bundles.emplace(to_string(kind), signer.ca_pem(kind));
  }
  return bundles;
}

proto::JoinReply Enrollment::Work::reply(Signer& signer) {
  proto::JoinReply reply;
  reply.cluster_name = cluster_name;
  reply.cluster_id = profile.cluster.id;
  reply.node_name = node.name;
  reply.node_uid = node.uid;
  reply.generation = node.generation;
  reply.role = to_string(node.role);
  reply.address = node.address.to_string();
  reply.pod_cidr = node.pod_cidr.to_string();
  reply.certificates = std::move(pems);
  reply.ca_bundles = ca_bundles(signer);
  reply.renew_at = renew_at;
  return reply;
}

Enrollment::Enrollment(Deps deps) : deps_(std::move(deps)), limiter_(deps_.clock, deps_.limits, &nat_sources_) {}

// T5: the address is the connection's, not the node's word. A process on the coordinator's own host reaches it by loopback
// and is believed: the master's agent, and whoever has a shell there. So is who comes from behind a listed NAT, within nodeCIDRs.
Status Enrollment::check_address(const IpAddress& told, const IpAddress& peer) const {
  if (told == peer || peer.is_loopback() || nat_sources_.contains(peer)) return {};
  return pointing_to("/address", make_error(Errc::denied, "the node says its address is " + told.to_string() + " but connects from " + peer.to_string() +
                                                              ": set nodeAddress to the address by which it reaches the coordinator; if " + peer.to_string() +
                                                              " translates for several hosts (NAT), list it in network.natSources"));
}

asio::awaitable<Result<proto::JoinReply>> Enrollment::join(proto::JoinRequest request, IpAddress peer) {
  auto work = std::make_shared<Work>();
  work->join = std::move(request);
  work->peer = peer;
  Task joining = join_work(work);
  const Status joined = co_await std::move(joining);
  note_end(*work, joined);
  Task noting = on_state(work, &Enrollment::note_there);
  const Status noted = co_await std::move(noting);
  if (!joined) co_return joined.error();
  if (!noted) co_return noted.error();
  co_return work->reply(deps_.signer);
}

asio::awaitable<Result<proto::RenewReply>> Enrollment::renew(proto::RenewRequest request, AgentIdentity who, proto::AuditActor actor,
                                                              std::optional<IpAddress> peer) {
  auto work = std::make_shared<Work>();
  work->renewal = true;
  work->join.csrs = std::move(request.csrs);
  work->who = std::move(who);
  work->actor = std::move(actor);
  Status renewed = work->read_address(request.address, peer);
  if (renewed && work->own_address) renewed = check_address(*work->own_address, work->peer);
  if (renewed) {
    Task renewing = renew_work(work);
    renewed = co_await std::move(renewing);
  }
  if (!renewed) {
    log::warning("renewal refused", {{"uid", work->who.uid}, {"serial", work->who.serial}, {"reason", renewed.error()}});
    work->reason = renewed.error().message;
    Task noting = on_state(work, &Enrollment::note_renewal_there);
    const Status noted = co_await std::move(noting);
    if (!noted) co_return noted.error();
    co_return renewed.error();
  }
  proto::RenewReply reply;
  reply.certificates = std::move(work->pems);
  reply.ca_bundles = work->ca_bundles(deps_.signer);
  if (work->own_address) reply.address = work->node.address.to_string();
  co_return reply;
}

Enrollment::Task Enrollment::on_state(WorkPtr work, Task (Enrollment::*step)(WorkPtr)) {
  std::function<Task()> job = [this, work, step] { return (this->*step)(work); };
  Task running = run_on<void>(deps_.state, std::move(job));
  co_return co_await std::move(running);
}

Enrollment::Task Enrollment::join_work(WorkPtr work) {
  work->enter(JoinStage::request);
  if (const Status read = work->read_request(); !read) co_return read;
  work->enter(JoinStage::limits);
  Task limiting = check_limits(work);
  const Status allowed = co_await std::move(limiting);
  if (!allowed) co_return allowed;
  work->enter(JoinStage::csr);
  if (const Status csrs = work->read_csrs(); !csrs) co_return csrs;
  work->enter(JoinStage::address);
  if (const Status place = check_address(work->request.address, work->peer); !place) co_return place;
  for (int tries = 1;; ++tries) {
    Task admitting = admit_and_record(work);
    const Status admitted = co_await std::move(admitting);
    // Somebody was faster with this node, most likely its own first request: the second look will tell.
    const bool again = !admitted && admitted.error().code == Errc::conflict && work->reason.empty() && tries < k_max_tries;
    if (!again) co_return admitted;
  }
}

Enrollment::Task Enrollment::check_limits(WorkPtr work) {
  if (limiter_.ask(work->peer) == JoinLimiter::Decision::go) co_return Status{};
  if (work->request.token) {
    Task checking = on_state(work, &Enrollment::check_secret_there);
    const Status known = co_await std::move(checking);
    if (known) co_return known;
  } else if (limiter_.take_spare()) {
    co_return Status{};
  }
  const Seconds wait = limiter_.retry_after(work->peer);
  Error error = make_error(Errc::too_many, "too many failed joins from " + work->peer.to_string() + ": try again in " + to_duration_text(wait));
  error.retry_after = static_cast<std::uint32_t>(wait.count());
  co_return error;
}

// Whether the token would do is asked later, with the answers that tell nothing.
Enrollment::Task Enrollment::check_secret_there(WorkPtr work) {
  const TokenUse use{work->request.node_name, work->request.role, *work->request.from};
  const TokenVerdict verdict = check_presented_token(deps_.registrar.state(), *work->request.token, use, deps_.clock.wall());
  if (!knows_secret(verdict)) co_return make_error(Errc::denied, k_token_refused);
  co_return Status{};
}

Enrollment::Task Enrollment::admit_and_record(WorkPtr work) {
  work->reason.clear();
  Task peeking = on_state(work, &Enrollment::peek_there);
  const Status peeked = co_await std::move(peeking);
  if (!peeked) co_return peeked;
  if (work->admission.kind == AdmissionKind::wait) {
    Task queueing = on_state(work, &Enrollment::queue_there);
    co_return co_await std::move(queueing);
  }
  work->issued.clear();
  work->enter(JoinStage::signing);
  if (work->admission.kind != AdmissionKind::same_certificates) {
    if (const Status signed_all = sign(*work); !signed_all) co_return signed_all;
  }
  work->enter(JoinStage::recording);
  Task recording = on_state(work, &Enrollment::record_there);
  const Status recorded = co_await std::move(recording);
  // What was signed but not recorded never leaves.
  if (!recorded) co_return recorded;
  Task fetching = fetch_pems(work);
  co_return co_await std::move(fetching);
}

void Enrollment::take_cluster(Work& work, const Node* node) {
  const State& state = deps_.registrar.state();
  work.cluster_name = state.cluster().spec.metadata.name;
  work.renew_at = state.cluster().spec.certificates.renew_at;
  work.lifetimes = lifetimes_of(state.cluster());
  work.profile.cluster = profile_cluster(state.cluster(), state.identity().id);
  work.profile.node.name = node != nullptr ? node->name : work.request.node_name;
  work.profile.node.uid = work.admission.uid;
  work.profile.node.generation = work.admission.generation;
  work.profile.node.master = (node != nullptr ? node->role : work.request.role) == NodeRole::master;
  const IpAddress stays = work.renewal && node != nullptr ? node->address : work.request.address;
  work.profile.node.addresses = {work.moves_to.value_or(stays)};
}

Enrollment::Task Enrollment::peek_there(WorkPtr work) {
  const State& state = deps_.registrar.state();
  // Asking all nodes what they have applied is for when there is a block that waits for it.
  const bool waiting_blocks = state.has_cluster() && state.ledger().quarantined() > 0;
  const std::uint64_t acknowledged = waiting_blocks ? deps_.status.acknowledged(state) : state.desired_revision();
  work->request.maturity = {deps_.clock.wall(), deps_.quarantine_min_age, acknowledged};
  work->request.pool = pool_of(state, work->request);
  const AdmissionVerdict verdict = admit(state, work->request);
  const Status alone = verdict.result ? check_clone(*work, *verdict.result) : Status{};
  if (!verdict.result || !alone) {
    if (verdict.result) {
      work->enter(JoinStage::place, Cause::machine_taken);
      work->reason = alone.error().message;
    } else {
      work->stage = verdict.stage;
      work->reason = verdict.reason;
      work->cure = verdict.cure;
    }
    // The refusal may rest on what is not on disk yet.
    Task waiting = deps_.registrar.durable(state.revision());
    const Status durable = co_await std::move(waiting);
    if (!durable) co_return durable;
    co_return verdict.result ? alone : Status(verdict.result.error());
  }
  work->admission = *verdict.result;
  if (work->admission.kind == AdmissionKind::wait) {
    work->stage = verdict.stage;
    work->reason = verdict.reason;
    work->cure = verdict.cure;
    co_return Status{};
  }
  const bool is_new = work->admission.kind == AdmissionKind::new_node;
  if (is_new) work->admission.uid = deps_.new_uuid();
  take_cluster(*work, is_new ? nullptr : state.node(work->request.node_name));
  co_return Status{};
}

// The same key from another address while the node's own one is heard.
Status Enrollment::check_clone(const Work& work, const Admission& admission) const {
  const bool known = admission.kind == AdmissionKind::new_certificates || admission.kind == AdmissionKind::same_certificates;
  if (!known) return {};
  const Node& node = *deps_.registrar.state().node(work.request.node_name);
  return check_single(deps_.registrar.state().cluster().nat_sources, node, deps_.status.find(node.uid), *work.request.from, deps_.clock.steady());
}

// What the state says now is the reason; none when it would admit: then the next try will tell.
void Enrollment::explain_lost_race(Work& work) const {
  const AdmissionVerdict verdict = admit(deps_.registrar.state(), work.request);
  work.reason.clear();
  if (verdict.result) return;
  work.reason = verdict.reason;
  work.cure = verdict.cure;
  work.stage = verdict.stage;
}

// Ends with an error in any case: it waits.
Enrollment::Task Enrollment::queue_there(WorkPtr work) {
  asio::awaitable<Result<Outcome>> submitting = deps_.registrar.submit(
      QueueNode{work->request}, {"token", work->token_id, "", work->peer.to_string()});
  const Result<Outcome> outcome = co_await std::move(submitting);
  if (!outcome) {
    explain_lost_race(*work);
    co_return outcome.error();
  }
  const PendingNode& node = *outcome->pending;
  if (outcome->changed) {
    log::info("a host waits for approval", {{"node", node.name}, {"address", node.address.to_string()}, {"fingerprint", node.fingerprint}});
  }
  Error waits = make_error(Errc::pending, "waiting for approval: slipwayctl node approve " + node.name + " (the key of this host has the fingerprint " +
                                              node.fingerprint + ")");
  waits.retry_after = k_ask_again;
  co_return waits;
}

Status Enrollment::sign(Work& work) {
  const WallTime now = deps_.clock.wall();
  std::vector<IssueRequest> wanted;
  for (const auto& [usage, key] : work.keys) {
    auto spec = profile(usage, work.profile);
    if (!spec) return spec.error();
    auto serial = Serial::in_order(now, issued_++, deps_.random_bytes(14));
    if (!serial) return serial.error();
    const Validity validity = validity_of(spec->validity, work.lifetimes, now);
    wanted.push_back({std::move(*spec), key.spki_der, std::move(*serial), validity.not_before, validity.not_after});
  }
  auto certs = deps_.signer.issue_all(wanted);
  if (!certs) return error_of(certs, "signing certificates");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const CertSpec& spec = wanted[i].spec;
    IssuedCert& cert = (*certs)[i];
    CertificateRecord record{cert.serial_hex, spec.usage, work.profile.node.name, work.admission.uid, work.admission.generation,
                             cert.not_before, cert.not_after, cert.sha256_hex, work.keys.at(spec.usage).spki_sha256_hex, cert.ca};
    work.issued.push_back({std::move(record), std::move(cert.pem), names_of(spec)});
  }
  return {};
}

Enrollment::Task Enrollment::record_there(WorkPtr work) {
  AdmitNode operation{work->request, work->admission.kind, work->admission.uid, work->admission.generation, work->issued};
  const bool by_token = work->admission.kind == AdmissionKind::new_node;
  proto::AuditActor actor{by_token ? "token" : "identity", by_token ? work->token_id : "", "", work->peer.to_string()};
  asio::awaitable<Result<Outcome>> submitting = deps_.registrar.submit(std::move(operation), std::move(actor));
  const Result<Outcome> outcome = co_await std::move(submitting);
  if (!outcome) {
    explain_lost_race(*work);
    co_return outcome.error();
  }
  work->node = *outcome->node;
  co_return Status{};
}

Enrollment::Task Enrollment::fetch_pems(WorkPtr work) {
  for (const IssuedCertificate& issued : work->issued) work->pems[std::string(to_string(issued.record.usage))] = issued.pem;
  if (work->admission.kind != AdmissionKind::same_certificates) co_return Status{};
  for (const auto& [usage, key] : work->keys) {
    const PackedSerial* serial = work->node.certificates.find(usage);
    if (serial == nullptr) co_return make_error(Errc::internal, "a certificate of node " + work->node.name + " is not recorded");
    StateStore* store = &deps_.store;
    const std::string wanted = serial->hex();
    std::function<Result<std::string>()> job = [store, wanted] { return store->certificate_pem(wanted); };
    asio::awaitable<Result<std::string>> reading = offload<std::string>(deps_.workers, std::move(job));
    Result<std::string> pem = co_await std::move(reading);
    if (!pem) co_return pem.error();
    work->pems[std::string(to_string(usage))] = std::move(*pem);
  }
  co_return Status{};
}

Enrollment::Task Enrollment::renew_work(WorkPtr work) {
  if (const Status csrs = work->read_csrs(); !csrs) co_return csrs;
  Task peeking = on_state(work, &Enrollment::peek_renewal_there);
  const Status peeked = co_await std::move(peeking);
  if (!peeked) co_return peeked;
  if (work->admission.kind != AdmissionKind::same_certificates) {
    if (const Status signed_all = sign(*work); !signed_all) co_return signed_all;
  }
  Task recording = on_state(work, &Enrollment::record_renewal_there);
  const Status recorded = co_await std::move(recording);
  if (!recorded) co_return recorded;
  Task fetching = fetch_pems(work);
  co_return co_await std::move(fetching);
}

Enrollment::Task Enrollment::peek_renewal_there(WorkPtr work) {
  const State& state = deps_.registrar.state();
  const auto plan =
      plan_renewal(state, work->who.uid, work->who.generation, work->who.serial, work->request.spkis, deps_.clock.wall(), work->own_address);
  if (!plan) {
    Task waiting = deps_.registrar.durable(state.revision());
    const Status durable = co_await std::move(waiting);
    if (!durable) co_return durable;
    co_return plan.error();
  }
  work->admission = *plan;
  const Node* node = state.node_by_uid(work->who.uid);
  if (work->own_address && *work->own_address != node->address) {
    // A copy of a machine that is heard at home does not carry it away.
    const Status single = check_single(state.cluster().nat_sources, *node, deps_.status.find(node->uid), work->peer, deps_.clock.steady());
    if (!single) co_return single.error();
    work->moves_to = work->own_address;
    work->moved_from = node->address;
  }
  take_cluster(*work, node);
  co_return Status{};
}

Enrollment::Task Enrollment::record_renewal_there(WorkPtr work) {
  RecordRenewal operation{work->who.uid, work->who.generation, work->who.serial, work->issued, deps_.clock.wall(), work->moves_to};
  asio::awaitable<Result<Outcome>> submitting = deps_.registrar.submit(std::move(operation), work->actor);
  const Result<Outcome> outcome = co_await std::move(submitting);
  if (!outcome) co_return outcome.error();
  work->node = *outcome->node;
  if (work->moves_to && !outcome->notes.empty()) {
    log::info("a node has moved", {{"node", work->node.name}, {"from", work->moved_from.to_string()}, {"to", work->node.address.to_string()}});
  }
  co_return Status{};
}

void Enrollment::note_end(Work& work, const Status& status) {
  if (status) {
    work.enter(JoinStage::joined);
    log::info("node joined", {{"node", work.node.name},
                              {"uid", work.node.uid},
                              {"address", work.node.address.to_string()},
                              {"pod_cidr", work.node.pod_cidr.to_string()},
                              {"token", work.admission.kind == AdmissionKind::new_node ? work.token_id : ""},
                              {"again", work.admission.kind != AdmissionKind::new_node}});
    return;
  }
  if (work.reason.empty()) work.reason = status.error().message;
  if (status.error().code == Errc::pending) return;
  if (counts_as_failed(status.error().code)) limiter_.failed(work.peer);
  // A flood must not fill the journal: the list of attempts counts it.
  if (work.stage == JoinStage::limits) return;
  log::warning("join refused", {{"node", shown(work.join.node_name)},
                                {"peer", work.peer.to_string()},
                                {"token", work.token_id},
                                {"stage", to_string(work.stage)},
                                {"reason", work.reason}});
}

Enrollment::Task Enrollment::note_there(WorkPtr work) {
  proto::JoinAttempt attempt;
  attempt.time = to_rfc3339(deps_.clock.wall());
  attempt.address = work->peer.to_string();
  attempt.accepted = !work->node.uid.empty();
  attempt.reason = work->reason;
  attempt.stage = to_string(work->stage);
  attempt.cure = work->cure;
  const bool limited = work->stage == JoinStage::limits;
  if (limited) {
    // One entry an address, whatever names it tries: others must not be pushed out of sight.
    attempt.reason = "too many failed joins";
  } else {
    attempt.node_name = shown(work->join.node_name);
    attempt.token_id = work->token_id;
  }
  attempts_.note(std::move(attempt));
  // A host that waits has its record since it was queued.
  const bool waits = work->stage == JoinStage::approval;
  if (!work->node.uid.empty() || waits || deps_.trail == nullptr) co_return Status{};
  if (limited) {
    deps_.trail->count("node.join", work->peer.to_string());
    co_return Status{};
  }
  proto::AuditRecord record;
  record.action = "node.join";
  record.actor = {work->token_id.empty() ? "anonymous" : "token", work->token_id, "", work->peer.to_string()};
  record.node = shown(work->join.node_name);
  record.detail = work->reason;
  Task noting = deps_.trail->refused(std::move(record));
  co_return co_await std::move(noting);
}

Enrollment::Task Enrollment::note_renewal_there(WorkPtr work) {
  if (deps_.trail == nullptr) co_return Status{};
  proto::AuditRecord record;
  record.action = work->own_address ? "node.move" : "certificate.renew";
  record.actor = work->actor;
  record.node = work->actor.name;
  record.generation = work->who.generation;
  record.detail = work->reason;
  Task noting = deps_.trail->refused(std::move(record));
  co_return co_await std::move(noting);
}

asio::awaitable<Status> Enrollment::note_unreadable(Error error, IpAddress peer) {
  auto work = std::make_shared<Work>();
  work->peer = peer;
  const bool heard = limiter_.ask(peer) == JoinLimiter::Decision::go;
  work->enter(heard ? JoinStage::request : JoinStage::limits);
  if (heard) work->cure = "is it a slipway-agent of a version that fits?";
  note_end(*work, Status(std::move(error)));
  Task noting = on_state(work, &Enrollment::note_there);
  co_return co_await std::move(noting);
}

proto::JoinAttemptList Enrollment::attempts(const JoinQuery& query) const { return attempts_.list(query); }

std::optional<PresentedToken> present_token(std::string_view text) {
  const auto parts = split_token(text);
  if (!parts) return std::nullopt;
  return PresentedToken{std::string(parts->id), sha256_hex(parts->secret)};
}

Result<NewToken> new_token(const TokenSpec& spec, WallTime now) {
  const Secret secret(token_secret_text(random_bytes(k_token_secret_bytes)));
  auto record = make_token(spec, random_text(k_token_id_size, k_token_id_alphabet), sha256_hex(secret.reveal()), now);
  if (!record) return record.error();
  std::string text = record->id + "." + std::string(secret.reveal());
  return NewToken{std::move(*record), std::move(text)};
}

}  // namespace slipway
