#pragma once
// Desired states never go back: which one may follow another. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "proto/desired_types.hpp"

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

// A whole desired state in which most of the nodes are missing, and how often in a row it has been told.
struct Doubt {
  DesiredPlace place;
  int told = 0;
};
// The first time, and so many times more.
inline constexpr int k_confirmations = 2;

// Whether fewer than half of the nodes held, by uid, are among those offered.
bool loses_most(const std::vector<proto::PeerNode>& held, const std::vector<proto::PeerNode>& offered);
// `doubt` after such a state was offered: one more when it is of the same epoch and not older, else the first.
Doubt told_again(const Doubt& doubt, const DesiredPlace& offered);
// Errc::conflict: not told often enough. An answer that is halved by a fault of the coordinator must not take the routes of a cluster.
Status confirmed(const Doubt& doubt);

}  // namespace slipway
