#pragma once
// Whether this host has another address for good. Pure; the present time is an argument.
#include <chrono>
#include <optional>

#include "common/core/ip.hpp"

namespace slipway {

// How long a new address has to stand, and the registered one to be gone, before the coordinator is asked: a
// lease that is renewed late, or a link that flaps, is no move.
inline constexpr std::chrono::milliseconds k_address_grace{30'000};

struct AddressSight {
  std::optional<IpAddress>
      towards;  // own address on the way to a coordinator; absent: there is no way at present
  bool registered_is_there = false;  // some link still has the registered one
  bool named = false;  // `towards` is what agent.yaml names: the registered one may stay beside it
};

class AddressWatch {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit AddressWatch(std::chrono::milliseconds grace = k_address_grace) : grace_(grace) {}

  // Where the node has moved to, from the end of the grace time on, for as long as it lasts. Absent: it is
  // where it is registered, or nobody can tell yet.
  std::optional<IpAddress> observe(const IpAddress& registered, const AddressSight& sight, Instant now);
  // Something is under way: look again soon.
  bool waits() const { return candidate_.has_value(); }

 private:
  std::chrono::milliseconds grace_;
  std::optional<IpAddress> candidate_;
  Instant since_{};
};

}  // namespace slipway
