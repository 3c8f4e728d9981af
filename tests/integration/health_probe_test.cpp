// The agent's health probes against servers that are well, ill, silent, foreign or not there.
#include "agent/client/health_probe.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "tests/support/https_fixture.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr Millis k_enough{10'000};

// Listens and answers nothing: connections end in its backlog.
class SilentListener {
 public:
  SilentListener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentListener() { close(); }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  std::uint16_t port() const { return port_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

std::uint16_t closed_port() {
  SilentListener listener;
  return listener.port();
}

// What the server at https answers with, and what it saw.
struct Seen {
  std::atomic<int> status{200};
  std::atomic<int> requests{0};
  std::string target;  // written before `requests`, read after
};

asio::awaitable<http::Response> answer(Seen* seen, http::Request request) {
  seen->target = request.target;
  ++seen->requests;
  http::Response response;
  response.status = seen->status;
  response.body = "ok";
  co_return response;
}

struct HttpsServer {
  Seen seen;
  HttpsFixture fixture{{[](const http::Request&) { return http::Admission{}; },
                        [this](http::Request request) { return answer(&seen, std::move(request)); }}};

  Status probe(const std::shared_ptr<http::TlsClientContext>& tls, const std::string& path = "/healthz") {
    return fixture.io.run(probe_https("127.0.0.1", fixture.port, path, tls, k_enough));
  }
};

// One connection over plain TCP, on the test's own reactor.
asio::awaitable<Status> serve_once(tcp::acceptor* acceptor, std::string reply, std::string* request) {
  boost::system::error_code ec;
  tcp::socket socket(acceptor->get_executor());
  co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return make_error(Errc::internal, ec.message());
  auto buffer = asio::dynamic_buffer(*request);
  co_await asio::async_read_until(socket, buffer, "\r\n\r\n", asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return make_error(Errc::internal, ec.message());
  co_await asio::async_write(socket, asio::buffer(reply), asio::redirect_error(asio::use_awaitable, ec));
  co_return Status{};
}

struct PlainServer {
  IoTest io;
  tcp::acceptor acceptor{io.executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::string request;

  Status probe(const std::string& reply) {
    request.clear();
    const auto serving = io.start(serve_once(&acceptor, reply, &request));
    const std::uint16_t port = acceptor.local_endpoint().port();
    return io.run(probe_once({{"127.0.0.1", port}, "/healthz"}, k_enough));
  }
};

bool says(const Status& status, Errc code, std::string_view text) {
  if (status) return false;
  CAPTURE(status.error().message);
  CHECK(status.error().code == code);
  CHECK(status.error().message.find(text) != std::string::npos);
  return true;
}

}  // namespace

TEST_CASE("a component that answers 200 over https is well, again and again", "[probe]") {
  HttpsServer server;
  for (int i = 0; i < 5; ++i) CHECK(server.probe(server.fixture.pki.client_tls()));
  // A long path lives on the heap: whoever frees it twice is found out.
  const std::string path = "/healthz?" + std::string(200, 'v');
  CHECK(server.probe(server.fixture.pki.client_tls(), path));
  CHECK(server.seen.requests == 6);
  CHECK(server.seen.target == path);
}

TEST_CASE("the probe owns its host, path and context until it ends", "[probe]") {
  HttpsServer server;
  const auto tls = server.fixture.pki.client_tls();
  const long owners = tls.use_count();
  // Longer than a string keeps inside itself; such an address is no name in the certificate.
  const std::string host(60, '1');
  const Status status =
      server.fixture.io.run(probe_https(host, server.fixture.port, "/healthz", tls, k_enough));
  CHECK_FALSE(status);
  CHECK(tls.use_count() == owners);
  CHECK(server.probe(tls));
  CHECK(tls.use_count() == owners);
}

TEST_CASE("any other status over https is ill, and the probe says which", "[probe]") {
  HttpsServer server;
  for (const int status : {500, 503, 401, 204}) {
    server.seen.status = status;
    CHECK(says(server.probe(server.fixture.pki.client_tls()), Errc::unavailable,
               "/healthz answers " + std::to_string(status)));
  }
}

TEST_CASE("a component with a certificate of another CA is not asked", "[probe]") {
  HttpsServer server;
  const TestPki other;
  CHECK(
      says(server.probe(other.client_tls(nullptr)), Errc::unauthenticated, "TLS handshake with 127.0.0.1:"));
  CHECK(server.seen.requests == 0);
}

TEST_CASE("a component that takes no certificate of ours is ill", "[probe]") {
  HttpsServer server;
  const TestPki other;
  const TestCert stranger = issue_client(other.root, "node-1");
  CHECK_FALSE(server.probe(server.fixture.pki.client_tls(&stranger)));
  CHECK(server.seen.requests == 0);
}

TEST_CASE("a component that is not there is ill at once", "[probe]") {
  IoTest io;
  const TestPki pki;
  const std::uint16_t port = closed_port();
  CHECK(says(io.run(probe_https("127.0.0.1", port, "/healthz", pki.client_tls(), k_enough)),
             Errc::unavailable, "connection refused"));
  CHECK(says(io.run(probe_once({{"127.0.0.1", port}, "/healthz"}, k_enough)), Errc::unavailable,
             "connecting to port"));
  CHECK(says(io.run(probe_tcp("127.0.0.1", port, k_enough)), Errc::unavailable, "connecting to port"));
  const TempDir dir;
  CHECK(says(io.run(probe_once({{dir / "absent.sock"}, "/_ping"}, k_enough)), Errc::unavailable, "absent.sock"));
  CHECK(says(io.run(probe_once({{dir / "absent.sock"}, ""}, k_enough)), Errc::unavailable, "absent.sock"));
}

TEST_CASE("a component that listens and says nothing is ill after the limit", "[probe]") {
  IoTest io;
  const TestPki pki;
  const SilentListener silent;
  const auto begin = std::chrono::steady_clock::now();
  CHECK(says(io.run(probe_https("127.0.0.1", silent.port(), "/healthz", pki.client_tls(), 100ms)),
             Errc::timeout, "TLS handshake with 127.0.0.1:"));
  CHECK(says(io.run(probe_once({{"127.0.0.1", silent.port()}, "/healthz"}, 100ms)), Errc::timeout, ""));
  CHECK(std::chrono::steady_clock::now() - begin >= 200ms);
  // That something listens is all that these ask.
  CHECK(io.run(probe_tcp("127.0.0.1", silent.port(), k_enough)));
}

TEST_CASE("a component is asked over plain HTTP", "[probe]") {
  PlainServer server;
  CHECK(server.probe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  CHECK(server.request.starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
  CHECK(server.probe("HTTP/1.0 200 OK\r\n\r\n"));
  CHECK(says(server.probe("HTTP/1.1 500 Internal Server Error\r\n\r\n"), Errc::unavailable,
             "/healthz answers 500"));
  CHECK(says(server.probe("220 mail.example ready\r\n"), Errc::unavailable, "answers"));
  CHECK(says(server.probe("HTTP/1.1"), Errc::unavailable, "reading /healthz"));
  CHECK(says(server.io.run(probe_once({{"no-address", 1}, "/"}, k_enough)), Errc::invalid, "not an address"));
}

namespace {

// A socket whose owner answers what it is told to, or nothing.
struct LocalServer {
  LocalServer() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~LocalServer() { ::close(fd); }
  Status answered(asio::awaitable<Status> probe, const std::string& answer) {
    const auto outcome = io.start(std::move(probe));
    io.poll();
    const int peer = ::accept(fd, nullptr, nullptr);
    REQUIRE(peer >= 0);
    request.resize(512);
    request.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(peer, request.data(), request.size()))));
    REQUIRE(::write(peer, answer.data(), answer.size()) == std::ssize(answer));
    ::close(peer);
    for (int i = 0; i < 1000 && !outcome->done; ++i) io.poll();
    REQUIRE(outcome->done);
    return *outcome->value;
  }
  IoTest io;
  TempDir dir;
  std::string path = dir / "docker.sock";
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string request;
};

}  // namespace

TEST_CASE("a component on a local socket is well when it answers, not when the kernel accepts for it", "[probe]") {
  LocalServer server;
  CHECK_FALSE(server.io.run(probe_once({{server.path}, "/_ping"}, k_enough)));  // bound, nobody listens
  REQUIRE(::listen(server.fd, 4) == 0);
  CHECK(says(server.io.run(probe_once({{server.path}, "/_ping"}, 50ms)), Errc::timeout, ""));
  CHECK(says(server.io.run(probe_once({{server.path}, ""}, 50ms)), Errc::timeout, ""));
  ::close(::accept(server.fd, nullptr, nullptr));
  ::close(::accept(server.fd, nullptr, nullptr));

  CHECK(server.answered(probe_once({{server.path}, "/_ping"}, k_enough), "HTTP/1.1 200 OK\r\n\r\nOK"));
  CHECK(server.request.starts_with("GET /_ping HTTP/1.1\r\n"));
  CHECK_FALSE(server.answered(probe_once({{server.path}, "/_ping"}, k_enough), "HTTP/1.1 500 Internal Server Error\r\n\r\n"));

  const std::string settings("\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 18);  // and that it takes ours
  CHECK(server.answered(probe_once({{server.path}, ""}, k_enough), settings));
  CHECK(server.request.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  CHECK_FALSE(server.answered(probe_once({{server.path}, ""}, k_enough), "HTTP/1.1 400 Bad Request\r\n\r\n"));
  CHECK_FALSE(server.answered(probe_once({{server.path}, ""}, k_enough), "\0"));
  CHECK(server.io.run(probe_once({{server.dir / std::string(200, 'x')}, ""}, k_enough)).error().code == Errc::invalid);
}
