// What is left when content has its names: taking them away, collecting content without one, and the signed
// list.
#include "common/crypto/ed25519.hpp"
#include "coordinator/api/handlers.hpp"
#include "proto/artifact_manifest.hpp"

namespace slipway::api {

namespace {

proto::ManifestView view_of(const proto::SignedManifest& manifest, const std::vector<std::string>& signed_by,
                            const std::string& text) {
  return {manifest.manifest.number, to_rfc3339(manifest.manifest.expires), signed_by,
          manifest.manifest.artifacts.size(), text};
}

// What an agent would refuse is refused here too: whoever signed hears of it at once.
Status check_manifest(const proto::SignedManifest& manifest, const std::vector<std::string>& good,
                      const proto::ArtifactSettings& settings, WallTime now) {
  if (settings.signers.empty())
    return make_error(Errc::conflict,
                      "the cluster has no signers: set artifacts.signers first (slipwayctl cluster apply)");
  if (good.size() < settings.threshold) {
    return field_error("/text",
                       ": " + std::to_string(good.size()) + " of the cluster's signers have signed, " +
                           std::to_string(settings.threshold) + " must (slipwayctl artifact manifest sign)");
  }
  if (manifest.manifest.expires <= now)
    return field_error(
        "/text", ": the manifest ended at " + to_rfc3339(manifest.manifest.expires) + "; sign a new one");
  return {};
}

struct Wanted {
  proto::ArtifactSettings settings;
  std::optional<ArtifactManifestRecord> manifest;
};

}  // namespace

Handling Handlers::delete_artifact(RequestContext context) {
  boost::asio::awaitable<Result<Outcome>> deleting = submit(
      DeleteArtifact{context.parameters["component"], context.parameters["version"]}, actor_of(context));
  const auto deleted = co_await std::move(deleting);
  if (!deleted) co_return deleted.error();
  co_return empty_response(204);
}

Handling Handlers::collect_blobs(RequestContext context) {
  const auto wish = body_as<proto::CollectRequest>(context.request);
  if (!wish) co_return wish.error();
  const auto age = parse_duration(wish->min_age);
  // Uploads of gigabytes are named minutes after they came.
  if (!age || *age < Seconds(600))
    co_return field_error("/minAge", " must be a duration of 10m or more, such as 1h");
  std::function<Result<std::set<std::string>>()> names = [this] {
    std::set<std::string> keep;
    for (const auto& [key, artifact] : deps_.registrar.state().artifacts()) keep.insert(artifact.sha256);
    return Result<std::set<std::string>>(std::move(keep));
  };
  boost::asio::awaitable<Result<std::set<std::string>>> reading =
      read_state<std::set<std::string>>(std::move(names));
  const auto keep = co_await std::move(reading);
  if (!keep) co_return keep.error();
  const BlobStore blobs = deps_.blobs;
  std::function<Result<std::vector<Blob>>()> job = [blobs, keep = *keep, before = deps_.clock.wall() - *age,
                                                    dry = wish->dry_run] {
    return blobs.collect(keep, before, dry);
  };
  boost::asio::awaitable<Result<std::vector<Blob>>> collecting =
      offload<std::vector<Blob>>(deps_.workers, std::move(job));
  const auto collected = co_await std::move(collecting);
  if (!collected) co_return collected.error();
  proto::CollectReply reply;
  reply.dry_run = wish->dry_run;
  for (const Blob& blob : *collected) {
    reply.removed.push_back({blob.sha256, blob.size});
    reply.bytes += blob.size;
  }
  co_return json_response(200, reply);
}

Handling Handlers::get_artifact_manifest(RequestContext) {
  std::function<Result<Wanted>()> job = [this] {
    return Result<Wanted>(Wanted{deps_.registrar.state().cluster().spec.artifacts,
                                 deps_.registrar.state().artifact_manifest()});
  };
  boost::asio::awaitable<Result<Wanted>> reading = read_state<Wanted>(std::move(job));
  const auto wanted = co_await std::move(reading);
  if (!wanted) co_return wanted.error();
  if (!wanted->manifest)
    co_return make_error(Errc::not_found,
                         "there is no artifact manifest (slipwayctl artifact manifest create, sign, put)");
  const auto manifest = proto::parse_signed_manifest(wanted->manifest->text);
  if (!manifest) co_return error_of(manifest, "reading the stored manifest");
  co_return json_response(
      200, view_of(*manifest, proto::good_signers(*manifest, wanted->settings.signers, ed25519_verify),
                   wanted->manifest->text));
}

Handling Handlers::put_artifact_manifest(RequestContext context) {
  const auto upload = body_as<proto::ManifestUpload>(context.request);
  if (!upload) co_return upload.error();
  const auto manifest = proto::parse_signed_manifest(upload->text);
  if (!manifest) co_return at_field("/text", manifest.error());
  std::function<Result<Wanted>()> job = [this] {
    return Result<Wanted>(Wanted{deps_.registrar.state().cluster().spec.artifacts, {}});
  };
  boost::asio::awaitable<Result<Wanted>> reading = read_state<Wanted>(std::move(job));
  const auto wanted = co_await std::move(reading);
  if (!wanted) co_return wanted.error();
  const std::vector<std::string> good =
      proto::good_signers(*manifest, wanted->settings.signers, ed25519_verify);
  const Status fit = check_manifest(*manifest, good, wanted->settings, deps_.clock.wall());
  if (!fit) co_return fit.error();
  boost::asio::awaitable<Result<Outcome>> putting =
      submit(PutManifest{{manifest->manifest.number, upload->text}}, actor_of(context));
  const auto put = co_await std::move(putting);
  if (!put) co_return put.error();
  co_return json_response(200, view_of(*manifest, good, upload->text));
}

}  // namespace slipway::api
