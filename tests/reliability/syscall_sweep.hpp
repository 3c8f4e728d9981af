#pragma once
// Every system call of a kind fails, or kills the coordinator, in turn: the first, the second ... until none is left to fail.
#include <string>
#include <vector>

#include "tests/reliability/campaign.hpp"

namespace slipway::test {

struct Injection {
  std::string call;    // strace's name
  std::string effect;  // "signal=KILL", "error=EIO", "error=ENOSPC"
};

struct SweepResult {
  std::size_t points = 0;  // calls that were hit
  std::size_t deaths = 0;  // of which the coordinator ended
  bool clean = true;
};

// While one node joins, another renews and a third is removed. Counted for each thread, as strace does. Takes every `stride`-th
// call; `most` bounds the sweep.
SweepResult sweep_requests(Campaign& campaign, const Injection& injection, std::size_t stride, std::size_t most);
// From exec until it serves, with the log of an earlier kill to recover.
SweepResult sweep_start(Campaign& campaign, const Injection& injection, std::size_t stride, std::size_t most);

}  // namespace slipway::test
