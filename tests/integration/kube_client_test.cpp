// The kube-apiserver adapter against servers that answer what no kube-apiserver would: every call ends with
// an error.
#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "common/async/runtime.hpp"
#include "tests/support/https_fixture.hpp"
#include "tests/support/kube_client_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

KubeClientParts& parts() {
  static KubeClientParts all;
  return all;
}

http::Response reply(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// Answers every request with what `answer` says.
class StrangeServer {
 public:
  explicit StrangeServer(std::function<http::Response(const http::Request&)> answer)
      : answer_(std::move(answer)) {
    http::Handler handler;
    handler.admit = [](const http::Request&) { return http::Admission{}; };
    handler.handle = [this](http::Request request) { return handle(std::move(request)); };
    const TestCert serving = issue_server(ca_for_tests(parts().authority, CaKind::apiserver));
    auto tls = must(http::TlsServerContext::make(serving.certificate_pem, Secret(serving.key_pem),
                                                 parts().signer.ca_pem(CaKind::kube_client)));
    server_ = std::make_unique<http::Server>(std::vector<boost::asio::any_io_executor>{thread_.executor()},
                                             std::move(tls), http::ServerLimits{}, std::move(handler));
    port_ = must(server_->listen("127.0.0.1:0"));
    thread_.start();
  }
  ~StrangeServer() {
    server_.reset();
    thread_.stop();
    thread_.join();
  }
  StrangeServer(const StrangeServer&) = delete;
  StrangeServer& operator=(const StrangeServer&) = delete;

  std::uint16_t port() const { return port_; }
  int requests = 0;  // read it when the client has its answer

 private:
  boost::asio::awaitable<http::Response> handle(http::Request request) {
    ++requests;
    co_return answer_(request);
  }
  std::function<http::Response(const http::Request&)> answer_;
  EventThread thread_{"io"};
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
};

struct Codes {
  Errc list = Errc::internal;
  Errc get = Errc::internal;
};

// Also that the messages are fit for a log.
template <class T>
Errc code_of(const Result<T>& result) {
  INFO(result);
  REQUIRE_FALSE(result);
  CHECK(result.error().message.size() < 600);
  for (const char c : result.error().message) CHECK((c >= ' ' && c <= '~'));
  return result.error().code;
}

Codes codes_with(std::uint16_t port) {
  IoTest io;
  const auto client = parts().client(io, port);
  return {code_of(io.run(client->list_nodes())), code_of(io.run(client->get_node("a")))};
}

Codes codes_for(int status, const std::string& body) {
  StrangeServer server([&](const http::Request&) { return reply(status, body); });
  return codes_with(server.port());
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST_CASE("kube client: answers that are no objects are corrupt", "[kube]") {
  for (const std::string& body :
       {std::string(), std::string("<html>"), std::string("{"), std::string("null"), std::string("[]"),
        std::string("7"), std::string("\"\xff\xfe\""), std::string("\0\0\0", 3),
        std::string(R"({"items":7,"metadata":{"name":7}})"),
        std::string(R"({"items":[7],"metadata":{"name":["a"]}})"),
        std::string(R"({"items":[{}],"metadata":[]})"),
        std::string(R"({"items":[{"metadata":{"name":"a/b"}}],"metadata":{"name":"a/b"}})"),
        std::string(
            R"({"items":[{"metadata":{"name":"a"},"spec":{"podCIDRs":[{}]}}],"metadata":{"name":"b"}})"),
        std::string(R"({"items":[],"metadata":{"continue":"a b","name":""}})")}) {
    INFO(body);
    const Codes codes = codes_for(200, body);
    CHECK(codes.list == Errc::corrupt);
    CHECK(codes.get == Errc::corrupt);
  }
}

TEST_CASE("kube client: deep nesting ends in an error", "[kube]") {
  constexpr std::size_t k_depth = 3'000'000;
  const Codes open = codes_for(200, repeat("[", k_depth));
  CHECK(open.list == Errc::corrupt);
  CHECK(open.get == Errc::corrupt);
  const Codes closed = codes_for(
      200, R"({"items":)" + repeat("[", k_depth) + repeat("]", k_depth) + R"(,"metadata":{"name":"b"}})");
  CHECK(closed.list == Errc::corrupt);
  CHECK(closed.get == Errc::corrupt);
}

TEST_CASE("kube client: an answer larger than any page is not taken in", "[kube]") {
  const Codes codes = codes_for(200, R"({"items":[],"x":")" + std::string(9'000'000, 'x') + "\"}");
  CHECK(codes.list == Errc::exhausted);
  CHECK(codes.get == Errc::exhausted);
}

TEST_CASE("kube client: refusals are short and printable, whatever the server writes", "[kube]") {
  const std::string wild = "a\r\nb\x1b[31m\xff" + std::string(100'000, '\n');
  CHECK(codes_for(403, wild).get == Errc::denied);
  CHECK(codes_for(500, wild).get == Errc::unavailable);
  CHECK(codes_for(429, wild).list == Errc::unavailable);
  CHECK(codes_for(410, "{}").list == Errc::unavailable);
  CHECK(codes_for(404, R"({"message":[]})").get == Errc::not_found);
  CHECK(codes_for(301, R"({"message":"\n\n\u001b"})").get == Errc::internal);
}

TEST_CASE("kube client: a list that does not end is given up", "[kube]") {
  StrangeServer server(
      [](const http::Request&) { return reply(200, R"({"items":[],"metadata":{"continue":"more"}})"); });
  IoTest io;
  const auto client = parts().client(io, server.port());
  CHECK(code_of(io.run(client->list_nodes())) == Errc::exhausted);
  CHECK(server.requests == 1000);
}

TEST_CASE("kube client: bytes that are no HTTP, and ends in the middle", "[kube]") {
  const TestCert serving = issue_server(ca_for_tests(parts().authority, CaKind::apiserver));
  struct Case {
    std::string answer;
    Errc code;
  };
  const Case cases[] = {{"", Errc::unavailable},
                        {"SSH-2.0-x\r\n\r\n", Errc::corrupt},
                        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"items\"", Errc::unavailable},
                        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", Errc::corrupt},
                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Errc::corrupt},
                        {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", Errc::exhausted}};
  for (const Case& one : cases) {
    INFO(one.answer.substr(0, 60));
    RawTlsServer server(serving.certificate_pem, serving.key_pem);
    server.answer_with(one.answer);
    const Codes codes = codes_with(server.port());
    CHECK(to_string(codes.list) == to_string(one.code));
    CHECK(to_string(codes.get) == to_string(one.code));
  }
}

TEST_CASE("kube client: no bootstrap certificate while the server cannot use it", "[kube]") {
  for (const int status : {401, 500}) {
    StrangeServer server([&](const http::Request&) { return reply(status, "{}"); });
    IoTest io;
    const auto client = parts().client(io, server.port());
    const int before = parts().recorded;
    for (int i = 0; i < 3; ++i)
      CHECK(code_of(io.run(client->ensure_access())) == (status == 401 ? Errc::denied : Errc::unavailable));
    CHECK(parts().recorded == before + 1);  // its own
  }
}

TEST_CASE("kube client: access that does not come into force is an error, not a wait without end", "[kube]") {
  StrangeServer server([](const http::Request& request) {
    return request.path == "/api/v1/nodes" ? reply(403, R"({"message":"nodes is forbidden"})")
                                           : reply(200, "{}");
  });
  IoTest io;
  const auto client = parts().client(io, server.port());
  CHECK(code_of(io.run(client->ensure_access())) == Errc::denied);
}

}  // namespace
}  // namespace slipway::test
