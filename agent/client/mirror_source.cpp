#include "agent/client/mirror_source.hpp"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "agent/client/download.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/file_digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/http/host_authorities.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_after_failure = std::chrono::minutes(5);
constexpr Millis k_after_wrong_bytes = std::chrono::hours(1);

Status keep_only(const ArtifactRef& artifact, const std::string& path) {
  const Result<std::string> digest = sha256_of_file(path);
  if (!digest) return digest.error();
  if (*digest == artifact.sha256) return {};
  if (const Status removed = remove_file(path); !removed) return removed;
  return make_error(Errc::corrupt, "what came has SHA-256 " + *digest + ", asked for was " + artifact.sha256 + "; it was thrown away");
}

}  // namespace

MirrorSource::MirrorSource(asio::any_io_executor executor, http::BaseUrl url, std::shared_ptr<http::TlsClientContext> tls)
    : executor_(std::move(executor)), url_(std::move(url)), tls_(std::move(tls)) {}

asio::awaitable<Status> MirrorSource::fetch(ArtifactRef artifact, std::string to_path) {
  const UniqueFd fd(::open(to_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) co_return from_errno("open " + to_path, errno);
  auto client = std::make_shared<http::Client>(executor_, url_.endpoint, tls_);
  http::Request get;
  get.method = http::Method::get;
  get.target = url_.path + "/sha256/" + artifact.sha256;
  get.headers.set("Accept", "application/octet-stream");
  asio::awaitable<Result<http::Response>> fetching = download(client, std::move(get), artifact.size, fd.get(), url_.endpoint.host);
  const Result<http::Response> response = co_await std::move(fetching);
  if (!response) co_return response.error();
  if (response->status == 200 || response->status == 206) co_return Status{};
  const std::string status = url_.endpoint.host + " answered " + std::to_string(response->status);
  if (response->status == 404 || response->status == 410) co_return make_error(Errc::not_found, status + ": it has no such content");
  if (response->status >= 300 && response->status < 400) co_return make_error(Errc::denied, status + ": redirects are not followed, name the place itself");
  co_return make_error(response->status >= 500 ? Errc::unavailable : Errc::denied, status);
}

Result<std::string> mirror_authorities(const MirrorWish& wish) {
  if (!wish.ca_pem.empty()) return wish.ca_pem;
  if (!wish.ca_file.empty()) {
    auto pem = http::authorities_of_file(wish.ca_file);
    return pem ? std::move(pem) : Result<std::string>(error_of(pem, "reading the mirrors' CA"));
  }
  auto pem = http::host_authorities();
  if (!pem && pem.error().code == Errc::not_found) return make_error(Errc::not_found, pem.error().message + ", or set artifacts.mirrorCA");
  return pem;
}

MirroredSource::MirroredSource(Deps deps) : deps_(std::move(deps)) {}

asio::awaitable<Status> MirroredSource::check(ArtifactRef artifact, std::string path) {
  std::function<Status()> job = [artifact, path] { return keep_only(artifact, path); };
  asio::awaitable<Status> checking = offload<void>(deps_.workers, std::move(job));
  co_return co_await std::move(checking);
}

asio::awaitable<Status> MirroredSource::try_mirror(std::string url, std::string ca_pem, ArtifactRef artifact, std::string to_path) {
  auto base = http::parse_https_base(url);
  if (!base) co_return base.error();
  auto tls = http::TlsClientContext::make(std::move(ca_pem), nullptr);
  if (!tls) co_return tls.error();
  MirrorSource mirror(deps_.executor, std::move(*base), std::move(*tls));
  asio::awaitable<Status> fetching = mirror.fetch(artifact, to_path);
  const Status fetched = co_await std::move(fetching);
  if (!fetched) co_return fetched;
  asio::awaitable<Status> checking = check(artifact, to_path);
  co_return co_await std::move(checking);
}

asio::awaitable<bool> MirroredSource::fetch_by_mirrors(MirrorWish wish, ArtifactRef artifact, std::string to_path) {
  std::string pem;
  for (const std::string& url : wish.urls) {
    const auto left_alone = left_alone_until_.find(url);
    if (left_alone != left_alone_until_.end() && deps_.clock.steady() < left_alone->second) continue;
    if (pem.empty()) {
      std::function<Result<std::string>()> job = [wish] { return mirror_authorities(wish); };
      asio::awaitable<Result<std::string>> reading = offload<std::string>(deps_.workers, std::move(job));
      Result<std::string> read = co_await std::move(reading);
      if (!read) {
        log::warning("mirrors cannot be asked", {{"error", read.error()}});
        co_return false;
      }
      pem = std::move(*read);
    }
    asio::awaitable<Status> trying = try_mirror(url, pem, artifact, to_path);
    const Status tried = co_await std::move(trying);
    if (tried) co_return true;
    if (tried.error().code == Errc::canceled) co_return false;
    const bool wrong = tried.error().code == Errc::corrupt;
    left_alone_until_[url] = deps_.clock.steady() + (wrong ? k_after_wrong_bytes : k_after_failure);
    log::warning("a mirror is left alone for a while", {{"mirror", url}, {"artifact", artifact.component}, {"error", tried.error()}});
  }
  co_return false;
}

asio::awaitable<Status> MirroredSource::fetch(ArtifactRef artifact, std::string to_path) {
  MirrorWish wish = deps_.wish();
  if (wish.urls.empty()) {
    asio::awaitable<Status> plain = deps_.coordinator.fetch(artifact, to_path);
    co_return co_await std::move(plain);
  }
  asio::awaitable<bool> by_mirrors = fetch_by_mirrors(std::move(wish), artifact, to_path);
  if (const bool there = co_await std::move(by_mirrors); there) co_return Status{};
  asio::awaitable<Status> fetching = deps_.coordinator.fetch(artifact, to_path);
  const Status fetched = co_await std::move(fetching);
  if (!fetched) co_return fetched;
  asio::awaitable<Status> checking = check(artifact, to_path);
  const Status right = co_await std::move(checking);
  if (right || right.error().code != Errc::corrupt) co_return right;
  // The beginning may have been a mirror's, cut off before anybody could tell: once more, all of it from the coordinator.
  asio::awaitable<Status> again = deps_.coordinator.fetch(artifact, to_path);
  co_return co_await std::move(again);
}

}  // namespace slipway
