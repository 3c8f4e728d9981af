#include <catch2/catch.hpp>

#include "agent/net/icmp.hpp"

using namespace slipway::net;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

// An IPv4 header of `words` times four bytes before `message`.
std::string v4_packet(const std::string& message, int protocol = 1, int words = 5, int fragment = 0) {
  std::string header(static_cast<std::size_t>(words) * 4, '\0');
  header[0] = static_cast<char>(0x40 | words);
  header[6] = static_cast<char>(fragment >> 8);
  header[7] = static_cast<char>(fragment);
  header[9] = static_cast<char>(protocol);
  return header + message;
}

std::string v6_packet(const std::string& message, int next_header = 58) {
  std::string header(40, '\0');
  header[0] = 0x60;
  header[6] = static_cast<char>(next_header);
  return header + message;
}

const std::string k_v4_request = bytes({8, 0, 0, 0, 0x12, 0x34, 0, 7});
const std::string k_v6_request = bytes({128, 0, 0, 0, 0x12, 0x34, 0, 7});

std::string v4_error(int type, int code, int mtu = 0, const std::string& about = v4_packet(k_v4_request)) {
  return v4_packet(bytes({type, code, 0, 0, 0, 0, mtu >> 8, mtu & 255}) + about);
}
std::string v6_error(int type, int code, int mtu = 0, const std::string& about = v6_packet(k_v6_request)) {
  return bytes({type, code, 0, 0, 0, 0, mtu >> 8, mtu & 255}) + about;
}

IcmpMessage told(IcmpKind kind, std::uint32_t mtu = 0) {
  return {kind, 0x1234, 7, mtu};
}

}  // namespace

TEST_CASE("icmp: an echo request has the length of its whole packet, and IPv4's checksum", "[icmp]") {
  const std::string v4 = encode_echo(true, 0x1234, 7, 1500);
  CHECK(v4.size() == 1480);
  CHECK(v4.substr(0, 8) == bytes({8, 0, 0xe5, 0xc4, 0x12, 0x34, 0, 7}));
  const std::string v6 = encode_echo(false, 0x1234, 7, 1500);
  CHECK(v6.size() == 1460);
  CHECK(v6.substr(0, 8) == k_v6_request);
  CHECK(encode_echo(true, 1, 1, 0).size() == 8);
  CHECK(encode_echo(false, 1, 1, 47).size() == 8);
  CHECK(encode_echo(true, 1, 1, 29).size() == 9);
}

TEST_CASE("icmp: replies and errors name the request they are about", "[icmp]") {
  CHECK(decode_icmp_v4(v4_packet(bytes({0, 0, 0, 0, 0x12, 0x34, 0, 7}))) == told(IcmpKind::reply));
  CHECK(decode_icmp_v4(v4_packet(bytes({0, 0, 0, 0, 0x12, 0x34, 0, 7, 9, 9}), 1, 6)) ==
        told(IcmpKind::reply));
  CHECK(decode_icmp_v6(bytes({129, 0, 0, 0, 0x12, 0x34, 0, 7})) == told(IcmpKind::reply));
  for (const int code : {0, 1, 5}) CHECK(decode_icmp_v4(v4_error(3, code)) == told(IcmpKind::unreachable));
  for (const int code : {2, 3, 9, 10, 13})
    CHECK(decode_icmp_v4(v4_error(3, code)) == told(IcmpKind::refused));
  for (const int code : {0, 2, 3}) CHECK(decode_icmp_v6(v6_error(1, code)) == told(IcmpKind::unreachable));
  for (const int code : {1, 4, 5, 6}) CHECK(decode_icmp_v6(v6_error(1, code)) == told(IcmpKind::refused));
  CHECK(decode_icmp_v4(v4_error(3, 4, 1400)) == told(IcmpKind::too_big, 1400));
  CHECK(decode_icmp_v4(v4_error(3, 4)) == told(IcmpKind::too_big));
  CHECK(decode_icmp_v6(v6_error(2, 0, 1280)) == told(IcmpKind::too_big, 1280));
  CHECK(decode_icmp_v4(v4_error(11, 0)) == told(IcmpKind::expired));
  CHECK(decode_icmp_v6(v6_error(3, 0)) == told(IcmpKind::expired));
}

TEST_CASE("icmp: what is not about an echo request is nothing", "[icmp]") {
  CHECK_FALSE(decode_icmp_v4(v4_packet(k_v4_request)));
  CHECK_FALSE(decode_icmp_v6(k_v6_request));
  CHECK_FALSE(decode_icmp_v4(v4_packet(bytes({0, 0, 0, 0, 0x12, 0x34, 0, 7}), 17)));
  CHECK_FALSE(decode_icmp_v4(v4_error(3, 1, 0, v4_packet(k_v4_request, 6))));
  CHECK_FALSE(decode_icmp_v4(v4_error(3, 1, 0, v4_packet(bytes({0, 0, 0, 0, 0x12, 0x34, 0, 7})))));
  CHECK_FALSE(decode_icmp_v6(v6_error(1, 3, 0, v6_packet(k_v6_request, 17))));
  CHECK_FALSE(decode_icmp_v4(v4_error(3, 1, 0, v4_packet(k_v4_request, 1, 5, 0x00b9))));
  CHECK(decode_icmp_v4(v4_error(3, 1, 0, v4_packet(k_v4_request, 1, 5, 0x4000))));  // don't fragment
  CHECK_FALSE(decode_icmp_v4("\x60" + v4_packet(k_v4_request).substr(1)));
  CHECK_FALSE(decode_icmp_v4(v4_packet(bytes({0, 1, 0, 0, 0x12, 0x34, 0, 7}))));
}

TEST_CASE("icmp: no length and no header makes the decoders read elsewhere", "[icmp]") {
  for (const std::string& whole :
       {v4_error(3, 4, 1400), v4_error(11, 0), v4_packet(bytes({0, 0, 0, 0, 1, 2, 3, 4}))}) {
    for (std::size_t length = 0; length < whole.size(); ++length)
      CHECK_FALSE(decode_icmp_v4(std::string(whole.substr(0, length))));
  }
  for (const std::string& whole : {v6_error(2, 0, 1280), v6_error(1, 3), bytes({129, 0, 0, 0, 1, 2, 3, 4})}) {
    for (std::size_t length = 0; length < whole.size(); ++length)
      CHECK_FALSE(decode_icmp_v6(std::string(whole.substr(0, length))));
  }
  // A header that says it is longer than all, or shorter than a header.
  for (const int words : {0, 1, 4, 15}) {
    std::string packet = v4_error(3, 4, 1400);
    packet[0] = static_cast<char>(0x40 | words);
    CHECK_FALSE(decode_icmp_v4(packet));
    std::string within = v4_packet(k_v4_request);
    within[0] = static_cast<char>(0x40 | words);
    CHECK_FALSE(decode_icmp_v4(v4_error(3, 4, 1400, within)));
  }
}
