#include "agent/net/nl_message.hpp"

#include <linux/netlink.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

using namespace slipway;
using namespace slipway::net;

TEST_CASE("netlink messages written are read back", "[nl_message]") {
  MessageWriter writer;
  writer.begin(24, NLM_F_REQUEST, 7, "header12");
  writer.attribute(1, "abc");
  writer.attribute_u32(6, 0xdeadbeef);
  writer.end();
  writer.begin(25, 0, 8, "hdr!");
  writer.end();
  writer.add_flags(NLM_F_ACK);

  const auto messages = parse_messages(writer.bytes());
  REQUIRE(messages);
  REQUIRE(messages->size() == 2);
  CHECK((*messages)[0].type == 24);
  CHECK((*messages)[0].flags == NLM_F_REQUEST);
  CHECK((*messages)[0].sequence == 7);
  CHECK((*messages)[1].flags == NLM_F_ACK);
  const auto attributes = parse_attributes((*messages)[0].payload.substr(8));
  REQUIRE(attributes);
  CHECK(find_attribute(*attributes, 1) == "abc");
  CHECK(u32_of(find_attribute(*attributes, 6)) == 0xdeadbeef);
  CHECK(find_attribute(*attributes, 9).empty());
}

TEST_CASE("lengths that lead outside are refused", "[nl_message]") {
  MessageWriter writer;
  writer.begin(24, 0, 1, "head");
  writer.attribute(1, "abcd");
  writer.end();
  std::string bytes = writer.bytes();
  CHECK(parse_messages(bytes.substr(0, bytes.size() - 1)).error().code == Errc::corrupt);
  bytes[0] = 15;  // shorter than its own header
  CHECK_FALSE(parse_messages(bytes));
  CHECK_FALSE(parse_attributes(std::string("\x09\x00\x01\x00xxxx", 8)));
  CHECK_FALSE(parse_attributes(std::string("\x03\x00\x01\x00", 4)));
}

TEST_CASE("an answer's error and words are read, also from a short or wild one", "[nl_message]") {
  nlmsgerr answer{};
  answer.error = -22;
  answer.msg.nlmsg_len = sizeof(nlmsghdr);
  std::string payload(reinterpret_cast<const char*>(&answer), sizeof answer);
  const std::string words = "Nexthop has invalid gateway";
  nlattr head{};
  head.nla_type = NLMSGERR_ATTR_MSG;
  head.nla_len = static_cast<std::uint16_t>(sizeof head + words.size() + 1);
  payload.append(reinterpret_cast<const char*>(&head), sizeof head).append(words).push_back('\0');
  const Ack ack = parse_ack({NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, 1, payload});
  CHECK(ack.error == 22);
  CHECK(ack.text == words);
  CHECK(parse_ack({NLMSG_ERROR, 0, 1, std::string_view("\xff", 1)}).error == 0);

  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(random() % 64, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    (void)parse_ack({NLMSG_ERROR, static_cast<std::uint16_t>(random()), 1, noise});
    (void)parse_messages(noise);
    (void)parse_attributes(noise);
  }
}
