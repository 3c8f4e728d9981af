// Content by digest, and its names.
#include "common/core/text.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

http::Response content_response(const http::Request& request, const std::string& sha256,
                                const std::string& path, std::uint64_t size) {
  const std::string etag = "\"" + sha256 + "\"";
  const std::string* range_header = request.headers.find("Range");
  const std::string* if_range = request.headers.find("If-Range");
  const bool use_range = range_header != nullptr && (if_range == nullptr || *if_range == etag);
  const ByteRange range = use_range ? parse_range(*range_header, size) : ByteRange{RangeKind::whole, 0, size};
  if (range.kind == RangeKind::unsatisfiable) {
    http::Response refusal =
        problem_response(make_error(Errc::invalid, Cause::byte_range, "the content has " + std::to_string(size) + " bytes, the range lies outside"));
    refusal.headers.set("Content-Range", "bytes */" + std::to_string(size));
    return refusal;
  }
  http::Response response;
  response.status = range.kind == RangeKind::part ? 206 : 200;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("ETag", etag);
  response.headers.set("Accept-Ranges", "bytes");
  if (range.kind == RangeKind::part) {
    response.headers.set("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                              std::to_string(range.offset + range.length - 1) + "/" +
                                              std::to_string(size));
  }
  response.file = http::FileBody{path, range.offset, range.length};
  return response;
}

Status check_word(const std::string& field, const std::string& text, std::size_t max) {
  const bool good =
      !text.empty() && text.size() <= max && text.front() != '.' &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+_-") ==
          std::string::npos;
  if (good) return {};
  return field_error("/" + field, " must be letters, digits and .+_- (it becomes a folder on every host)");
}

Status check_artifact(const proto::Artifact& artifact) {
  const Status component =
      is_dns_label(artifact.component)
          ? Status{}
          : field_error("/component", " must be lower-case letters, digits and hyphens");
  if (!component) return component;
  const Status version = check_word("version", artifact.version, 64);
  if (!version) return version;
  if (!is_sha256_hex(artifact.sha256))
    return field_error("/sha256", " must be 64 lower-case hexadecimal digits");
  if (artifact.format != "file" && artifact.format != "tar")
    return field_error("/format", " must be file or tar");
  return {};
}

Error no_digest() {
  return parameter_error("sha256", " in the path must be 64 lower-case hexadecimal digits, the content's digest");
}

}  // namespace

Handling Handlers::get_artifact_content(RequestContext context) {
  const std::string sha256 = context.parameters["sha256"];
  if (!is_sha256_hex(sha256)) co_return no_digest();
  const BlobStore blobs = deps_.blobs;
  std::function<Result<std::uint64_t>()> job = [blobs, sha256] { return blobs.size_of(sha256); };
  boost::asio::awaitable<Result<std::uint64_t>> asking =
      offload<std::uint64_t>(deps_.workers, std::move(job));
  const auto size = co_await std::move(asking);
  if (!size) co_return size.error();
  co_return content_response(context.request, sha256, blobs.path_of(sha256), *size);
}

Handling Handlers::upload_blob(RequestContext context) {
  const std::string sha256 = context.parameters["sha256"];
  if (!is_sha256_hex(sha256)) co_return no_digest();
  const std::string spooled = context.request.body_file;
  if (spooled.empty()) co_return make_error(Errc::invalid, "the request has no body");
  const BlobStore blobs = deps_.blobs;
  std::function<Status()> job = [blobs, spooled, sha256] { return blobs.take(spooled, sha256); };
  boost::asio::awaitable<Status> taking = offload<void>(deps_.workers, std::move(job));
  const Status taken = co_await std::move(taking);
  if (!taken) co_return taken.error();
  co_return empty_response(201);
}

Handling Handlers::register_artifact(RequestContext context) {
  auto artifact = body_as<proto::Artifact>(context.request);
  if (!artifact) co_return artifact.error();
  const Status good = check_artifact(*artifact);
  if (!good) co_return good.error();
  const BlobStore blobs = deps_.blobs;
  const std::string sha256 = artifact->sha256;
  // Touched first, so that no collection takes it away before it has its name.
  std::function<Result<std::uint64_t>()> job = [blobs, sha256]() -> Result<std::uint64_t> {
    if (const Status touched = blobs.touch(sha256); !touched) return touched.error();
    return blobs.size_of(sha256);
  };
  boost::asio::awaitable<Result<std::uint64_t>> asking =
      offload<std::uint64_t>(deps_.workers, std::move(job));
  const auto size = co_await std::move(asking);
  if (!size) co_return pointing_to("/sha256", error_of(size, "upload the content first"));
  if (*size != artifact->size)
    co_return pointing_to("/size", make_error(Errc::conflict, "/size is " + std::to_string(artifact->size) + ", the content has " +
                                                                  std::to_string(*size) + " bytes"));
  artifact->imported_at = to_rfc3339(deps_.clock.wall());
  boost::asio::awaitable<Result<Outcome>> putting = submit(PutArtifact{*artifact}, actor_of(context));
  const auto put = co_await std::move(putting);
  if (!put) co_return put.error();
  co_return json_response(201, *artifact);
}

Handling Handlers::list_artifacts(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  std::function<Result<proto::ArtifactList>()> job = [this, wish = *page] {
    return Result<proto::ArtifactList>(page_of<proto::ArtifactList>(
        deps_.registrar.state().artifacts(), wish, [](const auto& entry) { return std::optional(entry.second); },
        [](const proto::Artifact& artifact) { return artifact_key(artifact.component, artifact.version); }));
  };
  boost::asio::awaitable<Result<proto::ArtifactList>> reading =
      read_state<proto::ArtifactList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

}  // namespace slipway::api
