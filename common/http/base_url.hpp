#pragma once
// Where a server keeps what is fetched from it: https://HOST[:PORT][/PATH].
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/client.hpp"

namespace slipway::http {

struct BaseUrl {
  Endpoint endpoint;
  std::string path;  // "" or "/a/b", without a slash at its end
};

// Port 443 unless another is given. Errc::invalid: http, a user, a query, "..", or a path that is not percent-encoded.
Result<BaseUrl> parse_https_base(std::string_view url);

}  // namespace slipway::http
