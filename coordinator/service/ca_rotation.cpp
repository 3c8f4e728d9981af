#include "coordinator/service/ca_rotation.hpp"

#include <utility>

#include "common/crypto/digest.hpp"
#include "common/log/log.hpp"
#include "coordinator/domain/ca_gates.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

proto::CaCertificateView certificate_view(const CaFacts& facts) {
  return {facts.number, facts.subject, facts.sha256, to_rfc3339(facts.not_before), to_rfc3339(facts.not_after)};
}

std::string_view word(CaStep step) {
  switch (step) {
    case CaStep::adopt:
      return "adopted";
    case CaStep::prepare:
      return "prepared: bundles with both are on their way";
    case CaStep::activate:
      return "activated: certificates of the other are replaced";
    case CaStep::abort:
      return "taken back";
    case CaStep::retire:
      return "retired";
  }
  return "?";
}

}  // namespace

asio::awaitable<Status> CaRotation::adopt(std::function<CaFacts(CaKind kind)> first) {
  for (const CaKind kind : k_ca_kinds) {
    if (deps_.registrar.state().ca(kind) != nullptr) continue;
    ChangeCa operation;
    operation.kind = kind;
    operation.step = CaStep::adopt;
    operation.facts = first(kind);
    operation.now = deps_.clock.wall();
    const auto bundle = deps_.keys.bundle_pem(kind, {operation.facts.number});
    if (!bundle) co_return bundle.error();
    operation.bundle_sha256 = sha256_hex(*bundle);
    asio::awaitable<Result<Outcome>> adopting = deps_.registrar.submit(std::move(operation));
    const auto adopted = co_await std::move(adopting);
    if (!adopted) co_return adopted.error();
  }
  co_return Status{};
}

asio::awaitable<Status> CaRotation::run(Wish wish, proto::AuditActor actor) {
  if (busy_) co_return make_error(Errc::conflict, Cause::raced, "another step of replacing an authority is under way: try again in a moment");
  busy_ = true;
  asio::awaitable<Status> stepping = step(wish, std::move(actor));
  const Status done = co_await std::move(stepping);
  busy_ = false;
  co_return done;
}

asio::awaitable<Result<CaFacts>> CaRotation::make(Wish wish) {
  const State& state = deps_.registrar.state();
  const CaLine* line = state.ca(wish.kind);
  if (line == nullptr) co_return make_error(Errc::not_found, "the " + std::string(to_string(wish.kind)) + " authority is not known");
  // Asked with what cannot be wrong, so that no key is made in vain.
  CaFacts probe;
  probe.number = line->last_number + 1;
  if (const auto allowed = prepare_ca(*line, probe, {}, deps_.clock.wall()); !allowed) co_return allowed.error();
  CaKeys* keys = &deps_.keys;
  const std::uint64_t after = line->last_number;
  const ProfileCluster cluster = profile_cluster(state.cluster(), state.identity().id);
  const Lifetimes lifetimes = lifetimes_of(state.cluster());
  const WallTime now = deps_.clock.wall();
  std::function<Result<CaFacts>()> job = [keys, wish, after, cluster, lifetimes, now] {
    return wish.from_files ? keys->import(wish.kind, after, cluster, lifetimes, now) : keys->make(wish.kind, after, cluster, now);
  };
  asio::awaitable<Result<CaFacts>> making = offload<CaFacts>(deps_.workers, std::move(job));
  co_return co_await std::move(making);
}

asio::awaitable<Status> CaRotation::destroy(CaKind kind, std::uint64_t number) {
  CaKeys* keys = &deps_.keys;
  std::function<Status()> job = [keys, kind, number] { return keys->destroy_key(kind, number); };
  asio::awaitable<Status> destroying = offload<void>(deps_.workers, std::move(job));
  const Status destroyed = co_await std::move(destroying);
  // What it could not do now the next start does.
  if (!destroyed) log::warning("the key of a retired authority could not be deleted", {{"kind", to_string(kind)}, {"number", number}, {"error", destroyed.error()}});
  co_return destroyed;
}

