#pragma once
// Wall-clock instants are whole seconds since 1970 UTC, as X.509 and RFC 3339 need them; durations are std::chrono.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace slipway {

using Seconds = std::chrono::seconds;
using WallTime = std::chrono::sys_seconds;

std::string to_rfc3339(WallTime time);                          // 2026-11-22T12:00:00Z
std::optional<WallTime> parse_rfc3339(std::string_view text);   // only UTC ("Z"), fractions dropped

// Go-like durations as operators know them from Kubernetes: "90s", "15m", "24h", "1h30m"; days as "7d" too.
std::optional<Seconds> parse_duration(std::string_view text);
std::string to_duration_text(Seconds duration);                 // "24h", "1h30m", "45s"

// For tables: "3m12s", "5h", "12d": two units at most.
std::string to_age_text(Seconds duration);

}  // namespace slipway
