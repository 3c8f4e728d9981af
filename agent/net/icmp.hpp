#pragma once
// Echo requests as bytes, and what comes back for them (RFC 792, RFC 4443). Pure; any bytes may be given to
// the decoders.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::net {

enum class IcmpKind {
  reply,
  unreachable,  // no way to the host, or nobody there
  refused,  // a packet filter's word: nothing else says "prohibited", or "no such port" to an echo request
  too_big,  // for a link on the way
  expired,  // went in a circle, or too far
};

// What a message says of the echo request with this identifier and sequence number.
struct IcmpMessage {
  IcmpKind kind = IcmpKind::reply;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  std::uint32_t mtu = 0;  // of too_big; 0: an old router that does not tell
  bool operator==(const IcmpMessage&) const = default;
};

// Headers of IP and ICMP.
inline constexpr std::size_t k_v4_echo_overhead = 28;
inline constexpr std::size_t k_v6_echo_overhead = 48;
inline constexpr std::size_t k_small_echo = 84;  // bytes of a whole IPv4 packet, as of the ping program

// The message without an IP header; with one it is `packet_bytes` long, or as short as can be. IPv6's
// checksum is left to the kernel.
std::string encode_echo(bool v4, std::uint16_t identifier, std::uint16_t sequence, std::size_t packet_bytes);

// As a raw socket gives it: with the IP header. Empty: not about an echo request, or not whole.
std::optional<IcmpMessage> decode_icmp_v4(std::string_view packet);
// As a raw socket gives it: without one.
std::optional<IcmpMessage> decode_icmp_v6(std::string_view message);

}  // namespace slipway::net
