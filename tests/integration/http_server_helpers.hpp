#pragma once
// Handlers, limits and raw requests for the tests of the HTTP server.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "tests/support/https_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {

inline http::Admission admit_small(const http::Request&) {
  return {};
}

inline boost::asio::awaitable<http::Response> echo(http::Request request) {
  http::Response response;
  response.body = request.body;
  response.headers.set("X-Path", request.path);
  co_return response;
}

inline boost::asio::awaitable<http::Response> fixed(http::Response response) {
  co_return response;
}

inline http::Handler echo_handler() {
  return {admit_small, echo};
}

inline http::ServerLimits short_limits() {
  http::ServerLimits limits;
  limits.handshake = limits.header = limits.body = limits.spool_idle = limits.write_idle = limits.idle =
      std::chrono::milliseconds(100);
  return limits;
}

// One request on a fresh raw connection; all that comes back until the server closes.
inline std::string raw_exchange(HttpsFixture& fixture, const std::string& bytes) {
  RawTlsClient client(fixture.port, &fixture.pki.client);
  REQUIRE(client.handshake());
  client.write(bytes);
  return client.read_all();
}

inline bool is_problem(const std::string& response, int status, const std::string& code) {
  CAPTURE(response);
  const bool has_status = response.find("HTTP/1.1 " + std::to_string(status) + " ") == 0;
  CHECK(has_status);
  const bool has_type = response.find("Content-Type: application/problem+json\r\n") != std::string::npos;
  CHECK(has_type);
  const bool has_code = response.find("\"code\":\"" + code + "\"") != std::string::npos;
  CHECK(has_code);
  return has_status && has_type && has_code;
}

}  // namespace slipway::test
