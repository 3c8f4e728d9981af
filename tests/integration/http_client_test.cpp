// The client against our server, and against servers that close, stall or are not there.
#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "common/async/clock.hpp"
#include "common/async/notifier.hpp"
#include "tests/support/https_fixture.hpp"
#include "tests/support/raw_tls.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

http::Admission admit_small(const http::Request&) {
  return {};
}

asio::awaitable<http::Response> tell_port(http::Request request) {
  http::Response response;
  response.body = std::to_string(request.peer.port) + " " + request.body;
  co_return response;
}

asio::awaitable<http::Response> stalls(std::shared_ptr<std::atomic<bool>> stall, http::Request request) {
  Notifier nobody;
  while (*stall) {
    asio::awaitable<bool> tick = nobody.wait(1ms);
    co_await std::move(tick);
  }
  asio::awaitable<http::Response> telling = tell_port(std::move(request));
  co_return co_await std::move(telling);
}

http::Handler port_teller() {
  return {admit_small, tell_port};
}

asio::awaitable<http::Response> fixed(http::Response response) {
  co_return response;
}

Result<http::Response> send(IoTest& io, http::Client& client, http::Method method, std::string body = {},
                            Millis deadline = 10s) {
  return io.run(client.send(request(method, "/", std::move(body)), deadline));
}

// A chain for 127.0.0.1 as RawTlsServer wants it.
struct RawServer {
  explicit RawServer(const TestPki& pki)
      : server(pki.server.certificate_pem + pki.root.certificate_pem, pki.server.key_pem) {}
  RawTlsServer server;
};

std::uint16_t closed_port() {
  const TestPki pki;
  RawServer raw(pki);
  const std::uint16_t port = raw.server.port();
  raw.server.stop();
  return port;
}

}  // namespace

TEST_CASE("one connection serves many requests") {
  HttpsFixture fixture(port_teller());
  http::Client client = fixture.client();
  const Result<http::Response> first = send(fixture.io, client, http::Method::post, "a");
  const Result<http::Response> second = send(fixture.io, client, http::Method::post, "b");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->body.substr(0, first->body.find(' ')) == second->body.substr(0, second->body.find(' ')));
  CHECK(second->body.ends_with(" b"));
  client.close();
  CHECK(send(fixture.io, client, http::Method::get));
}

TEST_CASE("a connection that the server closed meanwhile is replaced") {
  http::ServerLimits limits;
  limits.idle = 50ms;
  HttpsFixture fixture(port_teller(), limits);
  http::Client client = fixture.client();
  const Result<http::Response> first = send(fixture.io, client, http::Method::post, "a");
  REQUIRE(first);
  while (fixture.server->connection_count() > 0) {
    fixture.io.poll();
    std::this_thread::yield();
  }
  // Not even a POST is lost: the end of the connection shows before anything is sent.
  const Result<http::Response> second = send(fixture.io, client, http::Method::post, "b");
  REQUIRE(second);
  CHECK(first->body.substr(0, first->body.find(' ')) != second->body.substr(0, second->body.find(' ')));
}

TEST_CASE("errors name the stage and the cause") {
  const TestPki pki;
  IoTest io;
  SECTION("nobody listens") {
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", closed_port()}, pki.client_tls());
    const Result<http::Response> response = send(io, client, http::Method::get);
    REQUIRE_FALSE(response);
    CHECK(response.error().code == Errc::unavailable);
    CHECK(response.error().message.find("connecting to 127.0.0.1:") == 0);
    CHECK(response.error().message.find("connection refused") != std::string::npos);
  }
  SECTION("the name does not exist") {
    http::Client client(io.executor(), http::Endpoint{"nowhere.invalid", 7443}, pki.client_tls());
    const Result<http::Response> response = send(io, client, http::Method::get);
    REQUIRE_FALSE(response);
    CHECK(response.error().message.find("connecting to nowhere.invalid:7443: resolving the name") == 0);
  }
  SECTION("the server says nothing") {
    RawServer raw(pki);  // reads once, closes without an answer
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", raw.server.port()}, pki.client_tls());
    const Result<http::Response> response = send(io, client, http::Method::post, "x");
    REQUIRE_FALSE(response);
    CHECK(response.error().code == Errc::unavailable);
    CHECK(response.error().message.find("reading from 127.0.0.1:") == 0);
    CHECK(raw.server.connections() == 1);
  }
  SECTION("the answer breaks off") {
    RawServer raw(pki);
    raw.server.answer_with("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", raw.server.port()}, pki.client_tls());
    const Result<http::Response> response = send(io, client, http::Method::get);
    REQUIRE_FALSE(response);
    CHECK(response.error().message.find("in the middle of a message") != std::string::npos);
  }
  SECTION("the answer is not HTTP") {
    RawServer raw(pki);
    raw.server.answer_with("220 mail.example ESMTP\r\n\r\n");
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", raw.server.port()}, pki.client_tls());
    CHECK_FALSE(send(io, client, http::Method::get));
  }
  SECTION("a target that would break the request line") {
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", 1}, pki.client_tls());
    const auto bad = io.run(client.send(request(http::Method::get, "/a\r\nX: b"), 1s));
    CHECK(bad.error().code == Errc::invalid);
  }
}

