#pragma once
// Private to common/http: a Unix stream socket with deadlines.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <string_view>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"

namespace slipway::http {

using UnixSocket = boost::asio::local::stream_protocol::socket;

// A path that fits into a socket's address. Errc::invalid.
Status check_socket_path(const std::string& path);

// What arrives next behind `buffer`; 0: the other end closed. The references outlive the wait.
boost::asio::awaitable<Result<std::size_t>> read_more(UnixSocket& socket, std::string& buffer, Millis limit);
boost::asio::awaitable<Status> write_all(UnixSocket& socket, std::string_view data, Millis limit);

}  // namespace slipway::http
