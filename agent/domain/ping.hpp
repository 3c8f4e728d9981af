#pragma once
// An echo request and what came of it. Values only; the port is agent/ports/pinger.hpp.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/core/ip.hpp"

namespace slipway {

struct Ping {
  IpAddress from;  // an address of this host, of the family of `to`
  IpAddress to;
  std::size_t bytes = 0;  // of the whole IP packet, which nobody may cut into fragments; 0: a small one
  bool operator==(const Ping&) const = default;
};

enum class PingResult {
  answered,
  silent,       // it left, and nothing came back
  no_route,     // this host has no way there
  unreachable,  // a host on the way, or this one, says that the destination is not there
  refused,      // a packet filter says no
  too_big,      // for an interface of this host, or for the way
};
std::string_view to_string(
    PingResult result);  // "answered", "silent", "no-route", "unreachable", "refused", "too-big"

struct PingOutcome {
  PingResult result = PingResult::silent;
  std::uint32_t mtu = 0;  // of too_big: what would go through, as far as it was told; 0: it was not
  bool operator==(const PingOutcome&) const = default;
};

}  // namespace slipway
