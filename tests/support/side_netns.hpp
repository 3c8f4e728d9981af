#pragma once
// Further network namespaces beside the thread's own: another host, a pod. And datagrams between them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"
#include "tests/support/netns.hpp"

namespace slipway::test {

// Needs root.
class SideNamespace {
 public:
  SideNamespace() {
    const UniqueFd home = current();
    if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error(from_errno("new network namespace", errno).message);
    fd_ = current();
    back_to(home);
    run("ip link set lo up");
  }

  // Tools and sockets of `work` are this namespace's.
  template <class Work>
  auto within(Work work) const {
    struct Visit {
      UniqueFd home;
      ~Visit() { back_to(home); }
    };
    const Visit visit{current()};
    if (::setns(fd_.get(), CLONE_NEWNET) != 0) throw std::runtime_error(from_errno("setns", errno).message);
    return work();
  }
  std::string run(const std::string& line) const {
    return within([&line] { return run_words(line); });
  }
  // For "ip link set DEVICE netns ...".
  std::string place() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.get()); }

 private:
  static UniqueFd current() {
    UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd) throw std::runtime_error(from_errno("this network namespace", errno).message);
    return fd;
  }
  static void back_to(const UniqueFd& home) {
    // A thread left in the wrong namespace would spoil every later test.
    if (::setns(home.get(), CLONE_NEWNET) != 0) std::abort();
  }

  UniqueFd fd_;
};

// A UDP socket of the namespace it was made in, with a port that the kernel chose, or one that somebody else has to know before.
class Datagrams {
 public:
  explicit Datagrams(const IpAddress& address, int port = 0) : v4_(address.is_v4()) {
    fd_.reset(::socket(v4_ ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own = storage(address, port);
    if (!fd_ || ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&own), size()) != 0)
      throw std::runtime_error(from_errno("bind " + address.to_string(), errno).message);
    socklen_t length = size();
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &length);
    port_ = ntohs(v4_ ? reinterpret_cast<sockaddr_in&>(own).sin_port : reinterpret_cast<sockaddr_in6&>(own).sin6_port);
  }
  int port() const { return port_; }

  void send(const IpAddress& to, int port) {
    const sockaddr_storage other = storage(to, port);
    // What the packet filter rejected is told by the next call; that is not what is asked here.
    for (int tries = 0; tries < 2; ++tries)
      if (::sendto(fd_.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&other), size()) == 1) return;
  }
  // The source of the next datagram, or "" when none comes in time.
  std::string source(int wait_ms) {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, wait_ms) != 1) return "";
    std::array<char, 64> data{};
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    if (::recvfrom(fd_.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&from), &length) < 0) return "";
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* address = v4_ ? static_cast<const void*>(&reinterpret_cast<sockaddr_in&>(from).sin_addr)
                              : static_cast<const void*>(&reinterpret_cast<sockaddr_in6&>(from).sin6_addr);
    ::inet_ntop(v4_ ? AF_INET : AF_INET6, address, text.data(), text.size());
    return text.data();
  }

 private:
  socklen_t size() const { return v4_ ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  sockaddr_storage storage(const IpAddress& address, int port) const {
    sockaddr_storage out{};
    const std::string bytes = address.bytes();
    if (v4_) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(out);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(static_cast<std::uint16_t>(port));
      std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(static_cast<std::uint16_t>(port));
      std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    }
    return out;
  }

  bool v4_;
  UniqueFd fd_;
  int port_ = 0;
};

}  // namespace slipway::test
