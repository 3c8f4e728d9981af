#include "agent/client/health_probe.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/async/timeout.hpp"
#include "common/http/client.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;

namespace slipway {

namespace {

constexpr std::size_t k_status_line = 12;  // "HTTP/1.1 200"
constexpr std::size_t k_frame_head = 9;    // RFC 9113 section 4.1
constexpr char k_settings_frame = 4;

Error failed(std::string_view doing, const boost::system::error_code& ec) {
  return make_error(ec == asio::error::operation_aborted ? Errc::canceled : Errc::unavailable,
                    std::string(doing) + ": " + ec.message());
}

asio::awaitable<Status> connect_to(tcp::socket& socket, std::string host, std::uint16_t port) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec) co_return make_error(Errc::invalid, "probe of " + host + ": not an address");
  const tcp::endpoint endpoint(address, port);
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("connecting to port " + std::to_string(port), ec);
  co_return Status{};
}

template <class Socket> asio::awaitable<Status> get_over(Socket& socket, std::string host, std::string path) {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  boost::system::error_code ec;
  co_await asio::async_write(socket, asio::buffer(request), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("asking for " + path, ec);
  std::string answer(k_status_line, '\0');
  co_await asio::async_read(socket, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("reading " + path, ec);
  if (!answer.starts_with("HTTP/1.") || !answer.ends_with(" 200")) {
    co_return make_error(Errc::unavailable, path + " answers " + answer.substr(answer.find(' ') + 1));
  }
  co_return Status{};
}

asio::awaitable<Status> get_plain(std::string host, std::uint16_t port, std::string path) {
  tcp::socket socket(co_await asio::this_coro::executor);
  asio::awaitable<Status> connecting = connect_to(socket, host, port);
  const Status connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  asio::awaitable<Status> asking = get_over(socket, std::move(host), std::move(path));
  co_return co_await std::move(asking);
}

asio::awaitable<Status> connect_only(std::string host, std::uint16_t port) {
  tcp::socket socket(co_await asio::this_coro::executor);
  asio::awaitable<Status> connecting = connect_to(socket, std::move(host), port);
  co_return co_await std::move(connecting);
}

using UnixSocket = asio::local::stream_protocol::socket;

asio::awaitable<Status> connect_unix(UnixSocket& socket, std::string path) {
  if (path.size() > 107) co_return make_error(Errc::invalid, path + ": too long for a socket");
  const asio::local::stream_protocol::endpoint endpoint(path);
  boost::system::error_code ec;
  co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("connecting to " + path, ec);
  co_return Status{};
}

asio::awaitable<Status> get_unix(std::string socket_path, std::string path) {
  UnixSocket socket(co_await asio::this_coro::executor);
  asio::awaitable<Status> connecting = connect_unix(socket, std::move(socket_path));
  const Status connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  asio::awaitable<Status> asking = get_over(socket, "localhost", std::move(path));
  co_return co_await std::move(asking);
}

// A server of gRPC answers the preface and an empty SETTINGS frame of a client with its own settings (RFC 9113 section 3.4).
asio::awaitable<Status> greet_grpc(std::string socket_path) {
  UnixSocket socket(co_await asio::this_coro::executor);
  asio::awaitable<Status> connecting = connect_unix(socket, std::move(socket_path));
  const Status connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  const std::string greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  boost::system::error_code ec;
  co_await asio::async_write(socket, asio::buffer(greeting), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("greeting it", ec);
  std::string frame(k_frame_head, '\0');
  co_await asio::async_read(socket, asio::buffer(frame), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed("reading its settings", ec);
  if (frame[3] != k_settings_frame) co_return make_error(Errc::unavailable, "it does not speak HTTP/2");
  co_return Status{};
}

}  // namespace

asio::awaitable<Status> probe_http(std::string host, std::uint16_t port, std::string path, Millis limit) {
  asio::awaitable<Status> asking = get_plain(std::move(host), port, std::move(path));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(asking));
  co_return co_await std::move(limited);
}

asio::awaitable<Status> probe_https(std::string host, std::uint16_t port, std::string path,
                                    std::shared_ptr<http::TlsClientContext> tls, Millis limit) {
  // Not in the argument list: GCC 12 destroys a temporary twice that stands beside a co_await.
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  http::Endpoint endpoint{std::move(host), port};
  http::Client client(executor, std::move(endpoint), std::move(tls));
  http::Request request;
  request.target = path;
  asio::awaitable<Result<http::Response>> sending = client.send(std::move(request), limit);
  const Result<http::Response> response = co_await std::move(sending);
  if (!response) co_return response.error();
  if (response->status != 200)
    co_return make_error(Errc::unavailable, path + " answers " + std::to_string(response->status));
  co_return Status{};
}

asio::awaitable<Status> probe_tcp(std::string host, std::uint16_t port, Millis limit) {
  asio::awaitable<Status> connecting = connect_only(std::move(host), port);
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(connecting));
  co_return co_await std::move(limited);
}

asio::awaitable<Status> probe_unix_http(std::string socket_path, std::string path, Millis limit) {
  asio::awaitable<Status> asking = get_unix(std::move(socket_path), std::move(path));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(asking));
  co_return co_await std::move(limited);
}

asio::awaitable<Status> probe_unix_grpc(std::string socket_path, Millis limit) {
  asio::awaitable<Status> greeting = greet_grpc(std::move(socket_path));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(greeting));
  co_return co_await std::move(limited);
}

}  // namespace slipway
