#include "coordinator/signer/channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace slipway::signer {

namespace {

constexpr std::size_t k_head = 4;
constexpr std::size_t k_buffer = 16 * 1024;  // all but lists and authorities come with one call
constexpr int k_rest_ms = 10'000;            // for what is missing of a message that has begun
constexpr Seconds k_send_patience{10};

Status set_timeout(int fd, int option, Seconds patience) {
  const timeval time{patience.count(), 0};
  if (::setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) == 0) return {};
  return from_errno("giving the signer's channel a deadline", errno);
}

Error broken(std::string_view doing, int number) {
  if (number == EPIPE || number == ECONNRESET)
    return make_error(Errc::gone, std::string(doing) + ": the other end is closed");
  if (number == EAGAIN)
    return make_error(Errc::timeout, std::string(doing) + ": the other end does not answer");
  return from_errno(doing, number);
}

// At least one byte, or an error. 0: closed.
Result<std::size_t> receive_some(int fd, char* to, std::size_t size) {
  while (true) {
    const ssize_t count = ::recv(fd, to, size, 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return broken("reading from the signer's channel", errno);
  }
}

// Appends until `message` has `size` bytes.
Status receive_rest(int fd, std::string& message, std::size_t size) {
  char buffer[k_buffer];
  while (message.size() < size) {
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, k_rest_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return make_error(Errc::timeout, "reading from the signer's channel: a message does not go on");
    const auto count = receive_some(fd, buffer, std::min(sizeof buffer, size - message.size()));
    if (!count) return count.error();
    if (*count == 0)
      return make_error(Errc::corrupt, "reading from the signer's channel: it ends within a message");
    message.append(buffer, *count);
  }
  return {};
}

std::size_t length_of(std::string_view head) {
  std::size_t length = 0;
  for (const char octet : head) length = length << 8 | static_cast<unsigned char>(octet);
  return length;
}

}  // namespace

Result<ChannelPair> make_channel(Seconds patience) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return from_errno("making the signer's channel", errno);
  ChannelPair pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (const auto set = set_timeout(fds[0], SO_RCVTIMEO, patience); !set) return set.error();
  for (const int fd : fds) {
    if (const auto set = set_timeout(fd, SO_SNDTIMEO, k_send_patience); !set) return set.error();
  }
  return pair;
}

Status send_message(int fd, std::string_view message) {
  char head[k_head];
  for (std::size_t i = 0; i < k_head; ++i) head[i] = static_cast<char>(message.size() >> (24 - 8 * i) & 0xff);
  std::size_t sent = 0;
  const std::size_t all = k_head + message.size();
  while (sent < all) {
    const std::size_t of_head = std::min(sent, k_head), of_message = sent - of_head;
    iovec parts[2] = {{head + of_head, k_head - of_head},
                      {const_cast<char*>(message.data()) + of_message, message.size() - of_message}};
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = 2;
    const ssize_t count = ::sendmsg(fd, &header, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return broken("writing to the signer's channel", errno);
    sent += static_cast<std::size_t>(count);
  }
  return {};
}

Result<std::string> receive_message(int fd, std::size_t most) {
  char buffer[k_buffer];
  const auto first = receive_some(fd, buffer, sizeof buffer);
  if (!first) return first.error();
  if (*first == 0) return make_error(Errc::gone, "the other end of the signer's channel is closed");
  std::string message(buffer, *first);
  if (const auto headed = receive_rest(fd, message, k_head); !headed) return headed.error();
  const std::size_t length = length_of(std::string_view(message).substr(0, k_head));
  if (length > most)
    return make_error(Errc::corrupt,
                      "reading from the signer's channel: a message of " + std::to_string(length) + " bytes");
  // One asks, the other answers: nothing may stand behind a message.
  if (message.size() > k_head + length)
    return make_error(Errc::corrupt, "reading from the signer's channel: two messages at once");
  message.erase(0, k_head);
  if (const auto rest = receive_rest(fd, message, length); !rest) return rest.error();
  return message;
}

}  // namespace slipway::signer
