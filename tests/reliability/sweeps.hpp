#pragma once
// System calls of a real coordinator fail or kill it: which, how often, in what.
#include <cstdint>
#include <string>

namespace slipway::test {

struct SweepOptions {
  std::string bin;
  std::string parent;
  std::uint64_t seed = 1;
  bool all = false;  // every single call; otherwise some of each kind, picked by the seed
};

// True: clean.
bool run_sweeps(const SweepOptions& options);

}  // namespace slipway::test
