#pragma once
// Private to common/http: one TLS connection on a non-blocking socket, driven by OpenSSL directly. Asio's own
// stream keeps 34 KiB of buffers for each connection and hides OpenSSL's reasons; thousands of waiting agents
// want neither.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "common/http/tls.hpp"

namespace slipway::http {

class HandshakeTurns;

// Used on the socket's executor's thread. Every wait ends at its deadline with Errc::timeout; cut() ends it
// with Errc::canceled. After an error only cut(), linger() and the destructor make sense.
class TlsStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  static Result<TlsStream> server(Socket socket, std::shared_ptr<TlsServerContext> context);
  static Result<TlsStream> client(Socket socket, std::shared_ptr<TlsClientContext> context,
                                  const std::string& host);
  ~TlsStream();
  TlsStream(TlsStream&&) noexcept;
  TlsStream& operator=(TlsStream&&) noexcept;

  // Succeeds only when the other end is verified: a client must have been shown a certificate that passes; a
  // server accepts none at all, or one that passes.
  // `turns`: of a server's thread, outlives the handshake; each step waits for one. Null: none waits. `known`: see HandshakeTurns.
  boost::asio::awaitable<Status> handshake(SteadyTime deadline, HandshakeTurns* turns = nullptr, bool known = false);
  // At least one byte; 0: the other end closed in order. `data` must outlive the wait.
  boost::asio::awaitable<Result<std::size_t>> read_some(char* data, std::size_t size, SteadyTime deadline);
  // All of `data`, which must outlive the wait; `idle` limits the wait for each step of progress.
  boost::asio::awaitable<Status> write(std::string_view data, Millis idle,
                                       SteadyTime deadline = SteadyTime::max());
  // Ends our direction and reads the rest for a while, so that a reset does not overtake our last words.
  boost::asio::awaitable<void> linger(Millis limit);

  // False: a kept connection on which anything has arrived or that has ended; it must not be used again.
  bool quiet();
  // DER of the verified certificate; empty: none was presented.
  std::string peer_certificate() const;
  // From the stream's thread: ends what waits now and all later waits, and the connection with them.
  void cut();

 private:
  struct Impl;
  explicit TlsStream(std::shared_ptr<Impl> impl);
  static Result<TlsStream> make(std::shared_ptr<Impl> impl);
  // The timer's handler watches it weakly; nobody else shares it.
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipway::http
