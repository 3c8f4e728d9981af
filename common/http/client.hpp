#pragma once
// HTTP/1.1 client over TLS 1.3 (for public files also without) with one kept-alive connection. One request at a time; used from one executor's thread.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "common/http/endpoint.hpp"
#include "common/http/message.hpp"
#include "common/http/tls.hpp"

namespace slipway::http {

struct ClientLimits {
  std::chrono::milliseconds connect{10'000};  // resolve, TCP, TLS together
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 8 * 1024 * 1024;
};

class Client {
 public:
  Client(boost::asio::any_io_executor executor, Endpoint endpoint, std::shared_ptr<TlsClientContext> tls, ClientLimits limits = {});
  // In the clear, and with nobody's identity: for public files whose digest is known from elsewhere, at an address that an operator wrote
  // with http://. Never for anything that is secret.
  static Client without_tls(boost::asio::any_io_executor executor, Endpoint endpoint, ClientLimits limits = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Sends and waits for the whole response. A request on a kept connection that the server closed meanwhile is sent once
  // more on a new one when nothing of the response had arrived and the method is idempotent, or when `retry_safe` is set.
  // Errors name the stage: "connecting to", "TLS handshake with", "sending to", "reading from".
  boost::asio::awaitable<Result<Response>> send(Request request, std::chrono::milliseconds deadline, bool retry_safe = false);

  // Streams the response body into `sink` (called with consecutive chunks; an error ends the transfer). The returned
  // response has no body. `idle` limits the wait for each chunk, not the whole. Only bodies of 200 and 206 go to the sink;
  // `begin` (may be empty) sees status and headers of these before the first chunk, and its error too ends the transfer.
  boost::asio::awaitable<Result<Response>> fetch(Request request, std::function<Status(std::string_view chunk)> sink, std::chrono::milliseconds idle,
                                                 std::function<Status(const Response& head)> begin = {});

  // Streams a file as the request body. `progress` gets bytes sent so far (may be empty).
  boost::asio::awaitable<Result<Response>> upload(Request request, std::string file_path, std::chrono::milliseconds idle,
                                                  std::function<void(std::uint64_t sent)> progress = {});
  void close();

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::http
