#include "agent/net/event_filter.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>

namespace slipway::net {

namespace {

sock_filter load(int size, std::size_t offset) {
  return {static_cast<std::uint16_t>(BPF_LD | BPF_ABS | size), 0, 0, static_cast<std::uint32_t>(offset)};
}
// Over so many instructions, whether what was loaded is `value` or not.
sock_filter jump(std::uint32_t value, std::uint8_t equal, std::uint8_t other) {
  return {BPF_JMP | BPF_JEQ | BPF_K, equal, other, value};
}
sock_filter verdict(bool pass) {
  return {BPF_RET | BPF_K, 0, 0, pass ? 0xffffffffU : 0};
}

}  // namespace

// The program sees one message a time. Its loads are in network byte order, messages in the host's.
void filter_events(int fd, std::uint32_t own_port, int overlay) {
  constexpr std::uint32_t k_nobody = 0xffffffffU;  // no socket's name
  std::array<sock_filter, 11> program = {{
      load(BPF_H, offsetof(nlmsghdr, nlmsg_type)),
      jump(htons(RTM_NEWNEIGH), 3, 0),
      jump(htons(RTM_DELNEIGH), 2, 0),
      jump(htons(RTM_NEWROUTE), 3, 0),
      jump(htons(RTM_DELROUTE), 2, 4),
      load(BPF_W, NLMSG_HDRLEN + offsetof(ndmsg, ndm_ifindex)),
      jump(htonl(static_cast<std::uint32_t>(overlay)), 0, 3),
      load(BPF_W, offsetof(nlmsghdr, nlmsg_pid)),
      jump(htonl(own_port == 0 ? k_nobody : own_port), 1, 0),
      verdict(true),
      verdict(false),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  (void)::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

}  // namespace slipway::net
