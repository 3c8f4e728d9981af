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
};
Result<std::optional<FoundAddress>> read_address(const Message& message);

// Routes of the main table with our protocol number.
Result<std::optional<MarkedRoute>> read_marked_route(const Message& message);

// Of `link`: permanent ones, whoever made them.
Result<std::optional<Neighbour>> read_neighbour(const Message& message, int link);
Result<std::optional<ForwardingEntry>> read_forwarding(const Message& message, int link);

}  // namespace slipway::net
