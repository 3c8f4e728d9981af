#include "common/http/endpoint.hpp"

#include "common/core/text.hpp"

namespace slipway::http {

namespace {

Error bad_address(std::string_view url, std::string_view why) {
  return make_error(Errc::invalid, "address " + std::string(url) + ": " + std::string(why));
}

}  // namespace

Result<Endpoint> parse_authority(std::string_view authority, std::uint16_t default_port, std::string_view url) {
  Endpoint out;
  out.port = default_port;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad_address(url, "the bracket is not closed");
    const Result<IpAddress> address = IpAddress::parse(authority.substr(1, end - 1));
    if (!address || address->is_v4()) return bad_address(url, "between brackets there must be an IPv6 address");
    out.host = address->to_string();
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':') return bad_address(url, "behind the bracket only a port may follow");
  } else {
    const std::size_t colon = authority.find(':');
    out.host = std::string(authority.substr(0, colon));
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
    if (!IpAddress::parse(out.host) && !is_dns_subdomain(lower(out.host)))
      return bad_address(url, "the host is neither a name nor an address");
  }
  if (!port.empty()) {
    const std::optional<std::uint64_t> number = parse_u64(port.substr(1), 65535);
    if (!number || *number == 0) return bad_address(url, "the port must be a number from 1 to 65535");
    out.port = static_cast<std::uint16_t>(*number);
  }
  return out;
}

Result<Endpoint> parse_https_url(std::string_view url, std::uint16_t default_port) {
  constexpr std::string_view k_https = "https://";
  if (lower(url.substr(0, 7)) == "http://") {
    return bad_address(url,
                       "http is not supported, because credentials and certificates would travel in the clear: write "
                       "https://");
  }
  if (lower(url.substr(0, k_https.size())) != k_https) return bad_address(url, "must look like https://host:port");
  std::string_view rest = url.substr(k_https.size());
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos)
    return bad_address(url, "must be https://host:port without a path, user or query");
  return parse_authority(rest, default_port, url);
}

std::string authority(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace slipway::http
