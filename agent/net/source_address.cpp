#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "agent/net/rtnetlink.hpp"

namespace slipway::net {

Result<IpAddress> source_address(const IpAddress& remote) {
  UniqueFd fd(::socket(remote.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return from_errno("open a socket", errno);
  sockaddr_storage where{};
  socklen_t size = 0;
  const std::string bytes = remote.bytes();
  if (remote.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&where);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(9);  // no packet is sent
    std::memcpy(&v4->sin_addr, bytes.data(), 4);
    size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&where);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(9);
    std::memcpy(&v6->sin6_addr, bytes.data(), 16);
    size = sizeof *v6;
  }
  auto* address = reinterpret_cast<sockaddr*>(&where);
  if (::connect(fd.get(), address, size) != 0)
    return from_errno("find a route to " + remote.to_string(), errno);
  if (::getsockname(fd.get(), address, &size) != 0) return from_errno("read the own address", errno);
  const char* own = remote.is_v4()
                        ? reinterpret_cast<const char*>(&reinterpret_cast<sockaddr_in*>(&where)->sin_addr)
                        : reinterpret_cast<const char*>(&reinterpret_cast<sockaddr_in6*>(&where)->sin6_addr);
  const auto found = IpAddress::from_bytes({own, bytes.size()});
  if (!found) return make_error(Errc::internal, "own address of a wrong size");
  return *found;
}

}  // namespace slipway::net
