#include "agent/service/ca_sync.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "agent/service/credentials.hpp"
#include "agent/service/rounds.hpp"
#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/digest.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_period{60'000};
constexpr Millis k_retry{5'000};

// Blocks.
Result<BundleDigests> digests_of(CredentialStore& credentials, const std::vector<std::string>& kinds) {
  BundleDigests digests;
  for (const std::string& kind : kinds) {
    auto bundle = credentials.ca_bundle(kind);
    if (!bundle) return bundle.error();
    if (*bundle) digests[kind] = sha256_hex(**bundle);
  }
  return digests;
}

// A bundle that were no CAs would lock the node out, or let strangers in.
Status check_bundle(const std::string& kind, const std::string& pem, const std::string& digest) {
  if (sha256_hex(pem) != digest) {
    return make_error(Errc::unavailable, "the coordinator's bundle " + kind + " is not the announced one; it is asked again");
  }
  const auto chain = Certificate::chain_from_pem(pem);
  if (!chain) return error_of(chain, "the bundle " + kind);
  const bool all = !chain->empty() && std::all_of(chain->begin(), chain->end(), [](const Certificate& c) { return c.is_ca(); });
  return all ? Status() : make_error(Errc::corrupt, "the bundle " + kind + " holds what is no certificate authority");
}

// Blocks.
Status keep_bundles(CredentialStore& credentials, const proto::CaBundles& reply, const BundleDigests& wanted,
                    const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds) {
    const auto bundle = reply.ca_bundles.find(kind);
    if (bundle == reply.ca_bundles.end()) return make_error(Errc::unavailable, "the coordinator gives no bundle " + kind);
    if (auto good = check_bundle(kind, bundle->second, wanted.find(kind)->second); !good) return good;
    if (auto saved = credentials.save_ca_bundle(kind, bundle->second); !saved) return saved;
  }
  return {};
}

}  // namespace

asio::awaitable<Result<BundleDigests>> CaSync::read_stored(std::vector<std::string> kinds) {
  CredentialStore* credentials = &deps_.credentials;
  std::function<Result<BundleDigests>()> read = [credentials, kinds] { return digests_of(*credentials, kinds); };
  asio::awaitable<Result<BundleDigests>> reading = offload<BundleDigests>(deps_.workers, std::move(read));
  co_return co_await std::move(reading);
}

asio::awaitable<Status> CaSync::tick() {
  if (!deps_.state.desired) co_return Status{};
  const BundleDigests wanted = wanted_bundles(deps_.state.desired->cas, role_);
  std::vector<std::string> kinds;
  for (const auto& [kind, digest] : wanted) kinds.push_back(kind);
  asio::awaitable<Result<BundleDigests>> reading = read_stored(kinds);
  Result<BundleDigests> stored = co_await std::move(reading);
  if (!stored) co_return context(stored.error(), "reading the CA bundles");
  const std::vector<std::string> outdated = outdated_bundles(wanted, *stored);
  if (!outdated.empty()) {
    asio::awaitable<Status> fetching = fetch(wanted, outdated);
    const Status fetched = co_await std::move(fetching);
    if (!fetched) co_return fetched.error();
    for (const std::string& kind : outdated) (*stored)[kind] = wanted.find(kind)->second;
    log::info("CA bundles taken over", {{"kinds", join(outdated, ",")}});
  }
  const auto fabric = stored->find("fabric");
  const auto trusted = deps_.state.ca_stored.find("fabric");
  const bool trust = fabric != stored->end() && (trusted == deps_.state.ca_stored.end() || trusted->second != fabric->second);
  if (trust) {
    asio::awaitable<Status> trusting = trust_fabric();
    const Status done = co_await std::move(trusting);
    if (!done) co_return done.error();
  }
  const bool changed = deps_.state.ca_stored != *stored;
  deps_.state.ca_stored = std::move(*stored);
  if (changed) {
    deps_.state.reconcile.set();
    deps_.state.report.set();
  }
  co_return Status{};
}

asio::awaitable<Status> CaSync::fetch(BundleDigests wanted, std::vector<std::string> kinds) {
  asio::awaitable<Result<proto::CaBundles>> asking = deps_.coordinator.ca_bundles();
  const Result<proto::CaBundles> reply = co_await std::move(asking);
  if (!reply) co_return context(reply.error(), "fetching the CA bundles");
  // A newer desired state may have come meanwhile: what the older one announced would be a step back.
  if (wanted_bundles(deps_.state.desired->cas, role_) != wanted) {
    co_return make_error(Errc::unavailable, "the coordinator has announced other CA bundles meanwhile; they are asked for again");
  }
  CredentialStore* credentials = &deps_.credentials;
  const proto::CaBundles bundles = *reply;
  std::function<Status()> keep = [credentials, bundles, wanted, kinds] { return keep_bundles(*credentials, bundles, wanted, kinds); };
  asio::awaitable<Status> keeping = offload<void>(deps_.workers, std::move(keep));
  co_return co_await std::move(keeping);
}

asio::awaitable<Status> CaSync::trust_fabric() {
  asio::awaitable<Status> using_it = use_stored_identity(deps_.credentials, deps_.coordinator, deps_.workers);
  co_return co_await std::move(using_it);
}

asio::awaitable<Status> CaSync::run() {
  for (;;) {
    deps_.state.ca_news.take();
    asio::awaitable<Status> ticking = tick();
    const Status done = co_await std::move(ticking);
    if (!done && done.error().code == Errc::canceled) co_return done.error();
    if (done) {
      if (trouble_.clear()) log::info("the CA bundles are up to date again");
    } else if (trouble_.worth_logging(done.error().message, deps_.clock.steady())) {
      log::warning("the CA bundles could not be brought up to date", {{"error", done.error()}});
    }
    asio::awaitable<bool> waiting = deps_.state.ca_news.wait(done ? until_round(deps_.clock.steady(), k_period) : k_retry);
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "stopping");
  }
}

}  // namespace slipway
