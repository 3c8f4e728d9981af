#include "common/core/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress address;
  // inet_pton stops at a NUL and would take what stands before it.
  const bool plain = copy.size() < 64 && copy.find('\0') == std::string::npos;
  if (plain && inet_pton(AF_INET, copy.c_str(), address.bytes_.data()) == 1) return address;
  address.size_ = 16;
  if (!plain || inet_pton(AF_INET6, copy.c_str(), address.bytes_.data()) != 1) {
    return make_error(Errc::invalid, "\"" + copy.substr(0, 64) + "\" is not an IP address");
  }
  static constexpr std::array<std::uint8_t, 12> k_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(k_mapped.begin(), k_mapped.end(), address.bytes_.begin())) {
    return make_error(Errc::invalid, "\"" + copy + "\" is an IPv4-mapped address: write it as IPv4");
  }
  return address;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  for (int i = 0; i < 4; ++i) address.bytes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

std::optional<IpAddress> IpAddress::from_bytes(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.size_ = static_cast<std::uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::uint32_t IpAddress::to_u32() const {
  return static_cast<std::uint32_t>(bytes_[0]) << 24 | static_cast<std::uint32_t>(bytes_[1]) << 16 |
         static_cast<std::uint32_t>(bytes_[2]) << 8 | bytes_[3];
}

std::string IpAddress::bytes() const { return {bytes_.begin(), bytes_.begin() + size_}; }

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

bool IpAddress::bit(int index) const {
  return (bytes_[static_cast<std::size_t>(index / 8)] >> (7 - index % 8) & 1) != 0;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return to_string() == "::1";
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const { return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff; }

IpAddress IpAddress::plus(std::uint64_t offset) const {
  IpAddress sum = *this;
  for (int i = size_ - 1; i >= 0 && offset != 0; --i) {
    auto& byte = sum.bytes_[static_cast<std::size_t>(i)];
    const std::uint64_t total = byte + (offset & 255);
    byte = static_cast<std::uint8_t>(total);
    offset = (offset >> 8) + (total >> 8);
  }
  return sum;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string shown(text.substr(0, 64));
  if (slash == std::string_view::npos) {
    return make_error(Errc::invalid, "\"" + shown + "\" is not a CIDR block: write address/length, as in 10.10.0.0/16");
  }
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return address.error();
  const auto length = parse_u64(text.substr(slash + 1), 128);
  if (!length) return make_error(Errc::invalid, "\"" + shown + "\" has no valid prefix length behind the slash");
  return make(*address, static_cast<int>(*length));
}

Result<Cidr> Cidr::make(IpAddress base, int prefix_length) {
  if (prefix_length < 0 || prefix_length > base.bits()) {
    return make_error(Errc::invalid, "prefix length " + std::to_string(prefix_length) + " does not fit " + base.to_string());
  }
  std::string masked = base.bytes();
  for (int i = prefix_length; i < base.bits(); ++i) {
    auto& byte = masked[static_cast<std::size_t>(i / 8)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) & ~(1U << (7 - i % 8)));
  }
  const IpAddress network = *IpAddress::from_bytes(masked);
  if (network != base) {
    const std::string length = "/" + std::to_string(prefix_length);
    return make_error(Errc::invalid, base.to_string() + length + " has host bits set: did you mean " + network.to_string() + length);
  }
  Cidr block;
  block.base_ = base;
  block.prefix_length_ = prefix_length;
  return block;
}

bool Cidr::contains(const IpAddress& address) const {
  if (address.is_v4() != is_v4()) return false;
  for (int i = 0; i < prefix_length_; ++i) {
    if (address.bit(i) != base_.bit(i)) return false;
  }
  return true;
}

bool Cidr::contains(const Cidr& other) const {
  return other.prefix_length_ >= prefix_length_ && contains(other.base_);
}

bool Cidr::overlaps(const Cidr& other) const { return contains(other) || other.contains(*this); }

std::uint64_t Cidr::address_count() const {
  const int host_bits = base_.bits() - prefix_length_;
  return host_bits >= 64 ? UINT64_MAX : std::uint64_t{1} << host_bits;
}

std::string Cidr::to_string() const { return base_.to_string() + "/" + std::to_string(prefix_length_); }

}  // namespace slipway
