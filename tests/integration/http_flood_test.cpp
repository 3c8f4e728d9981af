// Strangers take every connection that they may: who is known gets in all the same (security.md T15).
#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <list>
#include <thread>

#include "tests/support/https_fixture.hpp"
#include "tests/support/raw_tls.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr const char* k_node = "127.0.0.2";
constexpr const char* k_other_node = "127.0.0.3";
constexpr const char* k_attacker = "127.0.0.4";
constexpr const char* k_second_attacker = "127.0.0.5";

http::Admission admit_all(const http::Request&) { return {}; }

asio::awaitable<http::Response> answer(http::Request request) {
  http::Response response;
  response.body = request.path;
  co_return response;
}

// Of eight places two are kept. Silent connections last as long as the test.
http::ServerLimits few_places() {
  http::ServerLimits limits;
  limits.handshake = limits.header = limits.idle = 60s;
  limits.connections = 8;
  return limits;
}

void wait_for_connections(HttpsFixture& fixture, std::size_t count) {
  const auto start = std::chrono::steady_clock::now();
  while (fixture.server->connection_count() != count && std::chrono::steady_clock::now() - start < 10s) std::this_thread::yield();
  REQUIRE(fixture.server->connection_count() == count);
}

// Connections that say nothing.
class Flood {
 public:
  explicit Flood(HttpsFixture& fixture) : fixture_(fixture) {}
  ~Flood() {
    for (const int fd : fds_) ::close(fd);
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  void take(const char* from, int count) {
    const std::size_t before = fixture_.server->connection_count();
    for (int i = 0; i < count; ++i) fds_.push_back(raw_connect(fixture_.port, from));
    wait_for_connections(fixture_, before + static_cast<std::size_t>(count));
  }
  bool is_refused(const char* from) {
    fds_.push_back(raw_connect(fixture_.port, from));
    char byte = 0;
    const ssize_t got = ::recv(fds_.back(), &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);  // and not a time-out
  }

 private:
  HttpsFixture& fixture_;
  std::list<int> fds_;
};

bool is_served(RawTlsClient& client) {
  return client.handshake() && client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") &&
         client.read_until("\r\n\r\n").find("HTTP/1.1 200") == 0;
}

bool visits(HttpsFixture& fixture, const char* from) {
  RawTlsClient client(fixture.port, &fixture.pki.client, TlsVersions::tls13, from);
  return is_served(client);
}

}  // namespace

TEST_CASE("a flood of strangers leaves places for a node that was there before", "[http][flood]") {
  HttpsFixture fixture({admit_all, answer}, few_places());
  REQUIRE(visits(fixture, k_node));
  wait_for_connections(fixture, 0);
  Flood flood(fixture);
  flood.take(k_attacker, 3);
  flood.take(k_second_attacker, 3);
  CHECK(flood.is_refused(k_attacker));
  CHECK_FALSE(visits(fixture, k_other_node));  // has a certificate, but nobody can know that before its handshake
  CHECK(visits(fixture, k_node));
}

TEST_CASE("a flood does not lock out nodes that the server was told of", "[http][flood]") {
  HttpsFixture fixture({admit_all, answer}, few_places());
  fixture.server->note_known(IpAddress::parse(k_node).value());
  Flood flood(fixture);
  flood.take(k_attacker, 6);
  CHECK(flood.is_refused(k_second_attacker));
  CHECK(visits(fixture, k_node));
}

TEST_CASE("connections with a certificate leave the places of strangers free", "[http][flood]") {
  HttpsFixture fixture({admit_all, answer}, few_places());
  std::list<RawTlsClient> nodes;
  for (int i = 0; i < 7; ++i) {
    nodes.emplace_back(fixture.port, &fixture.pki.client, TlsVersions::tls13, k_node);
    REQUIRE(is_served(nodes.back()));
  }
  CHECK(visits(fixture, k_other_node));
  // The places that they give back are whole again.
  nodes.clear();
  wait_for_connections(fixture, 0);
  Flood flood(fixture);
  flood.take(k_attacker, 6);
  CHECK(flood.is_refused(k_attacker));
  CHECK(visits(fixture, k_other_node));
}

TEST_CASE("silence from a known address does not use up what is kept for the others", "[http][flood]") {
  http::ServerLimits limits = few_places();
  limits.connections = 40;
  limits.known_connections = 20;
  HttpsFixture fixture({admit_all, answer}, limits);
  for (const char* node : {k_node, k_other_node}) fixture.server->note_known(IpAddress::parse(node).value());
  Flood flood(fixture);
  flood.take(k_node, 20);
  CHECK(flood.is_refused(k_node));  // had its share of the common ones
  flood.take(k_other_node, 8);
  CHECK(flood.is_refused(k_other_node));
  CHECK(fixture.server->connection_count() == 28);
}

TEST_CASE("an address that a fleet shares has no limit of one address", "[http][flood]") {
  http::ServerLimits limits = few_places();
  limits.connections = 40;
  limits.known_connections = 16;
  limits.connections_per_address = 3;
  HttpsFixture fixture({admit_all, answer}, limits);
  std::list<RawTlsClient> nodes;
  const auto comes = [&](const char* from) {
    nodes.emplace_back(fixture.port, &fixture.pki.client, TlsVersions::tls13, from);
    return is_served(nodes.back());
  };
  for (int i = 0; i < 3; ++i) REQUIRE(comes(k_node));
  CHECK_FALSE(comes(k_node));
  fixture.server->set_fleets({*Cidr::parse("127.0.0.2/32")});
  for (int i = 3; i < 24; ++i) REQUIRE(comes(k_node));
  // Not more than all strangers together may have: a neighbour with a certificate does not take what is kept for others.
  CHECK_FALSE(comes(k_node));
  CHECK(comes(k_other_node));
  fixture.server->set_fleets({});
  CHECK_FALSE(comes(k_node));
}

TEST_CASE("a fleet that is known comes back together in spite of a flood", "[http][flood]") {
  http::ServerLimits limits = few_places();
  limits.connections = 400;
  limits.known_connections = 160;
  HttpsFixture fixture({admit_all, answer}, limits);
  fixture.server->set_fleets({*Cidr::parse("127.0.0.2/32")});
  for (const char* node : {k_node, k_other_node}) fixture.server->note_known(IpAddress::parse(node).value());
  Flood flood(fixture);
  flood.take(k_attacker, 240);
  flood.take(k_node, 20);  // at the same time, before any has shown its certificate
  CHECK(flood.is_refused(k_node));
  flood.take(k_other_node, 8);
  CHECK(flood.is_refused(k_other_node));
}
