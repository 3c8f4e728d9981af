#pragma once
// Addresses of public files, as people write them and as redirects give them: http or https, a path, perhaps a query. Pure.
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/endpoint.hpp"

namespace slipway::http {

struct WebUrl {
  bool is_tls = true;
  Endpoint endpoint;
  std::string path = "/";  // percent-encoded, with a slash at its beginning
  std::string query;       // with its '?', or empty

  std::string target() const { return path + query; }
  // For messages and comparisons of places: without the query, which may hold a signature that gives access.
  std::string shown() const;
};

inline constexpr std::size_t k_max_url = 8 * 1024;

// Errc::invalid: another scheme, a user, "..", what is not percent-encoded. A fragment is dropped.
Result<WebUrl> parse_web_url(std::string_view url);
// The address that `reference` (of a Location header) means at `base`: a whole one, or one without scheme, or a path (RFC 3986 5.2).
Result<WebUrl> resolve_url(const WebUrl& base, std::string_view reference);
// BASE/a/b; `below` is percent-encoded and has no slash at its beginning. The base's query is dropped.
WebUrl url_below(const WebUrl& base, std::string_view below);

}  // namespace slipway::http