TEST_CASE("deadlines hold") {
  const TestPki pki;
  IoTest io;
  SECTION("while the handshake stalls") {
    const int listener =
        ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // accepts into its backlog, answers nothing
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    http::Client client(io.executor(), http::Endpoint{"127.0.0.1", ntohs(address.sin_port)},
                        pki.client_tls());
    const Result<http::Response> response = send(io, client, http::Method::get, {}, 100ms);
    ::close(listener);
    REQUIRE_FALSE(response);
    CHECK(response.error().code == Errc::timeout);
    CHECK(response.error().message.find("TLS handshake with 127.0.0.1:") == 0);
  }
  SECTION("while the handler thinks, and the next request is not given its answer") {
    auto stall = std::make_shared<std::atomic<bool>>(true);
    HttpsFixture fixture(
        {admit_small, [stall](http::Request asked) { return stalls(stall, std::move(asked)); }});
    http::Client client = fixture.client();
    const Result<http::Response> late = send(fixture.io, client, http::Method::post, "first", 150ms);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::timeout);
    CHECK(late.error().message.find("reading from 127.0.0.1:") == 0);
    *stall = false;
    const Result<http::Response> next = send(fixture.io, client, http::Method::post, "second");
    REQUIRE(next);
    CHECK(next->body.ends_with(" second"));
  }
}

TEST_CASE("answers beyond the limit are refused") {
  http::Response large;
  large.body = std::string(100'000, 'x');
  HttpsFixture fixture({admit_small, [large](const http::Request&) { return fixed(large); }});
  http::ClientLimits limits;
  limits.body_bytes = 50'000;
  http::Client client(fixture.io.executor(), http::Endpoint{"127.0.0.1", fixture.port},
                      fixture.pki.client_tls(), limits);
  CHECK(send(fixture.io, client, http::Method::get).error().code == Errc::exhausted);
}

TEST_CASE("a sink that fails ends the transfer, a problem does not go into it") {
  http::Response answer;
  answer.body = std::string(500'000, 'x');
  HttpsFixture fixture({admit_small, [&answer](const http::Request&) { return fixed(answer); }});
  http::Client client = fixture.client();
  std::size_t got = 0;
  const auto full = [&got](std::string_view part) {
    got += part.size();
    return Status(make_error(Errc::exhausted, "disk full"));
  };
  const Result<http::Response> failed =
      fixture.io.run(client.fetch(request(http::Method::get, "/"), full, 10s));
  CHECK(failed.error().message == "disk full");
  CHECK(got > 0);
  CHECK(got < 500'000);
  answer.status = 404;
  answer.body = "no such artifact";
  got = 0;
  const Result<http::Response> missing =
      fixture.io.run(client.fetch(request(http::Method::get, "/"), full, 10s));
  REQUIRE(missing);
  CHECK(missing->status == 404);
  CHECK(missing->body == "no such artifact");
  CHECK(got == 0);
}

TEST_CASE("a file is uploaded, or its refusal told") {
  char path[] = "/tmp/slipway-upload-XXXXXX";
  const int fd = ::mkstemp(path);
  ::close(fd);
  std::ofstream(path) << std::string(700'000, 'u');
  http::Admission admission;
  admission.body_limit = 1'000'000;
  std::atomic<std::size_t> received{0};
  HttpsFixture fixture({[&admission](const http::Request&) { return admission; },
                        [&received](const http::Request& request) {
                          received = request.body.size();
                          return fixed(http::Response{});
                        }});
  http::Client client = fixture.client();
  std::uint64_t last = 0;
  const auto progress = [&last](std::uint64_t sent) { last = sent; };
  SECTION("uploaded") {
    const Result<http::Response> response =
        fixture.io.run(client.upload(request(http::Method::post, "/"), path, 10s, progress));
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(received == 700'000);
    CHECK(last == 700'000);
    CHECK(send(fixture.io, client, http::Method::get));
  }
  SECTION("too large") {
    admission.body_limit = 1000;
    const Result<http::Response> response =
        fixture.io.run(client.upload(request(http::Method::post, "/"), path, 10s, progress));
    REQUIRE(response);
    CHECK(response->status == 413);
    CHECK(last == 0);
  }
  SECTION("no such file") {
    CHECK_FALSE(fixture.io.run(client.upload(request(http::Method::post, "/"), "/nowhere", 10s)));
  }
  ::unlink(path);
}
