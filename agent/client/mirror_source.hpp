#pragma once
// Adapters: a web server that keeps content below PATH/sha256/<digest>, and a coordinator with mirrors before it.
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/artifact_source.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/http/base_url.hpp"
#include "common/http/tls.hpp"

namespace slipway {

// Redirects are refused: where bytes come from is the operator's word, not the mirror's.
class MirrorSource final : public ArtifactSource {
 public:
  MirrorSource(boost::asio::any_io_executor executor, http::BaseUrl url, std::shared_ptr<http::TlsClientContext> tls);
  boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override;

 private:
  boost::asio::any_io_executor executor_;
  http::BaseUrl url_;
  std::shared_ptr<http::TlsClientContext> tls_;
};

struct MirrorWish {
  std::vector<std::string> urls;
  std::string ca_pem;   // of the settings; empty: `ca_file`
  std::string ca_file;  // empty: the host's own list
};
// PEM of the CAs that a wish names. Blocks.
Result<std::string> mirror_authorities(const MirrorWish& wish);

// Mirrors in turn, then the coordinator. The digest decides: bytes of a mirror that are not what was asked for are thrown away at once
// and the mirror is left alone for a while, so that a bad one costs time and no more. State thread.
class MirroredSource final : public ArtifactSource {
 public:
  struct Deps {
    boost::asio::any_io_executor executor;
    ArtifactSource& coordinator;
    Clock& clock;
    Workers& workers;
    std::function<MirrorWish()> wish;  // asked at each fetch: settings change
  };
  explicit MirroredSource(Deps deps);
  boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override;

 private:
  // True: the file is there, whole and right.
  boost::asio::awaitable<bool> fetch_by_mirrors(MirrorWish wish, ArtifactRef artifact, std::string to_path);
  boost::asio::awaitable<Status> try_mirror(std::string url, std::string ca_pem, ArtifactRef artifact, std::string to_path);
  // Errc::corrupt: the file was not `artifact` and is gone.
  boost::asio::awaitable<Status> check(ArtifactRef artifact, std::string path);

  Deps deps_;
  std::map<std::string, SteadyTime> left_alone_until_;  // by URL
};

}  // namespace slipway
