#include "coordinator/domain/packed_hex.hpp"

namespace slipway {

namespace {

constexpr std::uint8_t k_none = 0xff;

constexpr std::array<std::uint8_t, 256> digits() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = k_none;
  for (std::size_t i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(i);
  for (std::size_t i = 0; i < 6; ++i) values['a' + i] = static_cast<std::uint8_t>(10 + i);
  return values;
}
constexpr std::array<std::uint8_t, 256> k_digits = digits();

}  // namespace

bool unhex_lower(std::string_view hex, char* out, std::size_t size) {
  if (hex.size() != 2 * size) return false;
  std::uint8_t seen = 0;  // a start reads a million: one look at the end
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t high = k_digits[static_cast<unsigned char>(hex[2 * i])];
    const std::uint8_t low = k_digits[static_cast<unsigned char>(hex[2 * i + 1])];
    seen |= high | low;
    out[i] = static_cast<char>(high << 4 | (low & 0x0f));
  }
  return seen <= 0x0f;
}

}  // namespace slipway
