#pragma once
// DER (X.690) by hand: a reader that takes only the one right encoding, and a writer. Certificates and
// requests are small and their shape is fixed, and OpenSSL 3.0's decoders and builders cost several times the
// signature itself.
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/time.hpp"

namespace slipway::der {

inline constexpr std::uint8_t k_boolean = 0x01, k_integer = 0x02, k_bit_string = 0x03, k_octet_string = 0x04,
                              k_null = 0x05, k_oid = 0x06, k_utf8_string = 0x0c, k_printable_string = 0x13,
                              k_ia5_string = 0x16, k_utc_time = 0x17, k_generalized_time = 0x18,
                              k_sequence = 0x30, k_set = 0x31;
// Context-specific tag `number`, primitive or constructed.
inline constexpr std::uint8_t context_tag(int number, bool constructed) {
  return static_cast<std::uint8_t>((constructed ? 0xa0 : 0x80) | number);
}

struct Item {
  std::uint8_t tag = 0;
  std::string_view content;
  std::string_view whole;  // with tag and length
};

// Walks over the items of `bytes`, which must outlive it. One-octet tags, definite and minimal lengths only.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  bool next_is(std::uint8_t tag) const {
    return !rest_.empty() && static_cast<std::uint8_t>(rest_[0]) == tag;
  }
  std::optional<Item> next();
  std::optional<Item> next(std::uint8_t tag);  // nullopt also when the tag is another

 private:
  std::string_view rest_;
};

// `bytes` is exactly one item with this tag.
std::optional<Item> only(std::string_view bytes, std::uint8_t tag);

// Content octets of a positive INTEGER without its padding octet; nullopt when negative, zero or not minimal.
std::optional<std::string_view> positive_integer(const Item& item);
// Content of a BIT STRING whose bits fill its octets.
std::optional<std::string_view> whole_bits(const Item& item);
std::optional<WallTime> read_time(const Item& item);  // UTCTime or GeneralizedTime, as RFC 5280 writes them
std::string oid_text(std::string_view content);       // "2.5.4.3"; "?" when malformed

std::string item(std::uint8_t tag, std::string_view content);
std::string item(std::uint8_t tag, std::initializer_list<std::string_view> parts);
std::string unsigned_integer(std::string_view big_endian);  // adds the padding octet where needed
std::string bit_string(std::string_view bytes);
std::string time(WallTime when);  // UTCTime through 2049, then GeneralizedTime

}  // namespace slipway::der
