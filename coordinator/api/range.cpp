#include "coordinator/api/range.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::api {

ByteRange parse_range(std::string_view header, std::uint64_t size) {
  const ByteRange whole{RangeKind::whole, 0, size};
  constexpr std::string_view unit = "bytes=";
  if (!header.starts_with(unit)) return whole;
  const std::string_view spec = trim(header.substr(unit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  if (first_text.empty()) {
    const auto count = parse_u64(last_text);
    if (!count) return whole;
    if (*count == 0 || size == 0) return {RangeKind::unsatisfiable, 0, 0};
    const std::uint64_t length = std::min(*count, size);
    return {RangeKind::part, size - length, length};
  }
  const auto first = parse_u64(first_text);
  const auto last = last_text.empty() ? parse_u64("18446744073709551615") : parse_u64(last_text);
  if (!first || !last || *last < *first) return whole;
  if (*first >= size) return {RangeKind::unsatisfiable, 0, 0};
  return {RangeKind::part, *first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace slipway::api
