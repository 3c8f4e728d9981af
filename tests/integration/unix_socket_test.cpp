// HTTP over a Unix socket: modes, who may ask, limits, and the client.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <cstring>

#include "common/async/spawn.hpp"
#include "common/core/unique_fd.hpp"
#include "common/http/body_stream.hpp"
#include "common/http/unix_client.hpp"
#include "common/http/unix_server.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/temp_dir.hpp"

namespace asio = boost::asio;

namespace slipway::test {
namespace {

using namespace std::chrono_literals;

struct Parts final : http::BodyStream {
  explicit Parts(std::vector<std::string> all, bool fails = false) : parts(std::move(all)), breaks(fails) {}
  asio::awaitable<Result<std::string>> next() override {
    if (at < parts.size()) co_return parts[at++];
    if (breaks) co_return make_error(Errc::internal, "it broke");
    co_return std::string();
  }
  std::vector<std::string> parts;
  bool breaks;
  std::size_t at = 0;
};

asio::awaitable<http::Response> answer(http::Request request) {
  http::Response response;
  response.body = request.path + "?" + request.query;
  if (request.path == "/throw") throw std::runtime_error("on purpose");
  if (request.path == "/large") response.body = std::string(3 << 20, 'x');
  if (request.path == "/stream")
    response.stream =
        std::make_shared<Parts>(std::vector<std::string>{"one ", "two ", std::string(200'000, 'y')});
  if (request.path == "/broken")
    response.stream = std::make_shared<Parts>(std::vector<std::string>{"half"}, true);
  co_return response;
}

struct Rig {
  explicit Rig(http::UnixLimits limits = {}, http::UnixHandler handler = {nullptr, answer})
      : server(io.executor(), std::move(handler), limits) {}
  Result<http::Response> get(const std::string& target, std::function<Status(std::string_view)> sink = {}) {
    return io.run(http::get_over_unix(path, target, 5s, std::move(sink)));
  }
  mode_t mode() const {
    struct stat there {};
    REQUIRE(::lstat(path.c_str(), &there) == 0);
    CHECK(S_ISSOCK(there.st_mode));
    return there.st_mode & 0777;
  }
  // Raw bytes, and what comes back until the other end closes.
  std::string say(const std::string& bytes) {
    auto talk = io.run(exchange(path, bytes));
    return talk;
  }
  static asio::awaitable<std::string> exchange(std::string path, std::string bytes);

  IoTest io;
  TempDir dir;
  std::string path = dir / "agent.sock";
  http::UnixServer server;
};

TEST_CASE("the socket has its mode from the start, whatever the umask", "[unix]") {
  const mode_t before = ::umask(GENERATE(mode_t{0}, mode_t{0077}, mode_t{0777}));
  Rig rig;
  const Status listening = rig.server.listen(rig.path);
  ::umask(before);
  if (listening) CHECK((rig.mode() & ~mode_t{0600}) == 0);
  REQUIRE(listening);
  rig.server.stop();
  CHECK(::access(rig.path.c_str(), F_OK) != 0);
}

TEST_CASE("with a group the socket is the group's, too", "[unix]") {
  Rig rig;
  REQUIRE(rig.server.listen(rig.path, ::getgid()));
  CHECK(rig.mode() == 0660);
}

TEST_CASE("a socket that a killed process left is replaced, one that answers is not", "[unix]") {
  Rig rig;
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, rig.path.c_str(), sizeof(address.sun_path) - 1);
    REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  CHECK(rig.get("/a").error().code == Errc::unavailable);
  REQUIRE(rig.server.listen(rig.path));
  CHECK(rig.get("/a")->body == "/a?");
  http::UnixServer second(rig.io.executor(), {nullptr, answer});
  CHECK(second.listen(rig.path).error().code == Errc::conflict);
  second.stop();
  CHECK(rig.get("/b")->body == "/b?");  // the other one's name is left alone
}

TEST_CASE("something else than a socket under the name is left alone", "[unix]") {
  Rig rig;
  put_file(rig.path, "precious");
  CHECK(rig.server.listen(rig.path).error().code == Errc::invalid);
  CHECK(::access(rig.path.c_str(), F_OK) == 0);
  CHECK(rig.server.listen(rig.dir / std::string(200, 'x')).error().code == Errc::invalid);
}

TEST_CASE("questions are answered, in whole and in chunks", "[unix]") {
  Rig rig;
  REQUIRE(rig.server.listen(rig.path));
  CHECK(rig.get("/v1/status?a=b")->body == "/v1/status?a=b");
  CHECK(rig.get("/large")->body.size() == 3 << 20);
  std::string body;
  const auto streamed = rig.get("/stream", [&body](std::string_view part) {
    body += part;
    return Status{};
  });
  REQUIRE(streamed);
  CHECK(body.size() == 200'008);
  CHECK(body.starts_with("one two yyy"));
  CHECK_FALSE(rig.get(
      "/broken", [](std::string_view) { return Status{}; }));  // half a body does not look like a whole one
  CHECK(rig.get("/stream",
                [](std::string_view) { return Status(make_error(Errc::exhausted, "the disk is full")); })
            .error()
            .code == Errc::exhausted);
  CHECK(rig.get("/throw")->status == 500);
  CHECK(rig.get("/still/there")->status == 200);
}

TEST_CASE("nobody there, and nobody who answers", "[unix]") {
  Rig rig;
  CHECK(rig.get("/a").error().code == Errc::not_found);
}

TEST_CASE("the kernel says who asks", "[unix]") {
  uid_t seen = 12345;
  pid_t pid = 0;
  bool groups = false, refuses = false;
  http::UnixHandler handler{
      [&](const http::UnixPeer& peer, const http::Request& request) -> std::optional<http::Response> {
        seen = peer.uid;
        pid = peer.pid;
        groups = std::find(peer.groups.begin(), peer.groups.end(), ::getgid()) != peer.groups.end();
        if (!refuses && request.path == "/a") return std::nullopt;
        http::Response no;
        no.status = 403;
        return no;
      },
      answer};
  Rig rig({}, handler);
  REQUIRE(rig.server.listen(rig.path));
  CHECK(rig.get("/a")->status == 200);
  CHECK(seen == ::getuid());
  CHECK(pid == ::getpid());
  CHECK(groups);
  CHECK(rig.get("/b")->status == 403);
  refuses = true;
  CHECK(rig.get("/a")->status == 403);
}

asio::awaitable<std::string> Rig::exchange(std::string path, std::string bytes) {
  asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
  const asio::local::stream_protocol::endpoint endpoint(path);
  boost::system::error_code ec;
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  co_await asio::async_write(socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
  std::string got;
  std::array<char, 4096> block{};
  while (!ec) {
    const std::size_t more =
        co_await socket.async_read_some(asio::buffer(block), asio::redirect_error(asio::use_awaitable, ec));
    got.append(block.data(), more);
  }
  co_return got;
}

// What the other end of this descriptor, which stays the caller's, still sends.
asio::awaitable<std::size_t> until_closed(int fd) {
  asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
  socket.assign(asio::local::stream_protocol(), ::dup(fd));
  std::array<char, 4096> block{};
  std::size_t all = 0;
  for (boost::system::error_code ec; !ec;)
    all +=
        co_await socket.async_read_some(asio::buffer(block), asio::redirect_error(asio::use_awaitable, ec));
  co_return all;
}

TEST_CASE("what is no question is refused, and the rest goes on", "[unix]") {
  http::UnixLimits limits;
  limits.header = 100ms;
  limits.idle = 100ms;
  limits.header_bytes = 1024;
  Rig rig(limits);
  REQUIRE(rig.server.listen(rig.path));
  CHECK(rig.say("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(rig.say("GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").starts_with("HTTP/1.1 413 "));
  CHECK(rig.say("GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(rig.say("rubbish\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(rig.say("GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(rig.say("GET /a HT").empty());  // its deadline
  CHECK(rig.say("").empty());
  const std::string two = rig.say("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(two.find("/a?") != std::string::npos);
  CHECK(two.find("/b?") == std::string::npos);
  CHECK(two.find("Content-Length: 3", two.find("/a?")) != std::string::npos);
  CHECK(rig.get("/a")->status == 200);
}

TEST_CASE("who does not read and who is one too many hold up nobody", "[unix]") {
  http::UnixLimits limits;
  limits.header = 100ms;
  limits.write_idle = 100ms;
  limits.connections = 2;
  Rig rig(limits);
  REQUIRE(rig.server.listen(rig.path));
  const auto connect = [&rig] {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, rig.path.c_str(), sizeof(address.sun_path) - 1);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return fd;
  };
  const UniqueFd greedy = connect(), idle = connect();
  const std::string ask = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(::write(greedy.get(), ask.data(), ask.size()) == static_cast<ssize_t>(ask.size()));
  for (int i = 0; i < 20 && rig.server.connection_count() < 2; ++i) rig.io.poll();
  CHECK(rig.server.connection_count() == 2);
  CHECK_FALSE(rig.get("/a"));
  CHECK(rig.io.run(until_closed(idle.get())) == 0);  // it asked nothing in time
  CHECK(rig.get("/a"));
  // The greedy one's time comes, too.
  while (rig.server.connection_count() > 0) CHECK(rig.get("/a"));
}

}  // namespace
}  // namespace slipway::test