asio::awaitable<Status> CaRotation::step(Wish wish, proto::AuditActor actor) {
  ChangeCa operation;
  operation.kind = wish.kind;
  operation.step = wish.step;
  operation.force = wish.force;
  operation.now = deps_.clock.wall();
  if (wish.step == CaStep::prepare) {
    asio::awaitable<Result<CaFacts>> making = make(wish);
    auto made = co_await std::move(making);
    if (!made) co_return made.error();
    operation.facts = std::move(*made);
  }
  const CaLine* known = deps_.registrar.state().ca(wish.kind);
  if (known == nullptr) co_return make_error(Errc::not_found, "the " + std::string(to_string(wish.kind)) + " authority is not known");
  const CaLine before = *known;
  const auto bundle = deps_.keys.bundle_pem(wish.kind, bundle_after(before, wish.step, operation.facts.number));
  if (!bundle) co_return bundle.error();
  operation.bundle_sha256 = sha256_hex(*bundle);
  operation.confirmed = confirmed(before);
  operation.reported = reported();
  const std::uint64_t number = operation.facts.number;
  // No co_await since the look at the state: submit() applies at once.
  asio::awaitable<Result<Outcome>> submitting = deps_.registrar.submit(std::move(operation), std::move(actor));
  const auto outcome = co_await std::move(submitting);
  if (!outcome && wish.step == CaStep::prepare) {
    asio::awaitable<Status> dropping = destroy(wish.kind, number);
    static_cast<void>(co_await std::move(dropping));
  }
  if (!outcome) co_return outcome.error();
  asio::awaitable<Status> following = follow(before, wish.step);
  co_return co_await std::move(following);
}

// The step is durable: what this process does by it is the state's.
asio::awaitable<Status> CaRotation::follow(CaLine before, CaStep taken) {
  const CaLine after = *deps_.registrar.state().ca(before.kind);
  if (const Status used = deps_.keys.use(after); !used) co_return used;
  log::info("certificate authority " + std::string(word(taken)),
            {{"kind", to_string(after.kind)}, {"phase", to_string(after.phase)}, {"signing", after.signing.number}});
  if (!after.other && before.other) {
    asio::awaitable<Status> destroying = destroy(before.kind, before.other->number);
    static_cast<void>(co_await std::move(destroying));
  }
  asio::awaitable<Status> telling = deps_.changed(before.kind);
  co_return co_await std::move(telling);
}

std::set<std::string> CaRotation::confirmed(const CaLine& line) const {
  std::set<std::string> uids;
  const std::uint64_t wanted = bundle_mark(line.bundle_sha256);
  for (const auto& [name, node] : deps_.registrar.state().nodes()) {
    const NodeContact* contact = deps_.board.find(node.uid);
    const bool uses_it = contact != nullptr && contact->bundles[static_cast<std::size_t>(line.kind)] == wanted;
    if (uses_it && wanted != 0) uids.insert(node.uid);
  }
  return uids;
}

std::set<std::string> CaRotation::reported() const {
  std::set<std::string> serials;
  for (const auto& [name, node] : deps_.registrar.state().nodes()) {
    const NodeContact* contact = deps_.board.find(node.uid);
    if (contact == nullptr) continue;
    for (const auto& certificate : contact->report.certificates) serials.insert(certificate.serial);
  }
  return serials;
}

proto::CaView CaRotation::view(const CaLine& line) const {
  const State& state = deps_.registrar.state();
  proto::CaView view;
  view.kind = to_string(line.kind);
  view.phase = to_string(line.phase);
  view.signing = certificate_view(line.signing);
  if (line.other) view.other = certificate_view(*line.other);
  view.bundle_sha256 = line.bundle_sha256;
  view.changed_at = to_rfc3339(line.changed_at);
  if (line.phase != CaPhase::stable) {
    view.waiting_for = nodes_waited_for(state, line.kind, confirmed(line));
    view.held_by = holders_of(state, line, reported(), deps_.clock.wall());
  }
  view.next = next_step(line, view.waiting_for.size(), view.held_by.size());
  return view;
}

proto::CaList CaRotation::list() const {
  proto::CaList list;
  for (const auto& [kind, line] : deps_.registrar.state().cas()) list.items.push_back(view(line));
  return list;
}

}  // namespace slipway
