// What the server does with clients that are slow, large, wrong or gone.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "common/async/notifier.hpp"
#include "tests/integration/http_server_helpers.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

asio::awaitable<http::Response> throws(http::Request request) {
  if (!request.path.empty()) throw std::runtime_error("a bug");
  co_return http::Response{};
}

}  // namespace

TEST_CASE("a silent client is cut off before the handshake") {
  HttpsFixture fixture(echo_handler(), short_limits());
  RawTlsClient client(fixture.port);
  CHECK(client.read_all().empty());  // ends by itself
}

TEST_CASE("a handshake that never finishes is cut off") {
  HttpsFixture fixture(echo_handler(), short_limits());
  RawTlsClient client(fixture.port);
  client.write(std::string("\x16\x03\x01\x02\x00\x01", 6));  // the start of a ClientHello
  CHECK(client.read_all().empty());
}

TEST_CASE("a header that does not come to an end is answered 408") {
  HttpsFixture fixture(echo_handler(), short_limits());
  is_problem(raw_exchange(fixture, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow:"), 408, "timeout");
}

TEST_CASE("a header that trickles does not get more time") {
  http::ServerLimits limits;
  limits.header = 300ms;
  HttpsFixture fixture(echo_handler(), limits);
  RawTlsClient client(fixture.port);
  REQUIRE(client.handshake());
  const auto start = std::chrono::steady_clock::now();
  // Every byte comes at once after the one before was sent: progress all the time, an end never.
  client.write("GET / HTTP/1.1\r\nHost: a\r\nX:");
  while (std::chrono::steady_clock::now() - start < 5s && client.write("\t")) {
    std::this_thread::yield();
    if (fixture.server->connection_count() == 0) break;
  }
  CHECK(std::chrono::steady_clock::now() - start < 5s);
}

TEST_CASE("a body that does not come to an end is answered 408") {
  HttpsFixture fixture(echo_handler(), short_limits());
  is_problem(raw_exchange(fixture, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"), 408,
             "timeout");
}

TEST_CASE("a header of 10 KB is answered 431") {
  HttpsFixture fixture(echo_handler());
  is_problem(
      raw_exchange(fixture, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(10'000, 'a') + "\r\n\r\n"), 431,
      "headerTooLarge");
}

TEST_CASE("faulty requests are answered, then the connection ends") {
  HttpsFixture fixture(echo_handler());
  is_problem(raw_exchange(fixture, "nonsense\r\n\r\n"), 400, "invalid");
  is_problem(raw_exchange(fixture, "GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "invalid");
  is_problem(raw_exchange(fixture, "GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "invalid");
  is_problem(raw_exchange(fixture, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "invalid");
  is_problem(raw_exchange(fixture, "GET / HTTP/1.1\r\n\r\n"), 400, "invalid");
  is_problem(
      raw_exchange(
          fixture,
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
      400, "invalid");
  is_problem(raw_exchange(fixture, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 501, "notImplemented");
  is_problem(raw_exchange(fixture, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501,
             "notImplemented");
  is_problem(raw_exchange(fixture, "POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"), 417,
             "expectationFailed");
}

TEST_CASE("bodies over the limit are answered 413") {
  HttpsFixture fixture(echo_handler());
  is_problem(raw_exchange(fixture, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16385\r\n\r\n"), 413,
             "bodyTooLarge");
  const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  is_problem(raw_exchange(fixture, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                       chunk + "1\r\nx\r\n0\r\n\r\n"),
             413, "bodyTooLarge");
  const std::string fits = raw_exchange(
      fixture, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   chunk + "0\r\n\r\n");
  CHECK(fits.find("HTTP/1.1 200 OK") == 0);
  CHECK(fits.find("Content-Length: 16384\r\n") != std::string::npos);
}

TEST_CASE("an exception in a handler is answered 500 and the server lives on") {
  HttpsFixture fixture({admit_small, throws});
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const std::string response = raw_exchange(fixture, get);
  is_problem(response, 500, "internal");
  CHECK(response.find("a bug") == std::string::npos);
  is_problem(raw_exchange(fixture, get), 500, "internal");
}

TEST_CASE("requests on one connection are answered in order") {
  HttpsFixture fixture(echo_handler());
  const std::string both = raw_exchange(fixture,
                                        "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
                                        "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                                        "HEAD /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::size_t one = both.find("X-Path: /one");
  const std::size_t two = both.find("X-Path: /two");
  const std::size_t three = both.find("X-Path: /three");
  REQUIRE(three != std::string::npos);
  CHECK(one < two);
  CHECK(two < three);
  CHECK(both.find("\r\n\r\nhiHTTP/1.1 200") != std::string::npos);
  CHECK(both.substr(both.size() - 4) == "\r\n\r\n");
}

TEST_CASE("a client that does not read is cut off") {
  http::Response response;
  response.shared_body = std::make_shared<const std::string>(50'000'000, 'x');
  HttpsFixture fixture({admit_small, [&response](const http::Request&) { return fixed(response); }},
                       short_limits());
  RawTlsClient client(fixture.port, &fixture.pki.client);
  client.set_receive_buffer(4096);
  REQUIRE(client.handshake());
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(client.read_until("\r\n\r\n").find("HTTP/1.1 200") == 0);
  const auto start = std::chrono::steady_clock::now();
  while (fixture.server->connection_count() > 0 && std::chrono::steady_clock::now() - start < 10s)
    std::this_thread::yield();
  CHECK(fixture.server->connection_count() == 0);
}

TEST_CASE("numbers of connections are limited") {
  http::ServerLimits limits;
  SECTION("in all") {
    limits.connections = 1;
    HttpsFixture fixture(echo_handler(), limits);
    RawTlsClient first(fixture.port, &fixture.pki.client);
    REQUIRE(first.handshake());
    RawTlsClient second(fixture.port, &fixture.pki.client);
    CHECK_FALSE(second.handshake());
  }
  SECTION("for one address") {
    limits.connections_per_address = 1;
    HttpsFixture fixture(echo_handler(), limits);
    RawTlsClient first(fixture.port, &fixture.pki.client);
    REQUIRE(first.handshake());
    RawTlsClient second(fixture.port, &fixture.pki.client);
    CHECK_FALSE(second.handshake());
  }
  SECTION("without a certificate, and those with one still get in") {
    limits.anonymous_connections = 1;
    HttpsFixture fixture(echo_handler(), limits);
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    RawTlsClient first(fixture.port);
    REQUIRE(first.handshake());
    first.write(get);
    CHECK(first.read_until("\r\n\r\n").find("HTTP/1.1 200") == 0);
    RawTlsClient second(fixture.port);
    CHECK(second.handshake());
    CHECK(second.read_all().empty());
    RawTlsClient known(fixture.port, &fixture.pki.client);
    REQUIRE(known.handshake());
    known.write(get);
    CHECK(known.read_until("\r\n\r\n").find("HTTP/1.1 200") == 0);
  }
}

TEST_CASE("cutting ends the connections of one certificate only") {
  HttpsFixture fixture(echo_handler(), {}, 2);
  const TestCert other = issue_client(fixture.pki.root, "node-2");
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  RawTlsClient doomed(fixture.port, &fixture.pki.client);
  RawTlsClient spared(fixture.port, &other);
  for (RawTlsClient* client : {&doomed, &spared}) {
    REQUIRE(client->handshake());
    client->write(get);
    REQUIRE(client->read_until("\r\n\r\n").find("HTTP/1.1 200") == 0);
  }
  const std::string der = der_of(fixture.pki.client.certificate_pem);
  fixture.server->cut([der](const http::Peer& peer) { return peer.certificate_der() == der; });
  CHECK(doomed.read_all().empty());
  spared.write(get);
  CHECK(spared.read_until("\r\n\r\n").find("HTTP/1.1 200") == 0);
}

namespace {

// Waits for a word from the test, on the I/O thread.
struct Gate {
  std::atomic<int> waiting{0};
  std::atomic<bool> open{false};
};

asio::awaitable<http::Response> wait_at(std::shared_ptr<Gate> gate) {
  Notifier nobody;
  ++gate->waiting;
  while (!gate->open) {
    asio::awaitable<bool> tick = nobody.wait(1ms);
    co_await std::move(tick);
  }
  co_return http::Response{};
}

asio::awaitable<Status> drain(http::Server& server, Millis limit) {
  asio::awaitable<void> draining = server.drain(limit);
  co_await std::move(draining);
  co_return Status{};
}

}  // namespace

TEST_CASE("draining lets requests finish, ends idle connections and takes no new ones") {
  auto gate = std::make_shared<Gate>();
  HttpsFixture fixture({admit_small, [gate](const http::Request&) { return wait_at(gate); }});
  RawTlsClient idle(fixture.port, &fixture.pki.client);
  REQUIRE(idle.handshake());
  RawTlsClient busy(fixture.port, &fixture.pki.client);
  REQUIRE(busy.handshake());
  busy.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (gate->waiting == 0) std::this_thread::yield();

  auto draining = fixture.io.start(drain(*fixture.server, 20s));
  fixture.io.poll();
  CHECK(idle.read_all().empty());
  CHECK_FALSE(draining->done);
  gate->open = true;
  const std::string response = busy.read_all();
  CHECK(response.find("HTTP/1.1 200") == 0);
  CHECK(response.find("Connection: close\r\n") != std::string::npos);
  while (!draining->done) fixture.io.poll();
  CHECK(fixture.server->connection_count() == 0);
  CHECK_THROWS(RawTlsClient(fixture.port));
}

TEST_CASE("draining cuts what does not finish in time") {
  auto gate = std::make_shared<Gate>();
  HttpsFixture fixture({admit_small, [gate](const http::Request&) { return wait_at(gate); }});
  RawTlsClient busy(fixture.port, &fixture.pki.client);
  REQUIRE(busy.handshake());
  busy.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (gate->waiting == 0) std::this_thread::yield();
  CHECK(fixture.io.run(drain(*fixture.server, 50ms)));
  CHECK(busy.read_all().empty());
  gate->open = true;
}

TEST_CASE("listen addresses") {
  HttpsFixture fixture(echo_handler());
  for (const char* bad : {"", "7443", "0.0.0.0", "0.0.0.0:70000", "master:7443", "[::1:7443"}) {
    CAPTURE(bad);
    CHECK_FALSE(fixture.server->listen(bad));
  }
  const Result<std::uint16_t> taken = fixture.server->listen("127.0.0.1:" + std::to_string(fixture.port));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find("address already in use") != std::string::npos);
}
