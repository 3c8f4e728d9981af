#pragma once
// A file that grows by what an HTTP server still has of it. Private to this folder.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "common/core/result.hpp"
#include "common/http/client.hpp"

namespace slipway {

// Asks by `get` for what `fd` lacks of `size` bytes and appends it; a longer file was another one's and is emptied. A response that
// is neither 200 nor 206 is handed back, nothing was written then. Errc::unavailable: it ended too early; what came stays.
// `host`: for messages. `fd` is the caller's and must outlive the call.
boost::asio::awaitable<Result<http::Response>> download(std::shared_ptr<http::Client> client, http::Request get, std::uint64_t size, int fd,
                                                        std::string host);

}  // namespace slipway
