#include "common/http/client_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>

#include "common/async/timeout.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

using Socket = ClientStream::Socket;

Error broken(const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted) return make_error(Errc::canceled, "cancelled");
  return make_error(Errc::unavailable, from_errno("connection", ec.value()).message);
}

Millis left_until(SteadyTime deadline) {
  constexpr Millis k_longest = std::chrono::hours(24);
  const SteadyTime now = std::chrono::steady_clock::now();
  if (deadline >= now + k_longest) return k_longest;
  return std::max(Millis(0), std::chrono::ceil<Millis>(deadline - now));
}

// The references and `data` outlive the wait: they are the connection's.
asio::awaitable<Result<std::size_t>> read_once(Socket& socket, char* data, std::size_t size) {
  boost::system::error_code ec;
  const asio::mutable_buffer room(data, size);
  const std::size_t got = co_await socket.async_read_some(room, asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::eof) co_return std::size_t{0};
  if (ec) co_return broken(ec);
  co_return got;
}

asio::awaitable<Result<std::size_t>> write_once(Socket& socket, std::string_view data) {
  boost::system::error_code ec;
  const asio::const_buffer all(data.data(), data.size());
  const std::size_t sent = co_await socket.async_write_some(all, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return broken(ec);
  co_return sent;
}

asio::awaitable<Result<std::size_t>> read_in_time(Socket& socket, char* data, std::size_t size, SteadyTime deadline) {
  asio::awaitable<Result<std::size_t>> reading = read_once(socket, data, size);
  asio::awaitable<Result<std::size_t>> limited = with_timeout<std::size_t>(left_until(deadline), std::move(reading));
  co_return co_await std::move(limited);
}

asio::awaitable<Status> write_in_time(Socket& socket, std::string_view data, Millis idle, SteadyTime deadline) {
  while (!data.empty()) {
    const Millis limit = std::min(idle, left_until(deadline));
    asio::awaitable<Result<std::size_t>> writing = write_once(socket, data);
    asio::awaitable<Result<std::size_t>> limited = with_timeout<std::size_t>(limit, std::move(writing));
    const Result<std::size_t> sent = co_await std::move(limited);
    if (!sent) co_return sent.error();
    data.remove_prefix(*sent);
  }
  co_return Status{};
}

asio::awaitable<Status> nothing_to_do() { co_return Status{}; }

}  // namespace

asio::awaitable<Status> ClientStream::handshake(SteadyTime deadline) {
  if (auto* const tls = std::get_if<TlsStream>(&stream_)) return tls->handshake(deadline);
  return nothing_to_do();
}

asio::awaitable<Result<std::size_t>> ClientStream::read_some(char* data, std::size_t size, SteadyTime deadline) {
  if (auto* const tls = std::get_if<TlsStream>(&stream_)) return tls->read_some(data, size, deadline);
  return read_in_time(std::get<Socket>(stream_), data, size, deadline);
}

asio::awaitable<Status> ClientStream::write(std::string_view data, Millis idle, SteadyTime deadline) {
  if (auto* const tls = std::get_if<TlsStream>(&stream_)) return tls->write(data, idle, deadline);
  return write_in_time(std::get<Socket>(stream_), data, idle, deadline);
}

bool ClientStream::quiet() {
  if (auto* const tls = std::get_if<TlsStream>(&stream_)) return tls->quiet();
  char byte = 0;
  const ssize_t n = ::recv(std::get<Socket>(stream_).native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && errno == EAGAIN;  // on Linux EWOULDBLOCK is the same number
}

}  // namespace slipway::http
