#include "agent/service/artifact_gate.hpp"

#include <utility>

#include "common/crypto/ed25519.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

proto::NamedArtifact named(const ArtifactRef& artifact) {
  return {artifact.component, artifact.version, artifact.format == ArtifactFormat::tar ? "tar" : "file",
          artifact.size, artifact.sha256};
}

}  // namespace

ArtifactGate::ArtifactGate(Deps deps, SignerWish configured)
    : deps_(std::move(deps)), configured_(std::move(configured)) {}

asio::awaitable<Status> ArtifactGate::refresh() {
  if (!trust_) {
    using Stored = std::optional<proto::ArtifactTrust>;
    std::function<Result<Stored>()> read = [store = &deps_.store] { return store->trust(); };
    asio::awaitable<Result<Stored>> reading = offload<Stored>(deps_.workers, std::move(read));
    Result<Stored> stored = co_await std::move(reading);
    if (!stored) co_return stored.error();
    trust_ = stored->value_or(proto::ArtifactTrust{});
  }
  SignerWish cluster;
  std::string offered;
  if (deps_.state.desired) {
    const proto::ArtifactSettings& settings = deps_.state.desired->cluster.artifacts;
    cluster = {settings.signers, settings.threshold};
    offered = deps_.state.desired->artifact_manifest;
  }
  TrustUpdate update = update_trust(*trust_, configured_, cluster, offered, ed25519_verify);
  complaint_ = update.complaint;
  if (!update.changed) co_return Status{};
  std::function<Status()> save = [store = &deps_.store, trust = update.trust] {
    return store->save_trust(trust);
  };
  asio::awaitable<Status> saving = offload<void>(deps_.workers, std::move(save));
  const Status saved = co_await std::move(saving);
  if (!saved) co_return saved;
  log::info("signed artifact manifest",
            {{"number", update.trust.number}, {"signers", update.trust.signers.size()}});
  trust_ = std::move(update.trust);
  co_return Status{};
}

asio::awaitable<Status> ArtifactGate::allow(ArtifactRef artifact) {
  asio::awaitable<Status> refreshing = refresh();
  const Status fresh = co_await std::move(refreshing);
  if (!fresh) co_return fresh;
  if (trust_->signers.empty()) co_return Status{};
  std::function<Result<bool>()> look = [in_use = deps_.in_use, artifact] {
    return Result<bool>(in_use(artifact));
  };
  asio::awaitable<Result<bool>> looking = offload<bool>(deps_.workers, std::move(look));
  const Result<bool> in_use = co_await std::move(looking);
  if (!in_use) co_return in_use.error();
  const Status allowed = check_named(*trust_, named(artifact), *in_use, deps_.clock.wall());
  if (!allowed && !complaint_.empty())
    co_return make_error(allowed.error().code, allowed.error().message + "; " + complaint_);
  if (allowed && !complaint_.empty() && trouble_.worth_logging(complaint_, deps_.clock.steady()))
    log::warning("the artifact manifest on offer is not taken; the one before holds",
                 {{"reason", complaint_}});
  co_return allowed;
}

}  // namespace slipway
