#include "tests/support/ping.hpp"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "common/core/result.hpp"

namespace slipway::test {

namespace {

constexpr std::size_t k_head = 8;

std::uint16_t checksum(const std::string& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto high = static_cast<std::uint8_t>(bytes[i]);
    const auto low = static_cast<std::uint8_t>(i + 1 < bytes.size() ? bytes[i + 1] : 0);
    sum += static_cast<std::uint32_t>(high << 8 | low);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void put16(std::string& bytes, std::size_t place, std::uint16_t value) {
  bytes[place] = static_cast<char>(value >> 8);
  bytes[place + 1] = static_cast<char>(value);
}

std::uint16_t get16(const std::string& bytes, std::size_t place) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[place]) << 8 | static_cast<std::uint8_t>(bytes[place + 1]));
}

void set(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) throw std::runtime_error(from_errno("ping option", errno).message);
}

}  // namespace

Ping::Ping(const IpAddress& destination)
    : destination_(destination),
      fd_(::socket(destination.is_v4() ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
                   destination.is_v4() ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6))) {
  if (!fd_) throw std::runtime_error(from_errno("open a raw socket", errno).message);
  static std::atomic<std::uint16_t> next{0};
  identifier_ = static_cast<std::uint16_t>(::getpid() + ++next);
  if (destination.is_v4()) {
    set(fd_.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  } else {
    set(fd_.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
    set(fd_.get(), IPPROTO_IPV6, IPV6_DONTFRAG, 1);
  }
  // So that answers to others' pings do not fill this one's buffer.
  const std::string bytes = destination_.bytes();
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  std::memcpy(destination_.is_v4() ? static_cast<void*>(&v4.sin_addr) : static_cast<void*>(&v6.sin6_addr), bytes.data(), bytes.size());
  const auto* to = destination_.is_v4() ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  unreachable_ = ::connect(fd_.get(), to, destination_.is_v4() ? sizeof v4 : sizeof v6) != 0;  // no route
}

bool Ping::send(std::size_t size) {
  std::string packet(k_head + size, 'x');
  packet[0] = static_cast<char>(destination_.is_v4() ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
  packet[1] = 0;
  put16(packet, 2, 0);
  put16(packet, 4, identifier_);
  put16(packet, 6, ++sequence_);
  if (destination_.is_v4()) put16(packet, 2, checksum(packet));  // the kernel does it for IPv6
  return ::send(fd_.get(), packet.data(), packet.size(), 0) >= 0;
}

std::optional<std::uint16_t> Ping::answered(const std::string& packet) const {
  // IPv4 raw sockets show the IP header.
  const std::size_t skip = destination_.is_v4() && !packet.empty() ? static_cast<std::size_t>(packet[0] & 15) * 4 : 0;
  if (packet.size() < skip + k_head) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(packet[skip]);
  if (type != (destination_.is_v4() ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || get16(packet, skip + 4) != identifier_) return std::nullopt;
  return get16(packet, skip + 6);
}

long Ping::answers(std::chrono::microseconds patience) {
  pollfd waiting{fd_.get(), POLLIN, 0};
  const timespec limit{static_cast<time_t>(patience.count() / 1'000'000), static_cast<long>(patience.count() % 1'000'000) * 1000};
  long count = 0;
  if (patience.count() < 0 || ::ppoll(&waiting, 1, &limit, nullptr) <= 0) return count;
  std::string packet(65536, '\0');
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0) return count;  // no more, or the path said no
    if (answered(packet.substr(0, static_cast<std::size_t>(got)))) ++count;
  }
}

bool Ping::once(std::size_t size, std::chrono::milliseconds patience) {
  if (unreachable_ || !send(size)) return false;
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (left < 0 || ::poll(&waiting, 1, static_cast<int>(left) + 1) <= 0) return false;
    std::string packet(65536, '\0');
    const ssize_t got = ::recv(fd_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return false;  // the path said no
    }
    packet.resize(static_cast<std::size_t>(got));
    if (answered(packet) == sequence_) return true;
  }
}

}  // namespace slipway::test
