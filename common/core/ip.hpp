#pragma once
// IP addresses and CIDR blocks, parsed once at the edge: an invalid value cannot exist.
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

// IPv4 or IPv6 address in network byte order. IPv4-mapped IPv6 text is refused: one address, one value.
class IpAddress {
 public:
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress v4(std::uint32_t host_order);
  static std::optional<IpAddress> from_bytes(std::string_view bytes);  // 4 or 16

  IpAddress() = default;  // 0.0.0.0
  bool is_v4() const { return size_ == 4; }
  int bits() const { return size_ * 8; }
  std::uint32_t to_u32() const;       // host order, v4 only
  std::string bytes() const;          // 4 or 16
  std::string to_string() const;
  bool bit(int index) const;          // 0 = most significant
  bool is_loopback() const;
  bool is_link_local() const;
  bool is_unspecified() const;
  bool is_multicast() const;
  IpAddress plus(std::uint64_t offset) const;  // wraps

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::uint8_t size_ = 4;
  std::array<std::uint8_t, 16> bytes_{};
};

// A block whose host bits are zero.
class Cidr {
 public:
  // "10.0.0.0/16"; host bits set are refused with the block that was probably meant.
  static Result<Cidr> parse(std::string_view text);
  static Result<Cidr> make(IpAddress base, int prefix_length);

  Cidr() = default;  // 0.0.0.0/0
  const IpAddress& base() const { return base_; }
  int prefix_length() const { return prefix_length_; }
  bool is_v4() const { return base_.is_v4(); }
  bool contains(const IpAddress& address) const;
  bool contains(const Cidr& other) const;
  bool overlaps(const Cidr& other) const;
  std::uint64_t address_count() const;     // saturates at 2^64-1
  IpAddress at(std::uint64_t index) const { return base_.plus(index); }
  std::string to_string() const;

  auto operator<=>(const Cidr&) const = default;

 private:
  IpAddress base_;
  int prefix_length_ = 0;
};

}  // namespace slipway
