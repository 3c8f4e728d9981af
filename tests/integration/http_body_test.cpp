// Bodies that the server sends in parts or from a file, and those that it takes or refuses.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/http/body_stream.hpp"
#include "tests/integration/http_server_helpers.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    char path[] = "/tmp/slipway-http-XXXXXX";
    if (::mkdtemp(path) != nullptr) path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::size_t file_count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

// Three parts, then the end or an error.
class Parts final : public http::BodyStream {
 public:
  explicit Parts(bool fails) : fails_(fails) {}
  asio::awaitable<Result<std::string>> next() override {
    if (count_ == 3 && fails_) co_return make_error(Errc::unavailable, "no more");
    if (count_ == 3) co_return std::string();
    ++count_;
    co_return std::string(static_cast<std::size_t>(count_) * 9'000, 'x');
  }

 private:
  const bool fails_;
  int count_ = 0;
};

asio::awaitable<http::Response> in_parts(http::Request request) {
  http::Response response;
  response.stream = std::make_shared<Parts>(request.path == "/fails");
  co_return response;
}

}  // namespace

TEST_CASE("a streamed body comes in chunks and leaves the connection usable") {
  HttpsFixture fixture({admit_small, in_parts});
  http::Client client = fixture.client();
  for (int i = 0; i < 2; ++i) {
    const auto response = must(fixture.io.run(client.send(request(http::Method::get, "/"), 5s)));
    CHECK(response.status == 200);
    CHECK(response.body == std::string(6 * 9'000, 'x'));
  }
  const auto head = must(fixture.io.run(client.send(request(http::Method::head, "/"), 5s)));
  CHECK(head.body.empty());
  const std::string raw = raw_exchange(fixture, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(raw.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  CHECK(raw.find("Content-Length") == std::string::npos);
  CHECK(raw.find("\r\n2328\r\n") != std::string::npos);  // 9,000
  CHECK(raw.ends_with("\r\n0\r\n\r\n"));
}

TEST_CASE("a stream that fails does not look like a whole body") {
  HttpsFixture fixture({admit_small, in_parts});
  http::Client client = fixture.client();
  const auto response = fixture.io.run(client.send(request(http::Method::get, "/fails"), 5s));
  CHECK_FALSE(response.has_value());
}

TEST_CASE("a stream is refused to a client that could not see its end") {
  HttpsFixture fixture({admit_small, in_parts});
  is_problem(raw_exchange(fixture, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"), 505, "httpVersion");
}

TEST_CASE("HEAD tells the length of a body that it does not send") {
  http::Response response;
  response.shared_body = std::make_shared<const std::string>(100'000, 'x');
  HttpsFixture fixture({admit_small, [response](const http::Request&) { return fixed(response); }});
  const std::string head = raw_exchange(fixture, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(head.find("Content-Length: 100000\r\n") != std::string::npos);
  CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
  const std::string get = raw_exchange(fixture, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(get.size() > 100'000);
}

TEST_CASE("an upload that waits for permission is refused before its body") {
  http::Handler handler{[](const http::Request&) {
                          http::Admission admission;
                          admission.refuse = http::Response{};
                          admission.refuse->status = 403;
                          return admission;
                        },
                        echo};
  HttpsFixture fixture(handler);
  const std::string response = raw_exchange(
      fixture, "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
  CHECK(response.find("HTTP/1.1 403 ") == 0);
  CHECK(response.find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("an upload is invited and spooled into a private file") {
  const Folder folder;
  std::atomic<int> mode{0};
  std::atomic<std::size_t> size{0};
  http::Handler handler{[&folder](const http::Request&) {
                          http::Admission admission;
                          admission.body_limit = 10'000'000;
                          admission.spool_dir = folder.path();
                          return admission;
                        },
                        [&](const http::Request& request) {
                          struct stat info {};
                          if (::stat(request.body_file.c_str(), &info) == 0) {
                            mode = static_cast<int>(info.st_mode & 0777);
                            size = static_cast<std::size_t>(info.st_size);
                          }
                          ::unlink(request.body_file.c_str());
                          return fixed(http::Response{});
                        }};
  http::ServerLimits limits;
  limits.spool_idle = 200ms;
  HttpsFixture fixture(handler, limits);

  SECTION("whole") {
    RawTlsClient client(fixture.port, &fixture.pki.client);
    REQUIRE(client.handshake());
    client.write(
        "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nExpect: 100-continue\r\nConnection: "
        "close\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    for (int i = 0; i < 30; ++i) client.write(std::string(10'000, 'x'));
    CHECK(client.read_all().find("HTTP/1.1 200 OK") == 0);
    CHECK(mode == 0600);
    CHECK(size == 300'000);
  }
  SECTION("given up by the client") {
    {
      RawTlsClient client(fixture.port, &fixture.pki.client);
      REQUIRE(client.handshake());
      client.write("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(5000, 'x'));
    }
    while (fixture.server->connection_count() > 0) std::this_thread::yield();
    CHECK(size == 0);
  }
  SECTION("stalled") {
    is_problem(raw_exchange(fixture, "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" +
                                         std::string(5000, 'x')),
               408, "timeout");
    CHECK(size == 0);
  }
  CHECK(folder.file_count() == 0);
}

TEST_CASE("a part of a file is the body") {
  const Folder folder;
  const std::string path = folder.path() + "/artifact";
  std::string content(300'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 26);
  std::ofstream(path) << content;
  http::Response response;
  response.status = 206;
  response.file = http::FileBody{path, 100, 200'000};
  HttpsFixture fixture({admit_small, [&response](const http::Request&) { return fixed(response); }});
  SECTION("as asked") {
    http::Client client = fixture.client();
    std::string got;
    const auto sink = [&got](std::string_view part) {
      got += part;
      return Status{};
    };
    const Result<http::Response> answer =
        fixture.io.run(client.fetch(request(http::Method::get, "/"), sink, 10s));
    REQUIRE(answer);
    CHECK(got == content.substr(100, 200'000));
    CHECK(answer->body.empty());
  }
  SECTION("beyond its end") {
    response.file->offset = 200'000;
    is_problem(raw_exchange(fixture, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 500,
               "internal");
  }
}
