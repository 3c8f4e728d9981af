#pragma once
// How often agents are told of changes. Pure.
#include <algorithm>
#include <chrono>
#include <cstddef>

namespace slipway {

// The rest after the agents were told of something, until they are told of the next: what comes meanwhile is one answer for each. To tell an
// agent costs about 15 us, and a fifth of a core is what telling may take. After a quiet time the first change is told at once.
inline std::chrono::milliseconds feed_window(std::size_t agents) {
  constexpr std::chrono::microseconds k_each{15 * 5};
  const auto window = std::chrono::duration_cast<std::chrono::milliseconds>(k_each * agents);
  return std::clamp(window, std::chrono::milliseconds(20), std::chrono::milliseconds(1'000));
}

// The rest after a whole state was encoded, which takes about 2 us a node: a few percent of a core while nodes join by the hundred.
inline std::chrono::milliseconds document_rest(std::size_t nodes) { return std::min(std::chrono::milliseconds(nodes / 10), std::chrono::milliseconds(1'000)); }

}  // namespace slipway
