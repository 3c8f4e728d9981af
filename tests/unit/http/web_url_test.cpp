#include "common/http/web_url.hpp"

#include <catch2/catch.hpp>

using namespace slipway::http;

namespace {

std::string whole(const slipway::Result<WebUrl>& url) { return url ? url->shown() + url->query : "refused: " + url.error().message; }

}  // namespace

TEST_CASE("web url: scheme, host, port, path and query") {
  const auto plain = parse_web_url("https://dl.example");
  REQUIRE(plain);
  CHECK(plain->is_tls);
  CHECK(plain->endpoint.port == 443);
  CHECK(plain->target() == "/");
  const auto deep = parse_web_url("HTTP://[fd00::1]:8080/a/b%20c?x=1&y=%2F#top");
  REQUIRE(deep);
  CHECK_FALSE(deep->is_tls);
  CHECK(deep->endpoint.host == "fd00::1");
  CHECK(deep->target() == "/a/b%20c?x=1&y=%2F");
  CHECK(deep->shown() == "http://[fd00::1]:8080/a/b%20c");
  CHECK(parse_web_url("http://a")->endpoint.port == 80);
  CHECK(whole(parse_web_url("http://a:80/x")) == "http://a/x");
  CHECK(whole(parse_web_url("https://a:80/x")) == "https://a:80/x");
  CHECK(whole(parse_web_url("https://a?q")) == "https://a/?q");
  CHECK(whole(parse_web_url("https://a/x?")) == "https://a/x");
}

TEST_CASE("web url: what is refused") {
  for (const char* bad : {"", "a", "ftp://a/", "https:/a", "https://", "https:///x", "https://u:p@a/", "https://a/x y", "https://a/\r\nX: y", "https://a/..", "https://a/b/../c",
                          "https://a/./b", "https://a:0/", "https://a:99999/", "https://a b/", "https://a/x?\n", "https://a/\\b"}) {
    INFO(bad);
    CHECK_FALSE(parse_web_url(bad));
  }
  CHECK_FALSE(parse_web_url("https://a/" + std::string(k_max_url, 'x')));
  // Neither passwords nor signatures go into messages.
  CHECK(parse_web_url("https://u:secret@a/").error().message.find("secret") == std::string::npos);
  CHECK(parse_web_url("https://a/b c?sig=secret").error().message.find("secret") == std::string::npos);
}

TEST_CASE("web url: where a location leads") {
  struct Row {
    const char* base;
    const char* reference;
    const char* expected;
  };
  for (const Row& row : {Row{"https://a/x/y", "https://b/z?q", "https://b/z?q"}, Row{"https://a/x/y", "http://b/z", "http://b/z"}, Row{"https://a:8443/x/y", "//b/z", "https://b/z"},
                         Row{"http://a/x", "//b/z", "http://b/z"}, Row{"https://a:8443/x/y?q", "/z", "https://a:8443/z"}, Row{"https://a/x/y?q", "z", "https://a/x/z"},
                         Row{"https://a/x/y", "z/w?k=a:b", "https://a/x/z/w?k=a:b"}, Row{"https://a/x/y?old", "?new", "https://a/x/y?new"}, Row{"https://a/x?q", "", "https://a/x"}}) {
    INFO(row.base << " " << row.reference);
    CHECK(whole(resolve_url(parse_web_url(row.base).value(), row.reference)) == row.expected);
  }
  const WebUrl base = parse_web_url("https://a/x").value();
  for (const char* bad : {"javascript:x", "file:///etc/passwd", "ftp://a/x", "/../etc", "https://a/\r\n", "/a b", "https://u@b/"}) {
    INFO(bad);
    CHECK_FALSE(resolve_url(base, bad));
  }
}

TEST_CASE("web url: below a base") {
  CHECK(url_below(parse_web_url("https://a/release/").value(), "v1/x").shown() == "https://a/release/v1/x");
  CHECK(url_below(parse_web_url("https://a").value(), "v1").shown() == "https://a/v1");
  CHECK(url_below(parse_web_url("https://a//").value(), "v1").shown() == "https://a/v1");
}
