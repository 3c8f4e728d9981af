#include "agent/service/renew.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "agent/domain/ca_watch.hpp"
#include "common/async/backoff.hpp"
#include "common/core/text.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_first_retry{2'000};
constexpr Millis k_longest_retry{60'000};
constexpr Seconds k_old_ca_retry{30};
constexpr char k_serving_usage[] = "kubeletServing";  // the one certificate that says a node's address
constexpr std::int64_t k_spread_for_node = 5;  // ms: a fleet that renews because of a new CA does not come all at once

void add_missing(std::vector<std::string>& usages, const std::vector<std::string>& more) {
  for (const std::string& usage : more) {
    if (std::find(usages.begin(), usages.end(), usage) == usages.end()) usages.push_back(usage);
  }
}

void show(AgentState& state, const std::vector<CertificateLife>& lives, WallTime now) {
  state.certificates.clear();
  state.lives = lives;
  state.certificates_valid = !lives.empty();
  for (const CertificateLife& life : lives) {
    state.certificates.push_back({life.usage, life.serial, to_rfc3339(life.not_after)});
    if (life.not_after <= now) state.certificates_valid = false;
  }
}

}  // namespace

Renewer::Renewer(std::string role, Enroller::Deps deps, Enroller& enroller)
    : role_(std::move(role)), deps_(deps), enroller_(enroller) {}

asio::awaitable<Result<std::vector<CertificateLife>>> Renewer::read_lives() {
  using Lives = std::vector<CertificateLife>;
  CredentialStore* credentials = &deps_.credentials;
  const std::vector<UsageProfile> profiles = usages_of_role(role_);
  std::function<Result<Lives>()> read = [credentials, profiles] {
    return certificate_lives(*credentials, profiles);
  };
  asio::awaitable<Result<Lives>> reading = offload<Lives>(deps_.workers, std::move(read));
  Result<Lives> lives = co_await std::move(reading);
  if (lives) show(deps_.state, *lives, deps_.clock.wall());
  co_return lives;
}

std::vector<std::string> Renewer::from_old_ca(const std::vector<CertificateLife>& lives) const {
  if (!deps_.state.desired) return {};
  return issued_by_others(lives, usages_of_role(role_), deps_.state.desired->cas);
}

asio::awaitable<Result<Seconds>> Renewer::tick() {
  Status moved;
  if (deps_.state.moves_to) {
    asio::awaitable<Status> moving = move();
    moved = co_await std::move(moving);
    if (!moved && moved.error().code == Errc::canceled) co_return moved.error();
  }
  asio::awaitable<Result<Seconds>> renewing = renew_due();
  const Result<Seconds> next = co_await std::move(renewing);
  // Its identity key may have brought the node there.
  const bool there = !deps_.state.moves_to || (deps_.state.identity && deps_.state.identity->address == deps_.state.moves_to->to_string());
  if (deps_.state.moves_to || !moved) deps_.state.address_message = there || moved ? std::string() : moved.error().message;
  if (there || moved || !next) co_return next;
  co_return moved.error();
}

asio::awaitable<Status> Renewer::move() {
  asio::awaitable<Status> asking = renew({k_serving_usage}, deps_.state.moves_to);
  co_return co_await std::move(asking);
}

asio::awaitable<Result<Seconds>> Renewer::renew_due() {
  using Lives = std::vector<CertificateLife>;
  asio::awaitable<Result<Lives>> reading = read_lives();
  Result<Lives> lives = co_await std::move(reading);
  if (!lives) co_return context(lives.error(), "reading the certificates in use");
  const WallTime now = deps_.clock.wall();
  RenewalPlan plan = plan_renewals(*lives, deps_.state.renew_at, now);
  for (const UsageProfile& profile : usages_of_role(role_)) {
    const bool there = std::any_of(lives->begin(), lives->end(),
                                   [&](const CertificateLife& l) { return l.usage == profile.usage; });
    if (!there) plan.due.push_back(profile.usage);  // lost or unreadable
  }
  add_missing(plan.due, from_old_ca(*lives));
  add_missing(plan.due, begun_before(*lives, rotation_mark(deps_.state.desired, deps_.state.identity)));
  if (plan.due.empty()) co_return renewal_sleep(plan.next, now);

  const bool agent_ended = std::any_of(lives->begin(), lives->end(), [&](const CertificateLife& l) {
    return l.usage == "agent" && l.not_after <= now;
  });
  // Over mutual TLS only a living certificate is heard.
  asio::awaitable<Status> working = agent_ended ? enroller_.attempt() : renew(plan.due);
  const Status done = co_await std::move(working);
  if (!done) co_return done.error();
  asio::awaitable<Result<Lives>> again = read_lives();
  lives = co_await std::move(again);
  if (!lives) co_return lives.error();
  log::info("certificates renewed",
            {{"usages", agent_ended ? std::string("all, by the identity key") : join(plan.due, ",")}});
  deps_.state.reconcile.set();
  deps_.state.report.set();
  const RenewalPlan next = plan_renewals(*lives, deps_.state.renew_at, deps_.clock.wall());
  // The coordinator has announced its new CA a moment before it signed by it.
  if (next.due.empty() && !from_old_ca(*lives).empty()) co_return k_old_ca_retry;
  co_return renewal_sleep(next.due.empty() ? next.next : std::optional<WallTime>(deps_.clock.wall()),
                          deps_.clock.wall());
}

