#pragma once
// What rtnetlink tells (linux/rtnetlink.h, if_link.h, neighbour.h) as values. Pure; every length is checked.
#include <cstdint>
#include <optional>

#include "agent/domain/network_plan.hpp"
#include "agent/net/nl_message.hpp"

namespace slipway::net {

// Errc::corrupt when the message does not hold together. An empty value: it is about something else.
Result<std::optional<NetworkLink>> read_link(const Message& message);  // without addresses

struct FoundAddress {
  int link = 0;
  LinkAddress address;
  bool learnt = false;  // IPv6, beyond the link and for a time only: of a router's advertisement, or of DHCP
};
Result<std::optional<FoundAddress>> read_address(const Message& message);

// Routes of the main table with our protocol number.
Result<std::optional<MarkedRoute>> read_marked_route(const Message& message);

// The destination of a route of the main table that leads to `link` itself, without a gateway.
Result<std::optional<Cidr>> read_connected_route(const Message& message, int link);

// The interface of a route of IPv6 that the kernel has from a router's advertisement.
Result<std::optional<int>> read_learnt_route(const Message& message);

// Of `link`: permanent ones, whoever made them.
Result<std::optional<Neighbour>> read_neighbour(const Message& message, int link);
Result<std::optional<ForwardingEntry>> read_forwarding(const Message& message, int link);

}  // namespace slipway::net
