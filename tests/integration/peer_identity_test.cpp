#include <atomic>
#include <catch2/catch.hpp>

#include "tests/support/https_fixture.hpp"

namespace slipway::test {
namespace {

struct Number final : http::PeerIdentity {
  explicit Number(int given) : value(given) {}
  int value;
};

boost::asio::awaitable<http::Response> number_of(http::Request request) {
  http::Response response;
  response.body = std::to_string(static_cast<const Number&>(*request.peer.identity).value);
  co_return response;
}

http::Admission any(const http::Request& head) {
  http::Admission admission;
  if (head.peer.identity == nullptr) admission.refuse = http::Response{};
  return admission;
}

TEST_CASE("the other end is identified once a connection, and every request knows the result") {
  std::atomic<int> asked{0};
  std::atomic<bool> had_certificate{false};
  http::Handler handler{any, number_of, [&](const http::Peer& peer) {
                          had_certificate = peer.has_certificate();
                          return std::make_shared<const Number>(++asked);
                        }};
  HttpsFixture fixture(handler);
  http::Client first = fixture.client();
  for (int i = 0; i < 3; ++i) {
    CHECK(must(fixture.io.run(first.send(request(http::Method::get, "/a"), std::chrono::seconds(10)))).body == "1");
  }
  CHECK(had_certificate);
  http::Client second = fixture.client();
  CHECK(must(fixture.io.run(second.send(request(http::Method::get, "/a"), std::chrono::seconds(10)))).body == "2");
  CHECK(asked == 2);
}

}  // namespace
}  // namespace slipway::test
