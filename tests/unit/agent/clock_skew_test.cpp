#include "agent/domain/clock_skew.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "agent/client/http_coordinator.hpp"
#include "agent/service/credentials.hpp"
#include "common/crypto/csr.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway {
namespace {

const WallTime k_noon = *parse_rfc3339("2026-11-22T12:00:00Z");

TEST_CASE("the date of an answer is read, and nothing that only looks like one", "[agent][clock]") {
  CHECK(parse_http_date("Sun, 22 Nov 2026 12:00:00 GMT") == k_noon);
  CHECK(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT") == parse_rfc3339("2024-02-29T23:59:59Z"));
  for (const char* bad : {"", "Sun, 22 Nov 2026 12:00:00", "Sun, 22 Nov 2026 12:00:00 CET", "Sunday, 22-Nov-26 12:00:00 GMT", "Sun Nov 22 12:00:00 2026",
                          "Sun, 31 Feb 2026 12:00:00 GMT", "Sun, 22 Nox 2026 12:00:00 GMT", "Sun, 22 Nov 2026 25:00:00 GMT", "Sun, 2x Nov 2026 12:00:00 GMT"}) {
    INFO(bad);
    CHECK_FALSE(parse_http_date(bad));
  }
}

TEST_CASE("four minutes are borne, ten are named with both times", "[agent][clock]") {
  for (const int minutes : {-5, -4, 0, 4, 5}) CHECK_FALSE(clock_skew(k_noon + std::chrono::minutes(minutes), k_noon));
  const auto behind = clock_skew(k_noon - std::chrono::minutes(10), k_noon);
  REQUIRE(behind);
  for (const char* part : {"this host says 2026-11-22T11:50:00Z", "the coordinator 2026-11-22T12:00:00Z", "10m", "behind", "timedatectl"}) {
    INFO(*behind);
    CHECK(behind->find(part) != std::string::npos);
  }
  const auto ahead = clock_skew(k_noon + std::chrono::hours(8760), k_noon);
  REQUIRE(ahead);
  CHECK(ahead->find("ahead") != std::string::npos);
}

// Through the client: the join is refused here before anything of the answer is used.
TEST_CASE("a join by a clock that is wrong says so", "[agent][clock]") {
  const test::TestCert root = test::make_root("fabric CA");
  const test::TestCert server = test::issue_server(root);
  test::RawTlsServer coordinator(server.certificate_pem + root.certificate_pem, server.key_pem);
  const std::string body =
      R"({"clusterName":"a","clusterId":"b","nodeName":"n","nodeUid":"u","generation":1,"role":"node","address":"10.0.0.1","podCIDR":"10.1.0.0/24","certificates":{},"caBundles":{},"renewAt":0.5})";
  coordinator.answer_with("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: " +
                          std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
  test::IoTest io;
  const auto join_at = [&](WallTime here) {
    const test::ManualClock clock(here);
    HttpCoordinator client(io.executor(), {http::Endpoint{"127.0.0.1", coordinator.port()}}, &clock);
    return io.run(client.join(proto::JoinRequest{}, JoinTrust{"", root.certificate_pem}));
  };
  CHECK(join_at(k_noon - std::chrono::minutes(4)));
  CHECK(join_at(k_noon + std::chrono::minutes(4)));
  for (const int minutes : {-10, 10}) {
    const auto refused = join_at(k_noon + std::chrono::minutes(minutes));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.find("the clocks differ: this host says 2026-11-22T1") != std::string::npos);
    CHECK(refused.error().message.find("the coordinator 2026-11-22T12:00:00Z") != std::string::npos);
  }
}

}  // namespace
}  // namespace slipway
