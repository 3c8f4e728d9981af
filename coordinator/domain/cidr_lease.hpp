#pragma once
// What is recorded of blocks of pod addresses: who has one, and which ones rest. Pure values.
#include <cstdint>
#include <string>

#include "common/core/ip.hpp"
#include "common/core/time.hpp"

namespace slipway {

struct CidrOwner {
  std::string uid;               // node identity, not its name or address
  std::uint64_t generation = 0;  // counts registrations of the node's name
  bool operator==(const CidrOwner&) const = default;
};

struct QuarantinedBlock {
  Cidr prefix;
  CidrOwner owner;             // the last one
  WallTime since{};
  std::uint64_t revision = 0;  // of the desired state that removed it: agents that applied it route there no more
  std::uint64_t order = 0;     // first in, first out
  bool operator==(const QuarantinedBlock&) const = default;
};

// When a block that was given back may be given out again: both must hold, while there are others.
struct Maturity {
  WallTime now{};
  Seconds min_age{600};  // of the coordinator's settings; 0: an operator wants none
  std::uint64_t acknowledged = 0;  // every live agent has applied this revision
};

}  // namespace slipway
