#pragma once
// Where a server listens. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway::http {

struct Endpoint {
  std::string host;  // name or address without brackets; must stand in the server's certificate
  std::uint16_t port = 443;
  std::optional<IpAddress> from = {};  // own address to connect from; absent: the system chooses
};
// "https://host:port" with an optional trailing slash; http is refused with the reason.
Result<Endpoint> parse_https_url(std::string_view url, std::uint16_t default_port);
// "host", "host:port", "[v6]:port". `url`: the whole address, for the error's text.
Result<Endpoint> parse_authority(std::string_view authority, std::uint16_t default_port, std::string_view url);

// "host:port", an IPv6 address in brackets.
std::string authority(const Endpoint& endpoint);

}  // namespace slipway::http
