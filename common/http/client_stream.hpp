#pragma once
// Private to common/http: what a client's bytes pass through. TLS, or the bare socket for public files at an address that an operator
// wrote with http://.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string_view>
#include <variant>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "common/http/tls_stream.hpp"

namespace slipway::http {

// Meanings as TlsStream's.
class ClientStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  explicit ClientStream(TlsStream stream) : stream_(std::move(stream)) {}
  explicit ClientStream(Socket socket) : stream_(std::move(socket)) {}

  // Nothing to do without TLS.
  boost::asio::awaitable<Status> handshake(SteadyTime deadline);
  boost::asio::awaitable<Result<std::size_t>> read_some(char* data, std::size_t size, SteadyTime deadline);
  boost::asio::awaitable<Status> write(std::string_view data, Millis idle, SteadyTime deadline);
  bool quiet();

 private:
  std::variant<TlsStream, Socket> stream_;
};

}  // namespace slipway::http
