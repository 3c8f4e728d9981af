#pragma once
// Small text helpers that parse without throwing.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

std::string to_hex(std::string_view bytes);                        // lower case
std::optional<std::string> from_hex(std::string_view hex);         // even length, either case
std::string to_base64(std::string_view bytes);                     // RFC 4648 section 4, padded
std::optional<std::string> from_base64(std::string_view text);     // strict: no white space, padding checked
std::string to_base32(std::string_view bytes);                     // RFC 4648 section 6, lower case, no padding

std::vector<std::string_view> split(std::string_view text, char separator);  // "a,,b" gives three parts; views into text
std::string_view trim(std::string_view text);                      // spaces, tabs, CR, LF
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string lower(std::string_view text);                          // ASCII

// Whole text must be a decimal number within the range.
std::optional<std::uint64_t> parse_u64(std::string_view text, std::uint64_t max = UINT64_MAX);

// RFC 1123 label: 1 to 63 of [a-z0-9-], no hyphen at the ends.
bool is_dns_label(std::string_view text);
// RFC 1123 subdomain: labels joined by dots, at most 253. What Kubernetes asks of Node names.
bool is_dns_subdomain(std::string_view text);

}  // namespace slipway
