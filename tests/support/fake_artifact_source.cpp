#include "tests/support/fake_artifact_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "common/core/unique_fd.hpp"

namespace slipway::test {

boost::asio::awaitable<Status> FakeArtifactSource::fetch(ArtifactRef artifact, std::string to_path) {
  const UniqueFd fd(::open(to_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0) co_return from_errno("open " + to_path, errno);
  auto have = static_cast<std::size_t>(file.st_size);
  if (have > artifact.size && ::ftruncate(fd.get(), 0) == 0) have = 0;
  if (have == artifact.size) co_return Status{};
  const auto found = bytes.find(artifact.sha256);
  if (found == bytes.end()) co_return make_error(Errc::not_found, "no such artifact");
  offsets.push_back(have);
  const std::string rest = have < found->second.size() ? found->second.substr(have) : std::string();
  const std::string chunk = rest.substr(0, stop_after);
  if (chunk.size() > artifact.size - have)
    co_return make_error(Errc::corrupt, "more bytes came than the artifact has");
  sent += chunk.size();
  if (::write(fd.get(), chunk.data(), chunk.size()) != static_cast<ssize_t>(chunk.size()))
    co_return from_errno("writing the download", errno);
  if (have + chunk.size() == artifact.size) co_return Status{};
  if (stall) {
    boost::asio::awaitable<bool> waiting = nothing_comes_.wait(std::chrono::seconds(60));
    co_await std::move(waiting);
    co_return make_error(Errc::canceled, "download");
  }
  co_return make_error(Errc::unavailable, "connection lost");
}

}  // namespace slipway::test
