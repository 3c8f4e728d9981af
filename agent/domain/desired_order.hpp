#pragma once
// Desired states never go back: which one may follow another. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct DesiredPlace {
  std::string epoch;  // UUID of a history
  std::uint64_t revision = 0;
};

// Remembered epochs that were left; of more the oldest is forgotten.
inline constexpr std::size_t k_left_epochs = 32;

// Within an epoch revisions do not fall; an epoch that was left (`left`, the oldest first) does not come back. Errc::conflict otherwise:
// it is an old copy of the store that speaks.
Status may_follow(const DesiredPlace& held, const std::vector<std::string>& left, const DesiredPlace& offered);
// `left` after the step from `held` to `offered`, which may follow.
std::vector<std::string> epochs_left(const DesiredPlace& held, std::vector<std::string> left, const DesiredPlace& offered);

}  // namespace slipway
