#pragma once
// Private to common/http: request targets.
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway::http {

struct Target {
  std::string path;   // percent-decoded
  std::string query;  // raw
};

// Origin form only. Nothing is normalised: what could be read in two ways (encoded slash, NUL, control
// characters, dot or empty segments, broken escapes) is refused.
Result<Target> parse_target(std::string_view target);

// Nothing when an escape is broken. `plus_is_space` as in query strings.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace slipway::http
