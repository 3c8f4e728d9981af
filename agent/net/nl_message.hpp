#pragma once
// Netlink messages as bytes: writing batches and reading replies. No socket, no kernel header; the kernel's
// replies are nevertheless read with every length checked.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway::net {

// Appends messages to one buffer that is sent with one system call.
class MessageWriter {
 public:
  // Starts a message; `header` is the family header (rtmsg, ifinfomsg ...) as bytes.
  void begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, std::string_view header);
  void attribute(std::uint16_t type, std::string_view data);
  void attribute_u32(std::uint16_t type, std::uint32_t value);  // host byte order
  void end();
  // Sets further flags in the message begun last.
  void add_flags(std::uint16_t flags);

  const std::string& bytes() const { return bytes_; }
  void clear();

 private:
  std::string bytes_;
  std::size_t start_ = 0;
};

// One attribute as bytes, padded: the data of a nested one is such pieces in a row.
std::string attribute_bytes(std::uint16_t type, std::string_view data);

// Views into the buffer that was parsed.
struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  std::string_view payload;  // family header and attributes
  std::uint32_t port = 0;    // of a broadcast: whose request it was
};
struct Attribute {
  std::uint16_t type = 0;  // without the nested and byte-order bits
  std::string_view data;
};

// Errc::corrupt when a length leads outside the buffer.
Result<std::vector<Message>> parse_messages(std::string_view bytes);
Result<std::vector<Attribute>> parse_attributes(std::string_view bytes);

// The attribute's data, or empty.
std::string_view find_attribute(const std::vector<Attribute>& attributes, std::uint16_t type);
std::uint32_t u32_of(std::string_view data);  // 0 unless 4 bytes

// The answer to one request: 0, or an errno with the kernel's own words when it gave some.
struct Ack {
  int error = 0;
  std::string text;
};
// `message` is of type NLMSG_ERROR, or NLMSG_DONE of a dump (without text).
Ack parse_ack(const Message& message);

}  // namespace slipway::net
