#pragma once
// Which broadcasts of rtnetlink a socket is woken for.
#include <cstdint>

namespace slipway::net {

// Lets the kernel throw away neighbours and forwarding entries that are not of the interface `overlay` (0: all of them), and
// changes of neighbours and routes that came from the socket `own_port` (0: not known). Everything else passes. Where the kernel
// takes no filter everything does.
void filter_events(int fd, std::uint32_t own_port, int overlay);

}  // namespace slipway::net
