#pragma once
// HTTP/1.1 over TLS 1.3. Deny by default: sizes, times and numbers of connections are limited from the first byte.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/http/message.hpp"
#include "common/http/tls.hpp"

namespace slipway::http {

// security.md T14 to T16.
struct ServerLimits {
  std::chrono::milliseconds handshake{5'000};
  std::chrono::milliseconds header{5'000};
  std::chrono::milliseconds body{10'000};        // for bodies in memory
  std::chrono::milliseconds spool_idle{30'000};  // between two reads of a spooled body
  std::chrono::milliseconds write_idle{30'000};  // between two writes of a response
  std::chrono::milliseconds idle{75'000};        // kept-alive connection without a request (longer than the long poll's interval)
  std::size_t header_bytes = 8 * 1024;
  std::size_t connections = 12'000;
  // Of these for known addresses only, those from where a certificate of ours has been shown or that note_known() told; absent: a quarter.
  std::optional<std::size_t> known_connections;
  std::size_t anonymous_connections = 2'000;  // without a client certificate
  std::size_t connections_per_address = 4'000;
};

// Decided after the header and before any byte of the body.
struct Admission {
  std::optional<Response> refuse;       // answered at once, then the connection closes
  std::size_t body_limit = 16 * 1024;   // more: 413
  std::string spool_dir;                // not empty: the body goes to a new 0600 file there
  // Asked when nothing else is against it, still before any byte of the body is taken or invited; what it gives is the refusal.
  // For bodies so large that the head's word is not enough. Empty: nothing is asked.
  std::function<boost::asio::awaitable<std::optional<Response>>()> confirm = {};
};

// Called on the connection's I/O thread. All may be called concurrently from several threads.
struct Handler {
  std::function<Admission(const Request& head)> admit;
  std::function<boost::asio::awaitable<Response>(Request request)> handle;
  // Once after the handshake, so that the certificate need not be read for every request; the result comes with each, in its peer.
  // Only what the certificate says: whether it still counts is another question. Must not throw; may be empty.
  std::function<std::shared_ptr<const PeerIdentity>(const Peer& peer)> identify = {};
};

class Server {
 public:
  // `executors`: one for each I/O thread; connections are spread over them. `tls` may be replaced at run time.
  Server(std::vector<boost::asio::any_io_executor> executors, std::shared_ptr<TlsServerContext> tls, ServerLimits limits, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and listens ("0.0.0.0:7443", "[::]:7443", port 0 for any); returns the bound port.
  Result<std::uint16_t> listen(std::string_view address);
  // Connections from there may use what is kept for known addresses, and their handshakes go first. Thread safe.
  void note_known(const IpAddress& address);
  // Addresses that fleets share (NAT). What one address may have at most does not hold for them: each may have what all strangers together may,
  // and of the places kept for known addresses, once it is known, an eighth before a certificate is shown. Thread safe.
  void set_fleets(std::vector<Cidr> fleets);
  // New handshakes use this context; live connections keep theirs.
  void replace_tls(std::shared_ptr<TlsServerContext> tls);
  // Cuts live connections with a verified client certificate whose other end satisfies `doomed` (node removal). Called for every
  // connection, on its thread: what Handler::identify found out is there, nothing needs to be read again.
  void cut(std::function<bool(const Peer& peer)> doomed);
  // Stops accepting, lets requests in progress finish until the deadline, then cuts. Thread safe; call once.
  boost::asio::awaitable<void> drain(std::chrono::milliseconds deadline);
  std::size_t connection_count() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipway::http
