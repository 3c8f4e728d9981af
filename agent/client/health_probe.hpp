#pragma once
// Asks a component on this host whether it is well.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "common/http/tls.hpp"

namespace slipway {

// All: within `limit`, on the calling coroutine's executor. Success: well. Errors say what came instead.

// Plain HTTP on a literal address: 200 is well.
boost::asio::awaitable<Status> probe_http(std::string host, std::uint16_t port, std::string path,
                                          Millis limit);
// With the certificates in `tls`.
boost::asio::awaitable<Status> probe_https(std::string host, std::uint16_t port, std::string path,
                                           std::shared_ptr<http::TlsClientContext> tls, Millis limit);
// Something listens.
boost::asio::awaitable<Status> probe_tcp(std::string host, std::uint16_t port, Millis limit);
// Over a local socket: 200 is well; for gRPC, that it answers the greeting of HTTP/2. A process that is stopped or hangs still has its
// connections accepted, by the kernel.
boost::asio::awaitable<Status> probe_unix_http(std::string socket_path, std::string path, Millis limit);
boost::asio::awaitable<Status> probe_unix_grpc(std::string socket_path, Millis limit);

}  // namespace slipway
