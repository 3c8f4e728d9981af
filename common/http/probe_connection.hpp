#pragma once
// One connection in the clear to a program on this host, over which it can be asked more than once whether it is well.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <compare>
#include <cstdint>
#include <string>

#include "common/core/result.hpp"

namespace slipway::http {

class MessageReader;

struct ProbeAddress {
  std::string host;        // literal address, or the path of a local socket
  std::uint16_t port = 0;  // 0: a local socket
  auto operator<=>(const ProbeAddress&) const = default;
};

struct ProbeQuestion {
  ProbeAddress address;
  std::string path;  // empty: whether it acknowledges settings of HTTP/2, as servers of gRPC do
  auto operator<=>(const ProbeQuestion&) const = default;
};

// Used by one coroutine at a time; whoever asks limits the time. A connection that was given up half-way is not asked again.
class ProbeConnection {
 public:
  explicit ProbeConnection(boost::asio::any_io_executor executor) : socket_(std::move(executor)) {}

  // Errc::invalid: no such address can be. Errc::unavailable: nobody takes the connection.
  boost::asio::awaitable<Status> connect(ProbeAddress address);
  // Connects first, if it is not connected yet: errors as of connect(), too. With a path: GET over HTTP/1.1 (RFC 9112); 200 is well. Without: settings, which a server of HTTP/2 has to acknowledge (RFC 9113 sections 3.4
  // and 6.5.3). A PING each ten seconds would not do: servers of gRPC count them on a connection without calls, and end it at the third.
  boost::asio::awaitable<Status> ask(ProbeQuestion question);

  // The last question was answered to its end, and the peer keeps the connection.
  bool reusable() const { return reusable_; }
  // Something came back for the last question: that the connection had gone before is no reason for its end.
  bool answered() const { return answered_; }

 private:
  boost::asio::awaitable<Status> get(std::string host, std::string path);
  boost::asio::awaitable<Status> read_answer(MessageReader& reader, std::string path);
  boost::asio::awaitable<Status> read_more(MessageReader& reader);
  boost::asio::awaitable<Status> greet_http2();
  boost::asio::awaitable<Status> settings_acknowledged();
  boost::asio::awaitable<Result<char>> read_frame(char& flags);
  boost::asio::awaitable<Status> write(std::string bytes, std::string what);

  boost::asio::generic::stream_protocol::socket socket_;
  std::string buffer_;  // of HTTP/1.1: read, not yet parsed
  bool greeted_ = false;               // the peer's settings came
  bool owes_acknowledgement_ = false;  // of them; goes with the next question
  bool reusable_ = false;
  bool answered_ = false;
};

}  // namespace slipway::http
