#include "common/http/message.hpp"

#include <catch2/catch.hpp>

#include "common/http/client.hpp"
#include "common/http/target.hpp"
#include "common/http/wire.hpp"

using namespace slipway;
using namespace slipway::http;

TEST_CASE("request targets are decoded") {
  const Result<Target> target = parse_target("/v1/nodes/a%20b?limit=5&continue=x%2Fy");
  REQUIRE(target);
  CHECK(target->path == "/v1/nodes/a b");
  CHECK(target->query == "limit=5&continue=x%2Fy");
  CHECK(parse_target("/").value().path == "/");
}

TEST_CASE("targets that can be read in two ways are refused") {
  for (const char* bad : {"",           "v1",     "*",      "https://host/v1", "//",
                          "/v1//nodes", "/v1/",   "/v1/..", "/v1/%2e%2e/x",    "/./x",
                          "/a%2Fb",     "/a%2fb", "/a%00",  "/a%0a",           "/a%",
                          "/a%4",       "/a%zz",  "/a#b",   "/a?x=%zz",        "/a?x=%00"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_target(bad));
  }
}

TEST_CASE("query parameters are found and decoded") {
  Request request;
  request.query = "a=1&name=node%2D1+x&a=2&flag";
  CHECK(query_parameter(request, "a") == "1");
  CHECK(query_parameter(request, "name") == "node-1 x");
  CHECK(query_parameter(request, "flag") == "");
  CHECK_FALSE(query_parameter(request, "b"));
}

TEST_CASE("header names compare without case") {
  Headers headers;
  headers.set("Content-Type", "a");
  headers.set("content-type", "b");
  CHECK(headers.all().size() == 1);
  REQUIRE(headers.find("CONTENT-TYPE") != nullptr);
  CHECK(*headers.find("CONTENT-TYPE") == "b");
}

TEST_CASE("server addresses") {
  CHECK(parse_https_url("https://10.0.0.1:7443", 1)->port == 7443);
  CHECK(parse_https_url("https://10.0.0.1/", 7443)->port == 7443);
  CHECK(parse_https_url("https://[fd00::1]:8443", 1)->host == "fd00::1");
  CHECK(parse_https_url("HTTPS://master.example", 7443)->host == "master.example");
  for (const char* bad : {"10.0.0.1:7443", "https://", "https://:7443", "https://a b", "https://host:0",
                          "https://host:65536", "https://host:x", "https://host/path", "https://user@host",
                          "https://[10.0.0.1]", "https://[fd00::1", "https://fd00::1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_https_url(bad, 7443));
  }
  CHECK(parse_https_url("http://10.0.0.1", 1).error().message.find("http is not supported") !=
        std::string::npos);
}

TEST_CASE("a header that would break the lines of a response is left out") {
  Response response;
  response.headers.set("X-Good", "fine");
  response.headers.set("X-Bad", "a\r\nSet-Cookie: b");
  response.headers.set("X Bad", "c");
  const std::string head = response_head(response, 0, true);
  CHECK(head.find("X-Good: fine\r\n") != std::string::npos);
  CHECK(head.find("Cookie") == std::string::npos);
  CHECK(head.find("X Bad") == std::string::npos);
  CHECK(head.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(head.find("Date: ") != std::string::npos);
}

TEST_CASE("requests arrive whole however they are cut") {
  const std::string wire =
      "POST /v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n";
  for (std::size_t step = 1; step < wire.size(); ++step) {
    MessageReader reader(MessageKind::request, 8192);
    std::string buffer;
    std::string body;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      buffer += wire.substr(at, step);
      REQUIRE(reader.feed(buffer));
      if (reader.header_done()) reader.read_body();
      REQUIRE(reader.feed(buffer));
      body += reader.take_body();
    }
    CHECK(reader.done());
    CHECK(reader.method() == Method::post);
    CHECK(body == "hello");
    CHECK(buffer == "GET / HTTP/1.1\r\n");
  }
}

TEST_CASE("chunked bodies are joined and trailers dropped") {
  MessageReader reader(MessageKind::request, 8192);
  std::string buffer =
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nHost: "
      "evil\r\n\r\n";
  REQUIRE(reader.feed(buffer));
  REQUIRE(reader.header_done());
  reader.read_body();
  REQUIRE(reader.feed(buffer));
  CHECK(reader.done());
  CHECK(reader.take_body() == "abcde");
  CHECK(*reader.headers().find("host") == "a");
}

TEST_CASE("headers that lie about the body are refused") {
  for (const char* bad : {"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                          "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                          "POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\n", "nonsense\r\n\r\n"}) {
    CAPTURE(bad);
    MessageReader reader(MessageKind::request, 8192);
    std::string buffer = bad;
    CHECK_FALSE(reader.feed(buffer));
  }
}

TEST_CASE("a header beyond the limit is told apart from a broken one") {
  MessageReader reader(MessageKind::request, 1024);
  std::string buffer = "GET / HTTP/1.1\r\nX: " + std::string(2000, 'a');
  const Status fed = reader.feed(buffer);
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code == Errc::exhausted);
}

// Beast 1.81 asserts on the last chunk of a body that comes octet by octet.
TEST_CASE("a chunked body may come in any pieces") {
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
  for (std::size_t step = 1; step < 8; ++step) {
    CAPTURE(step);
    MessageReader reader(MessageKind::request, 1024);
    std::string buffer;
    for (std::size_t at = 0; at < text.size(); at += step) {
      buffer += text.substr(at, step);
      REQUIRE(reader.feed(buffer));
      if (reader.header_done()) reader.read_body();
      REQUIRE(reader.feed(buffer));
    }
    CHECK(reader.done());
    CHECK(reader.take_body() == "abcd");
    CHECK(buffer.empty());
  }
}
