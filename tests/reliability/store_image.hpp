#pragma once
// What a coordinator's store holds, read from a copy of its files: the original is left as the crash left it, log and all.
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "tests/support/crash_checker.hpp"

namespace slipway::test {

// Copies the store of `data_dir` to `copy_dir` (made anew), recovers the copy and reads it.
Result<StoreImage> read_store(const std::string& data_dir, const std::string& copy_dir);

// A store as a coordinator with a fault would have left it.
struct PlantedBug {
  std::string what;
  std::string rule;  // that must catch it: "I1" ...
};
const std::vector<PlantedBug>& planted_bugs();
// Breaks the store below `copy_dir`, which read_store() has made, and reads it again.
Result<StoreImage> plant(std::size_t bug, const std::string& copy_dir);

}  // namespace slipway::test
