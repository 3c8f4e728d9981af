#pragma once
// The bytes between the coordinator and its signer: numbers big endian, texts with their length in front.
// Both ends are one program, so there is no version in them; they are read as a stranger's all the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace slipway::signer {

class Writer {
 public:
  void u8(std::uint8_t value) { number(value, 1); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void i64(std::int64_t value) { u64(static_cast<std::uint64_t>(value)); }
  void text(std::string_view value) {
    u32(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  std::string take() { return std::move(bytes_); }

 private:
  void number(std::uint64_t value, int octets) {
    for (int shift = (octets - 1) * 8; shift >= 0; shift -= 8)
      bytes_.push_back(static_cast<char>(value >> shift & 0xff));
  }
  std::string bytes_;
};

// Never reads past the end, never throws. After the first thing that does not fit everything is zero or empty
// and ok() is false: look at done() before anything read is used.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }
  bool flag() { return below(2) == 1; }
  // A value of a closed set that is written as its place in it.
  std::uint8_t below(std::uint8_t end) {
    const std::uint8_t value = u8();
    if (value >= end) fail();
    return ok_ ? value : std::uint8_t{0};
  }
  // How many things follow; each takes a byte at least, so that a number alone makes nobody reserve memory.
  std::size_t count(std::size_t most) {
    const std::size_t value = u32();
    if (value > most || value > rest_.size()) fail();
    return ok_ ? value : 0;
  }
  // Borrows from the bytes.
  std::string_view text(std::size_t most) {
    const std::size_t size = u32();
    if (size > most) fail();
    return raw(size);
  }

  void fail() {
    ok_ = false;
    rest_ = {};
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view raw(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::uint64_t number(std::size_t octets) {
    std::uint64_t value = 0;
    for (const char octet : raw(octets)) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace slipway::signer
