#pragma once
// Private to common/http: from a host and port to a connected socket.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "common/async/clock.hpp"
#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway::http {

// Tries the addresses of `host` in turn until `deadline`, from the own address `from` when there is one. The error is that of
// the last address.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> connect_tcp(std::string host, std::uint16_t port,
                                                                         std::optional<IpAddress> from,
                                                                         SteadyTime deadline);

}  // namespace slipway::http
