#include "coordinator/domain/free_map.hpp"

#include <bit>

namespace slipway {

FreeMap::FreeMap(std::uint64_t blocks) {
  if (blocks == 0) return;
  do {
    blocks = (blocks + 63) / 64;
    levels_.emplace_back(blocks, 0);
  } while (blocks > 1);
}

bool FreeMap::test(std::uint64_t index) const { return (levels_[0][index / 64] >> (index % 64) & 1) != 0; }

void FreeMap::set(std::uint64_t index) {
  if (test(index)) return;
  ++count_;
  for (auto& level : levels_) {
    auto& word = level[index / 64];
    const bool summarised = word != 0;
    word |= std::uint64_t{1} << (index % 64);
    if (summarised) return;
    index /= 64;
  }
}

void FreeMap::clear(std::uint64_t index) {
  if (!test(index)) return;
  --count_;
  for (auto& level : levels_) {
    auto& word = level[index / 64];
    word &= ~(std::uint64_t{1} << (index % 64));
    if (word != 0) return;
    index /= 64;
  }
}

std::optional<std::uint64_t> FreeMap::lowest() const {
  if (count_ == 0) return std::nullopt;
  std::uint64_t index = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    index = index * 64 + static_cast<std::uint64_t>(std::countr_zero((*level)[index]));
  }
  return index;
}

}  // namespace slipway
