#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace slipway {

// Free blocks of one size. A summary bit says whether its 64 bits below hold any: the lowest is found in one step a level.
class FreeMap {
 public:
  explicit FreeMap(std::uint64_t blocks = 0);
  bool test(std::uint64_t index) const;
  void set(std::uint64_t index);
  void clear(std::uint64_t index);
  std::optional<std::uint64_t> lowest() const;
  std::uint64_t count() const { return count_; }
  bool operator==(const FreeMap&) const = default;

 private:
  std::vector<std::vector<std::uint64_t>> levels_;  // [0] the blocks, each next one summarises
  std::uint64_t count_ = 0;
};

}  // namespace slipway
