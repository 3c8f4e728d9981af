#pragma once
// Asks a component on this host whether it is well.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "common/http/probe_connection.hpp"
#include "common/http/tls.hpp"

namespace slipway {

// All: within `limit`, on the calling coroutine's executor, over a connection of its own. Success: well. Errors say what came instead.

// A process that is stopped or hangs still has its connections accepted, by the kernel: only an answer counts.
boost::asio::awaitable<Status> probe_once(http::ProbeQuestion question, Millis limit);
// With the certificates in `tls`.
boost::asio::awaitable<Status> probe_https(std::string host, std::uint16_t port, std::string path,
                                           std::shared_ptr<http::TlsClientContext> tls, Millis limit);
// Something listens.
boost::asio::awaitable<Status> probe_tcp(std::string host, std::uint16_t port, Millis limit);

}  // namespace slipway
