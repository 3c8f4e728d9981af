#pragma once
// Byte ranges of a GET, RFC 9110 section 14. Pure.
#include <cstdint>
#include <string_view>

namespace slipway::api {

enum class RangeKind { whole, part, unsatisfiable };

struct ByteRange {
  RangeKind kind = RangeKind::whole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

// One range is served; a header that is malformed or asks for several is ignored, as the RFC allows: the
// whole comes.
ByteRange parse_range(std::string_view header, std::uint64_t size);

}  // namespace slipway::api
