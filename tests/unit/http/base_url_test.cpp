#include "common/http/base_url.hpp"

#include <catch2/catch.hpp>

using namespace slipway::http;

TEST_CASE("base url: host, port and a plain path") {
  const auto plain = parse_https_base("https://mirror.example");
  REQUIRE(plain);
  CHECK(plain->endpoint.host == "mirror.example");
  CHECK(plain->endpoint.port == 443);
  CHECK(plain->path.empty());
  const auto deep = parse_https_base("https://[fd00::1]:8443/a/b%20c//");
  REQUIRE(deep);
  CHECK(deep->endpoint.host == "fd00::1");
  CHECK(deep->endpoint.port == 8443);
  CHECK(deep->path == "/a/b%20c");
  for (const char* bad : {"", "mirror", "http://mirror.example", "https://", "https://u@mirror.example/", "https://mirror.example/a?b", "https://mirror.example/a/../b",
                          "https://mirror.example/a b", "https://mirror.example/\r\nx", "https:///a", "https://mirror.example:0/a"}) {
    INFO(bad);
    CHECK_FALSE(parse_https_base(bad));
  }
}
