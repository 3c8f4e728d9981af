#pragma once
// Every system call of a kind fails, or kills the coordinator, in turn: the first, the second ... until none is left to hit; or some of
// them, picked at random. The signer's are among them.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/reliability/rotation.hpp"
#include "tests/reliability/tracer.hpp"
#include "tests/support/traced_calls.hpp"

namespace slipway::test {

struct SweepResult {
  std::size_t points = 0;  // calls that were hit
  std::size_t deaths = 0;  // of which the coordinator ended
  bool clean = true;
};

// Which of the calls of a kind are hit.
struct Turns {
  std::size_t expected = 1;         // so many were made when somebody looked
  std::vector<std::size_t> picked;  // empty: all, and no fewer than `expected` are tried
};
Turns all_turns(std::size_t expected);
Turns some_turns(std::size_t expected, std::size_t how_many, std::mt19937_64& random);

// What is called by one join, one renewal and one removal; by the steps of a replacement; from exec until it serves.
CallCounts calls_of_requests(Campaign& campaign);
CallCounts calls_of_rotation(Campaign& campaign, Rotation& rotation);
CallCounts calls_of_start(Campaign& campaign);

// While one node joins, another renews and a third is removed. Counted for each thread, as strace does.
SweepResult sweep_requests(Campaign& campaign, const Injection& injection, const Turns& turns);
// While the operator takes one step of a replacement, for each of `steps`; afterwards the replacement must go on, and what nodes hold
// be verifiable.
SweepResult sweep_rotation(Campaign& campaign, Rotation& rotation, const std::vector<std::string>& steps, const Injection& injection,
                           const Turns& turns);
// From exec until it serves, with the log of an earlier kill to recover.
SweepResult sweep_start(Campaign& campaign, const Injection& injection, const Turns& turns);

}  // namespace slipway::test
