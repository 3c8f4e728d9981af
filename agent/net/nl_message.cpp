#include "agent/net/nl_message.hpp"

#include <linux/netlink.h>

#include <cstring>

namespace slipway::net {

namespace {

template <class T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
T read_as(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
  return value;
}

std::size_t aligned(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

}  // namespace

void MessageWriter::begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                          std::string_view header) {
  start_ = bytes_.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = sequence;
  bytes_.append(as_bytes(head)).append(header);
  bytes_.resize(aligned(bytes_.size()), '\0');
}

std::string attribute_bytes(std::uint16_t type, std::string_view data) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<std::uint16_t>(sizeof head + data.size());
  std::string bytes(as_bytes(head));
  bytes.append(data);
  bytes.resize(aligned(bytes.size()), '\0');
  return bytes;
}

void MessageWriter::attribute(std::uint16_t type, std::string_view data) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<std::uint16_t>(sizeof head + data.size());
  bytes_.append(as_bytes(head)).append(data);
  bytes_.resize(aligned(bytes_.size()), '\0');
}

void MessageWriter::attribute_u32(std::uint16_t type, std::uint32_t value) {
  attribute(type, as_bytes(value));
}

void MessageWriter::end() {
  const auto length = static_cast<std::uint32_t>(bytes_.size() - start_);
  std::memcpy(bytes_.data() + start_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void MessageWriter::add_flags(std::uint16_t flags) {
  char* place = bytes_.data() + start_ + offsetof(nlmsghdr, nlmsg_flags);
  std::uint16_t now = 0;
  std::memcpy(&now, place, sizeof now);
  now = static_cast<std::uint16_t>(now | flags);
  std::memcpy(place, &now, sizeof now);
}

void MessageWriter::clear() {
  bytes_.clear();
  start_ = 0;
}

Result<std::vector<Message>> parse_messages(std::string_view bytes) {
  std::vector<Message> out;
  while (bytes.size() >= sizeof(nlmsghdr)) {
    const auto head = read_as<nlmsghdr>(bytes);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > bytes.size())
      return make_error(Errc::corrupt, "netlink message with a length outside its packet");
    out.push_back(Message{head.nlmsg_type, head.nlmsg_flags, head.nlmsg_seq,
                          bytes.substr(sizeof head, head.nlmsg_len - sizeof head), head.nlmsg_pid});
    bytes.remove_prefix(std::min(bytes.size(), aligned(head.nlmsg_len)));
  }
  return out;
}

Result<std::vector<Attribute>> parse_attributes(std::string_view bytes) {
  std::vector<Attribute> out;
  while (bytes.size() >= sizeof(nlattr)) {
    const auto head = read_as<nlattr>(bytes);
    if (head.nla_len < sizeof head || head.nla_len > bytes.size())
      return make_error(Errc::corrupt, "netlink attribute with a length outside its message");
    out.push_back(Attribute{static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
                            bytes.substr(sizeof head, head.nla_len - sizeof head)});
    bytes.remove_prefix(std::min(bytes.size(), aligned(head.nla_len)));
  }
  return out;
}

std::string_view find_attribute(const std::vector<Attribute>& attributes, std::uint16_t type) {
  for (const Attribute& attribute : attributes)
    if (attribute.type == type) return attribute.data;
  return {};
}

std::uint32_t u32_of(std::string_view data) {
  return data.size() == 4 ? read_as<std::uint32_t>(data) : 0;
}

Ack parse_ack(const Message& message) {
  Ack ack;
  if (message.payload.size() < sizeof(int)) return ack;
  ack.error = -read_as<int>(message.payload);
  if (message.type != NLMSG_ERROR || (message.flags & NLM_F_ACK_TLVS) == 0 ||
      message.payload.size() < sizeof(nlmsgerr))
    return ack;
  // The request's header follows the error, its body too unless the answer is capped; then the attributes.
  const auto answer = read_as<nlmsgerr>(message.payload);
  std::size_t skip = sizeof answer;
  if ((message.flags & NLM_F_CAPPED) == 0 && answer.msg.nlmsg_len >= sizeof answer.msg)
    skip += aligned(answer.msg.nlmsg_len) - sizeof answer.msg;
  if (skip > message.payload.size()) return ack;
  const auto attributes = parse_attributes(message.payload.substr(skip));
  if (!attributes) return ack;
  std::string_view text = find_attribute(*attributes, NLMSGERR_ATTR_MSG);
  ack.text = text.substr(0, text.find('\0'));
  return ack;
}

}  // namespace slipway::net
