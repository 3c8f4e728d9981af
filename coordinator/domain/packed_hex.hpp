#pragma once
// What people see as lower-case hex, kept as bytes: serials of certificates, digests of keys. A state has millions of them, and a
// text of 64 digits takes 112 bytes where 33 do. Pure values.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/core/text.hpp"

namespace slipway {

// Lower case only: one value, one text. False when `hex` is anything else than 2 * `size` digits; then `out` is not to be used.
bool unhex_lower(std::string_view hex, char* out, std::size_t size);

// Up to `most` bytes; none is "not there".
template <std::size_t most>
class PackedHex {
 public:
  PackedHex() = default;
  // Empty when `hex` is not lower-case hex of at most `most` bytes: ask empty() where that can be.
  explicit PackedHex(std::string_view hex) {
    const std::size_t size = hex.size() / 2;
    if (size > most) return;
    if (unhex_lower(hex, bytes_.data(), size)) size_ = static_cast<std::uint8_t>(size);
    else bytes_ = {};
  }
  // Empty when they are more than fit.
  static PackedHex of_bytes(std::string_view bytes) {
    PackedHex packed;
    if (bytes.size() > most) return packed;
    std::memcpy(packed.bytes_.data(), bytes.data(), bytes.size());
    packed.size_ = static_cast<std::uint8_t>(bytes.size());
    return packed;
  }

  bool empty() const { return size_ == 0; }
  std::string_view bytes() const { return {bytes_.data(), size_}; }
  std::string hex() const { return to_hex(bytes()); }

  bool operator==(const PackedHex&) const = default;
  // With a text, which is equal when it is this one's.
  bool operator==(std::string_view hex) const {
    const PackedHex other(hex);
    return *this == other && other.size_ * 2U == hex.size();
  }

 private:
  static_assert(most <= 255);
  std::array<char, most> bytes_{};  // zeros behind the end
  std::uint8_t size_ = 0;
};

using PackedSerial = PackedHex<20>;  // of a certificate: RFC 5280, 4.1.2.2
using KeyDigest = PackedHex<32>;     // SHA-256 of a public key's SPKI

}  // namespace slipway
