#include "agent/service/enroll.hpp"

#include <utility>

#include "common/async/backoff.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_first_retry{1'000};
constexpr Millis k_longest_retry{60'000};
// A refusal stands until an operator acts; the first tries come quicker so that a mended token shows its
// effect.
constexpr Millis k_first_refused{5'000};
constexpr Millis k_longest_refused{300'000};
constexpr Millis k_look_for_token{10'000};
// An operator decides: soon enough to be seen, seldom enough for a thousand who wait.
constexpr Millis k_first_pending{5'000};
constexpr Millis k_longest_pending{60'000};

std::vector<std::string> names_of(const std::vector<UsageProfile>& profiles) {
  std::vector<std::string> names;
  names.reserve(profiles.size());
  for (const UsageProfile& profile : profiles) names.push_back(profile.usage);
  return names;
}

NodeIdentity identity_of(const proto::JoinReply& reply) {
  NodeIdentity identity;
  identity.cluster = reply.cluster_name;
  identity.cluster_id = reply.cluster_id;
  identity.node_name = reply.node_name;
  identity.node_uid = reply.node_uid;
  identity.generation = reply.generation;
  identity.role = reply.role;
  identity.address = reply.address;
  identity.pod_cidr = reply.pod_cidr;
  return identity;
}

// The nth wait of a series, drawn anew each time.
Millis nth_wait(Millis first, Millis longest, std::uint64_t seed, int n) {
  Backoff backoff(first, longest, seed + static_cast<std::uint64_t>(n) * 0x9E3779B97F4A7C15ULL);
  Millis wait = backoff.next();
  for (int i = 0; i < n && i < 20; ++i) wait = backoff.next();
  return wait;
}

// Blocks. That the token stays is no reason not to join.
void forget_token(const EnrollSettings& settings) {
  const Status forgotten = settings.forget_token();
  if (!forgotten) log::warning("the join token was used and could not be deleted: delete it", {{"file", settings.token_file}, {"error", forgotten.error()}});
}

struct PrepareJoin {
  bool by_key = false;
  bool drop_candidate = false;
  KeyChoice choice = KeyChoice::in_use_or_new;
};

struct PreparedJoin {
  PreparedKeys keys;
  std::string fabric_ca;
  std::string address;
  std::string node_name;
};

// Blocks.
Result<PreparedJoin> prepare_join(CredentialStore& credentials, NodeStore& nodes,
                                  const EnrollSettings& settings, const PrepareJoin& how) {
  PreparedJoin done;
  auto identity = nodes.identity();
  if (!identity) return identity.error();
  done.node_name = *identity ? (*identity)->node_name : settings.node_name;
  if (how.by_key) {
    if (auto offered = offer_identity_key(credentials, how.drop_candidate); !offered) return offered.error();
    auto bundle = credentials.ca_bundle("fabric");
    if (!bundle) return bundle.error();
    done.fabric_ca = bundle->value_or("");
  }
  auto keys = prepare_keys(credentials, names_of(usages_of_role(settings.role)), how.choice);
  if (!keys) return keys.error();
  done.keys = std::move(*keys);
  auto address = settings.node_address();
  if (!address)
    return context(address.error(), "finding this node's own address (nodeAddress in agent.yaml sets it)");
  done.address = address->to_string();
  return done;
}

}  // namespace

struct Enroller::Request {
  EnrollmentStep step = EnrollmentStep::wait;
  bool joined_before = false;
  JoinTrust trust;
  proto::JoinRequest body;
  PreparedKeys keys;
  proto::JoinReply reply;
};

Enroller::Enroller(EnrollSettings settings, Deps deps, std::uint64_t seed)
    : settings_(std::move(settings)), deps_(deps), fast_seed_(seed) {}

asio::awaitable<Status> Enroller::attempt() {
  Request request;
  asio::awaitable<Result<EnrollmentStep>> choosing = choose(request);
  const Result<EnrollmentStep> step = co_await std::move(choosing);
  if (!step) co_return step.error();
  last_step_ = *step;
  if (*step != EnrollmentStep::use_identity) {
    asio::awaitable<Status> asking = ask(request);
    const Status asked = co_await std::move(asking);
    secure_wipe(request.body.token.data(), request.body.token.size());
    if (!asked) co_return asked.error();
    asio::awaitable<Status> keeping = keep(request);
    const Status kept = co_await std::move(keeping);
    if (!kept) co_return kept.error();
  }
  asio::awaitable<Status> adopting = adopt();
  co_return co_await std::move(adopting);
}

// Reads the token only when nothing else opens the door.
asio::awaitable<Result<EnrollmentStep>> Enroller::choose(Request& request) {
  waits_for_token_ = false;
  NodeStore* nodes = &deps_.nodes;
  CredentialStore* credentials = &deps_.credentials;
  std::function<Result<EnrollmentFacts>()> read_facts = [nodes, credentials] {
    return read_enrollment_facts(*nodes, *credentials);
  };
  asio::awaitable<Result<EnrollmentFacts>> reading =
      offload<EnrollmentFacts>(deps_.workers, std::move(read_facts));
  const Result<EnrollmentFacts> facts = co_await std::move(reading);
  if (!facts) co_return context(facts.error(), "reading what this host knows of its cluster");
  request.joined_before = facts->identity;
  EnrollmentStep step = first_step(*facts, deps_.clock.wall());
  if (step == EnrollmentStep::use_token) {
    auto read_token = settings_.read_token;
    std::function<Result<PinnedToken>()> job = [read_token]() -> Result<PinnedToken> {
      auto text = read_token();
      if (!text) return text.error();
      return parse_pinned_token(text->reveal());
    };
    asio::awaitable<Result<PinnedToken>> getting = offload<PinnedToken>(deps_.workers, std::move(job));
    const Result<PinnedToken> token = co_await std::move(getting);
    if (token) {
      request.trust.ca_sha256 = token->ca_sha256;
      request.body.token = std::string(token->credential.reveal());
    } else {
      step = step_without_token(*facts);
      if (step == EnrollmentStep::wait) {
        waits_for_token_ = token.error().code == Errc::not_found;
        co_return context(token.error(), "this host has not joined and there is no join token to use");
      }
    }
  }
  request.step = step;
  co_return step;
}

asio::awaitable<Status> Enroller::ask(Request& request) {
  const bool by_key = request.step == EnrollmentStep::prove_key;
  const PrepareJoin how{by_key, candidate_refused_,
                        request.joined_before ? KeyChoice::new_key : KeyChoice::in_use_or_new};
  CredentialStore* credentials = &deps_.credentials;
  NodeStore* nodes = &deps_.nodes;
  const EnrollSettings settings = settings_;
  std::function<Result<PreparedJoin>()> prepare = [credentials, nodes, settings, how] {
    return prepare_join(*credentials, *nodes, settings, how);
  };
  asio::awaitable<Result<PreparedJoin>> preparing = offload<PreparedJoin>(deps_.workers, std::move(prepare));
  Result<PreparedJoin> prepared = co_await std::move(preparing);
  if (!prepared) co_return prepared.error();
  request.keys = prepared->keys;
  request.trust.ca_pem = prepared->fabric_ca;
  request.body.node_name = prepared->node_name;
  request.body.role = settings_.role;
  request.body.address = prepared->address;
  request.body.facts = deps_.state.facts;
  request.body.csrs = prepared->keys.csrs;
  proto::JoinRequest body = request.body;
  JoinTrust trust = request.trust;
  asio::awaitable<Result<proto::JoinReply>> joining =
      deps_.coordinator.join(std::move(body), std::move(trust));
  Result<proto::JoinReply> reply = co_await std::move(joining);
  if (!reply) {
    if (by_key && is_refusal(reply.error())) candidate_refused_ = !candidate_refused_;
    if (reply.error().code == Errc::pending) co_return reply.error();
    co_return context(reply.error(), "join");
  }
  request.reply = std::move(*reply);
  co_return Status{};
}

asio::awaitable<Status> Enroller::keep(Request& request) {
  const proto::JoinReply& reply = request.reply;
  IssuedCertificates issued;
  issued.ca_bundles = reply.ca_bundles;
  for (const auto& [usage, pem] : reply.certificates) {
    if (request.keys.spki.contains(usage)) issued.certificates[usage] = pem;
  }
  const CertificateSubject subject{request.body.node_name, reply.node_uid};
  const WallTime now = deps_.clock.wall();
  const std::vector<UsageProfile> profiles = usages_of_role(settings_.role);
  const PreparedKeys keys = request.keys;
  const NodeIdentity identity = identity_of(reply);
  if (identity.node_name != request.body.node_name || identity.role != settings_.role) {
    co_return make_error(Errc::corrupt, "the coordinator answered for another node (" + identity.node_name +
                                            ", " + identity.role + ")");
  }
  CredentialStore* credentials = &deps_.credentials;
  NodeStore* nodes = &deps_.nodes;
  const bool by_token = request.step == EnrollmentStep::use_token;
  std::function<Status()> store = [credentials, nodes, issued, profiles, keys, subject, now, identity, by_token,
                                   settings = settings_]() -> Status {
    if (auto checked = check_issued(issued, profiles, keys, subject, now); !checked) return checked;
    if (auto taken = take_over(*credentials, issued); !taken) return taken;
    // Before the identity: killed in between, the next life proves its key, and no life leaves the token behind.
    if (by_token) forget_token(settings);
    return nodes->save_identity(
        identity);  // last: until it is there the join is not done, and is asked for again
  };
  asio::awaitable<Status> storing = offload<void>(deps_.workers, std::move(store));
  const Status stored = co_await std::move(storing);
  if (!stored) co_return context(stored.error(), "keeping the membership");
  deps_.state.renew_at = reply.renew_at;
  log::info("joined", {{"cluster", identity.cluster},
                       {"node", identity.node_name},
                       {"podCIDR", identity.pod_cidr},
                       {"by", request.step == EnrollmentStep::prove_key ? "identity key" : "token"}});
  co_return Status{};
}

asio::awaitable<Status> Enroller::adopt() {
  struct Adopted {
    NodeIdentity identity;
    KeyPair pair;
    std::string fabric_ca;
  };
  CredentialStore* credentials = &deps_.credentials;
  NodeStore* nodes = &deps_.nodes;
  std::function<Result<Adopted>()> read = [credentials, nodes]() -> Result<Adopted> {
    auto identity = nodes->identity();
    if (!identity) return identity.error();
    auto pair = credentials->pair("agent");
    if (!pair) return pair.error();
    auto bundle = credentials->ca_bundle("fabric");
    if (!bundle) return bundle.error();
    if (!*identity || !*pair || !*bundle)
      return make_error(Errc::corrupt, "what an earlier join wrote is incomplete");
    return Adopted{std::move(**identity), std::move(**pair), std::move(**bundle)};
  };
  asio::awaitable<Result<Adopted>> reading = offload<Adopted>(deps_.workers, std::move(read));
  Result<Adopted> adopted = co_await std::move(reading);
  if (!adopted) co_return adopted.error();
  const Status used = deps_.coordinator.use_identity(adopted->fabric_ca, adopted->pair);
  if (!used) co_return context(used.error(), "using the agent certificate");
  deps_.state.identity = adopted->identity;
  deps_.state.join_message.clear();
  deps_.state.join_state.clear();
  refusals_ = failures_ = pendings_ = 0;
  candidate_refused_ = false;
  trouble_.clear();
  deps_.state.identity_changed.set();
  deps_.state.reconcile.set();
  deps_.state.report.set();
  co_return Status{};
}

Millis Enroller::wait_after(const Error& error) {
  if (waits_for_token_) return k_look_for_token;
  Millis own{};
  if (error.code == Errc::pending)
    own = nth_wait(k_first_pending, k_longest_pending, fast_seed_, pendings_++);
  else if (is_refusal(error))
    own = nth_wait(k_first_refused, k_longest_refused, fast_seed_, refusals_++);
  else
    own = nth_wait(k_first_retry, k_longest_retry, fast_seed_, failures_++);
  return polite_wait(own, error);
}

// What `slipway-agent status` says of the wait.
void Enroller::show(const Error& error) {
  const bool pending = error.code == Errc::pending;
  const std::string cure =
      pending ? std::string() : join_cure(error, last_step_, settings_.node_name, settings_.token_file);
  deps_.state.join_message = error.message + (cure.empty() || waits_for_token_ ? "" : "; " + cure);
  deps_.state.join_cure = waits_for_token_ ? std::string() : cure;
  const bool refused = is_refusal(error) && !waits_for_token_;
  deps_.state.join_state = pending ? "pending" : refused ? "refused" : "";
  if (error.code == Errc::gone) deps_.state.removed = true;
  deps_.state.report.set();
}

asio::awaitable<Status> Enroller::run() {
  for (;;) {
    asio::awaitable<Status> trying = attempt();
    const Status done = co_await std::move(trying);
    if (done) co_return Status{};
    if (done.error().code == Errc::canceled) co_return done.error();
    show(done.error());
    const Millis wait = wait_after(done.error());
    if (trouble_.worth_logging(deps_.state.join_message, deps_.clock.steady())) {
      const char* what = deps_.state.join_state == "refused" ? "the join was refused" : "not joined yet";
      log::warning(what, {{"error", deps_.state.join_message}, {"nextTrySeconds", (wait.count() + 999) / 1000}});
    }
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(wait);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
  }
}

}  // namespace slipway
