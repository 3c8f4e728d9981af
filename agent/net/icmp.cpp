#include "agent/net/icmp.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>

namespace slipway::net {

namespace {

constexpr std::size_t k_head = 8;  // of every ICMP message
constexpr std::size_t k_v4_header = 20;
constexpr std::size_t k_v6_header = 40;
constexpr std::size_t k_protocol_at = 9;     // in an IPv4 header
constexpr std::size_t k_next_header_at = 6;  // in an IPv6 header
constexpr std::size_t k_fragment_at = 6;     // in an IPv4 header

std::uint8_t byte_at(std::string_view bytes, std::size_t place) {
  return static_cast<std::uint8_t>(bytes[place]);
}

std::uint16_t u16_at(std::string_view bytes, std::size_t place) {
  return static_cast<std::uint16_t>(byte_at(bytes, place) << 8 | byte_at(bytes, place + 1));
}

void put16(std::string& bytes, std::size_t place, std::uint16_t value) {
  bytes[place] = static_cast<char>(value >> 8);
  bytes[place + 1] = static_cast<char>(value);
}

// RFC 1071.
std::uint16_t checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += u16_at(bytes, i);
  if (bytes.size() % 2 == 1) sum += static_cast<std::uint32_t>(byte_at(bytes, bytes.size() - 1)) << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// What follows an IPv4 header. Empty: it is not ICMP, not whole, or a fragment behind the first.
std::string_view within_v4(std::string_view packet) {
  if (packet.size() < k_v4_header || byte_at(packet, 0) >> 4 != 4) return {};
  const std::size_t header = static_cast<std::size_t>(byte_at(packet, 0) & 15) * 4;
  if (header < k_v4_header || packet.size() < header || byte_at(packet, k_protocol_at) != IPPROTO_ICMP)
    return {};
  if ((u16_at(packet, k_fragment_at) & 0x1fff) != 0) return {};
  return packet.substr(header);
}

std::optional<IcmpMessage> about(IcmpKind kind, std::string_view echo, std::uint8_t type,
                                 std::uint32_t mtu = 0) {
  if (echo.size() < k_head || byte_at(echo, 0) != type || byte_at(echo, 1) != 0) return std::nullopt;
  return IcmpMessage{kind, u16_at(echo, 4), u16_at(echo, 6), mtu};
}

IcmpKind v4_kind(std::uint8_t code) {
  switch (code) {
    case ICMP_FRAG_NEEDED:
      return IcmpKind::too_big;
    case ICMP_PROT_UNREACH:
    case ICMP_PORT_UNREACH:
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
      return IcmpKind::refused;
    default:
      return IcmpKind::unreachable;
  }
}

constexpr std::uint8_t k_v6_policy = 5;  // source address failed ingress or egress policy
constexpr std::uint8_t k_v6_reject = 6;  // reject route

IcmpKind v6_kind(std::uint8_t code) {
  switch (code) {
    case ICMP6_DST_UNREACH_ADMIN:
    case ICMP6_DST_UNREACH_NOPORT:
    case k_v6_policy:
    case k_v6_reject:
      return IcmpKind::refused;
    default:
      return IcmpKind::unreachable;
  }
}

// The echo request that an ICMPv6 error carries.
std::string_view within_v6(std::string_view message) {
  const std::string_view packet = message.substr(k_head);
  if (packet.size() < k_v6_header || byte_at(packet, 0) >> 4 != 6 ||
      byte_at(packet, k_next_header_at) != IPPROTO_ICMPV6)
    return {};
  return packet.substr(k_v6_header);
}

}  // namespace

std::string encode_echo(bool v4, std::uint16_t identifier, std::uint16_t sequence, std::size_t packet_bytes) {
  const std::size_t overhead = v4 ? k_v4_echo_overhead : k_v6_echo_overhead;
  std::string message(k_head + std::max(packet_bytes, overhead) - overhead, '\0');
  message[0] = static_cast<char>(v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
  put16(message, 4, identifier);
  put16(message, 6, sequence);
  if (v4) put16(message, 2, checksum(message));
  return message;
}

std::optional<IcmpMessage> decode_icmp_v4(std::string_view packet) {
  const std::string_view message = within_v4(packet);
  if (message.size() < k_head) return std::nullopt;
  switch (byte_at(message, 0)) {
    case ICMP_ECHOREPLY:
      return about(IcmpKind::reply, message, ICMP_ECHOREPLY);
    case ICMP_TIME_EXCEEDED:
      return about(IcmpKind::expired, within_v4(message.substr(k_head)), ICMP_ECHO);
    case ICMP_DEST_UNREACH: {
      const IcmpKind kind = v4_kind(byte_at(message, 1));
      return about(kind, within_v4(message.substr(k_head)), ICMP_ECHO,
                   kind == IcmpKind::too_big ? u16_at(message, 6) : 0);
    }
    default:
      return std::nullopt;
  }
}

std::optional<IcmpMessage> decode_icmp_v6(std::string_view message) {
  if (message.size() < k_head) return std::nullopt;
  switch (byte_at(message, 0)) {
    case ICMP6_ECHO_REPLY:
      return about(IcmpKind::reply, message, ICMP6_ECHO_REPLY);
    case ICMP6_TIME_EXCEEDED:
      return about(IcmpKind::expired, within_v6(message), ICMP6_ECHO_REQUEST);
    case ICMP6_DST_UNREACH:
      return about(v6_kind(byte_at(message, 1)), within_v6(message), ICMP6_ECHO_REQUEST);
    case ICMP6_PACKET_TOO_BIG: {
      const std::uint32_t mtu = static_cast<std::uint32_t>(u16_at(message, 4)) << 16 | u16_at(message, 6);
      return about(IcmpKind::too_big, within_v6(message), ICMP6_ECHO_REQUEST, mtu);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace slipway::net
