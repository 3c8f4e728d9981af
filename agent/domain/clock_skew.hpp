#pragma once
// This host's clock beside the coordinator's. Certificates are backdated by five minutes: clocks that differ
// by more make some that are not valid yet, or no longer. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "common/core/time.hpp"

namespace slipway {

// The Date header of an answer, "Sun, 22 Nov 2026 12:00:00 GMT" (RFC 9110 5.6.7, the one form that is still
// written).
std::optional<WallTime> parse_http_date(std::string_view text);

// Absent when the clocks are near enough, else both times and the cure. A slow answer counts as difference.
std::optional<std::string> clock_skew(WallTime here, WallTime coordinator);

}  // namespace slipway
