#include "agent/client/download.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "common/async/clock.hpp"
#include "common/files/write_all.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_download_idle{30'000};

// A file that grows to `size` bytes by appending.
struct Download {
  int fd;
  std::uint64_t at;  // the file's length
  std::uint64_t size;
  std::uint64_t skip = 0;  // so many bytes of the answer are there already

  static Result<Download> into(int fd, std::uint64_t size) {
    struct stat file {};
    if (::fstat(fd, &file) != 0) return from_errno("stat of the download", errno);
    const auto length = static_cast<std::uint64_t>(file.st_size);
    if (length <= size) return Download{fd, length, size};
    // Of an artifact that was replaced.
    if (::ftruncate(fd, 0) != 0) return from_errno("truncate the download", errno);
    return Download{fd, 0, size};
  }
  // A mirror may know no ranges and send the whole: what is there is left out.
  Status begin(const http::Response& head) {
    skip = head.status == 200 ? at : 0;
    if (head.status == 200) return {};
    const std::string* range = head.headers.find("Content-Range");
    if (range != nullptr && range->starts_with("bytes " + std::to_string(at) + "-")) return {};
    return make_error(Errc::corrupt, "another part came than was asked for");
  }
  Status take(std::string_view chunk) {
    const std::uint64_t known = std::min<std::uint64_t>(skip, chunk.size());
    skip -= known;
    chunk.remove_prefix(static_cast<std::size_t>(known));
    if (chunk.size() > size - at) return make_error(Errc::corrupt, "more bytes came than the artifact has");
    const Status written = write_all(fd, chunk, "the download");
    if (written) at += chunk.size();
    return written;
  }
};

}  // namespace

asio::awaitable<Result<http::Response>> download(std::shared_ptr<http::Client> client, http::Request get, std::uint64_t size, int fd,
                                                 std::string host) {
  auto begun = Download::into(fd, size);
  if (!begun) co_return begun.error();
  http::Response complete;
  complete.status = 200;
  if (begun->at == size) co_return complete;
  if (begun->at > 0) get.headers.set("Range", "bytes=" + std::to_string(begun->at) + "-");
  const auto shared = std::make_shared<Download>(*begun);
  std::function<Status(std::string_view)> sink = [shared](std::string_view chunk) { return shared->take(chunk); };
  std::function<Status(const http::Response&)> begin = [shared](const http::Response& head) { return shared->begin(head); };
  asio::awaitable<Result<http::Response>> fetching = client->fetch(std::move(get), std::move(sink), k_download_idle, std::move(begin));
  const Result<http::Response> response = co_await std::move(fetching);
  if (!response) co_return context(response.error(), "download");
  const bool taken = response->status == 200 || response->status == 206;
  if (taken && shared->at != size) {
    co_return make_error(Errc::unavailable, "download: " + host + " ended after " + std::to_string(shared->at) + " of " + std::to_string(size) + " bytes");
  }
  co_return response;
}

}  // namespace slipway
