#pragma once
// Asks a daemon on this host over its Unix socket: one GET, one connection.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway::http {

// `idle`: the longest wait for each step. `sink`: gets the body of a 200 in consecutive parts, an error of
// its ends the transfer; empty: the body stands in the response, up to 8 MiB. Errc::not_found: there is no
// such socket. Errc::unavailable: nobody answers on it. Errc::too_many: somebody does and broke off.
// Errc::denied: the caller may not ask.
boost::asio::awaitable<Result<Response>> get_over_unix(
    std::string socket_path, std::string target, std::chrono::milliseconds idle,
    std::function<Status(std::string_view part)> sink = {});

}  // namespace slipway::http