asio::awaitable<Status> Renewer::renew(std::vector<std::string> usages, std::optional<IpAddress> moves_to) {
  CredentialStore* credentials = &deps_.credentials;
  std::function<Result<PreparedKeys>()> prepare = [credentials, usages] {
    return prepare_keys(*credentials, usages, KeyChoice::new_key);
  };
  asio::awaitable<Result<PreparedKeys>> preparing = offload<PreparedKeys>(deps_.workers, std::move(prepare));
  const Result<PreparedKeys> keys = co_await std::move(preparing);
  if (!keys) co_return keys.error();
  proto::RenewRequest request;
  request.csrs = keys->csrs;
  std::optional<NodeIdentity> moved = moves_to ? deps_.state.identity : std::nullopt;
  if (moved) {
    moved->address = moves_to->to_string();
    request.address = moved->address;
  }
  asio::awaitable<Result<proto::RenewReply>> asking = deps_.coordinator.renew(std::move(request));
  const Result<proto::RenewReply> reply = co_await std::move(asking);
  if (!reply) co_return context(reply.error(), moved ? "moving this node to " + moved->address : "renewing certificates");
  if (moved && reply->address != moved->address) {
    co_return make_error(Errc::unavailable, "the coordinator knows no moves of nodes: update it, or give this host its address back");
  }

  IssuedCertificates issued;
  issued.ca_bundles = reply->ca_bundles;
  if (deps_.state.desired) issued.announced = wanted_bundles(deps_.state.desired->cas, role_);
  for (const auto& [usage, pem] : reply->certificates) {
    if (keys->spki.contains(usage)) issued.certificates[usage] = pem;
  }
  const std::vector<UsageProfile> profiles = usages_of_role(role_);
  const CertificateSubject subject{deps_.state.identity ? deps_.state.identity->node_name : std::string(),
                                   deps_.state.identity ? deps_.state.identity->node_uid : std::string()};
  const PreparedKeys& prepared = *keys;
  const WallTime now = deps_.clock.wall();
  NodeStore* nodes = &deps_.nodes;
  // The identity last: until it is written the host asks again, and gets the same answer.
  std::function<Status()> store = [credentials, nodes, issued, profiles, prepared, subject, now, moved]() -> Status {
    if (auto checked = check_issued(issued, profiles, prepared, subject, now); !checked) return checked;
    if (auto taken = take_over(*credentials, issued); !taken || !moved) return taken;
    return nodes->save_identity(*moved);
  };
  asio::awaitable<Status> storing = offload<void>(deps_.workers, std::move(store));
  const Status stored = co_await std::move(storing);
  if (!stored) co_return context(stored.error(), "keeping renewed certificates");
  if (moved) has_moved(*moved);
  if (!issued.certificates.contains("agent")) co_return Status{};
  asio::awaitable<Status> adopting = use_stored_identity(deps_.credentials, deps_.coordinator, deps_.workers);
  co_return co_await std::move(adopting);
}

void Renewer::has_moved(const NodeIdentity& moved) {
  AgentState& state = deps_.state;
  log::info("this node has moved", {{"from", state.identity ? state.identity->address : ""}, {"to", moved.address}, {"pod_cidr", moved.pod_cidr}});
  state.identity = moved;
  state.address_message.clear();
  if (state.moves_to && state.moves_to->to_string() == moved.address) state.moves_to.reset();
  state.identity_changed.set();
  state.reconcile.set();
  state.report.set();
}

// Certificates may live for minutes only: the wait must not eat what is left.
Millis Renewer::wait_after_failure() const {
  Backoff backoff(k_first_retry, k_longest_retry,
                  static_cast<std::uint64_t>(deps_.clock.steady().time_since_epoch().count()));
  Millis wait = backoff.next();
  for (int i = 1; i < failures_ && i < 10; ++i) wait = backoff.next();
  return wait;
}

asio::awaitable<Status> Renewer::run() {
  for (;;) {
    asio::awaitable<Result<Seconds>> ticking = tick();
    const Result<Seconds> next = co_await std::move(ticking);
    Millis wait{};
    if (next) {
      failures_ = 0;
      deps_.state.renew_message.clear();
      if (trouble_.clear()) log::info("renewals work again");
      wait = *next;
    } else {
      if (next.error().code == Errc::canceled) co_return next.error();
      ++failures_;
      wait = deps_.state.removed ? std::chrono::minutes(5) : wait_after_failure();
      wait = polite_wait(wait, next.error());
      deps_.state.renew_message = next.error().message;
      if (next.error().code == Errc::gone) deps_.state.removed = true;
      if (trouble_.worth_logging(next.error().message, deps_.clock.steady())) {
        log::warning("certificates could not be renewed",
                     {{"error", next.error()}, {"nextTrySeconds", (wait.count() + 999) / 1000}});
      }
    }
    asio::awaitable<bool> waiting = deps_.state.renew.wait(wait);
    const bool asked = co_await std::move(waiting);
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(asked ? spread() : Millis(0));
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "stopping");
  }
}

Millis Renewer::spread() const {
  const auto nodes = deps_.state.desired ? static_cast<std::int64_t>(deps_.state.desired->nodes.size()) : 0;
  const std::int64_t moment = deps_.clock.steady().time_since_epoch().count() / 1000;
  return Millis(moment % (nodes * k_spread_for_node + 1));
}

}  // namespace slipway
