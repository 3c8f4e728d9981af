#pragma once
// Coordinators that do wrong: each must be caught by its rule, or the silence of all the other tests means nothing. The program is the
// real one; what is false is the disk under it.
#include <string>

namespace slipway::test {

// `bin`: the programs and libslipway_disk_lie.so; `parent`: where the clusters live. True: all were caught.
bool run_planted(const std::string& bin, const std::string& parent, std::uint64_t seed);

}  // namespace slipway::test
