#include "coordinator/domain/probe_peers.hpp"

namespace slipway {

std::vector<std::size_t> probe_peers(std::size_t count, std::size_t self) {
  std::vector<std::size_t> peers;
  if (count <= 1 || self >= count) return peers;
  if (count - 1 <= k_probe_peers) {
    for (std::size_t other = 0; other < count; ++other)
      if (other != self) peers.push_back(other);
    return peers;
  }
  // Distances all over the half of the ring, in both directions: no two are the same place, because each is
  // less than half way round.
  const std::size_t half = (count - 1) / 2;
  const std::size_t distances = k_probe_peers / 2;
  for (std::size_t i = 0; i < distances; ++i) {
    const std::size_t distance = 1 + i * half / distances;
    peers.push_back((self + distance) % count);
    peers.push_back((self + count - distance) % count);
  }
  return peers;
}

}  // namespace slipway
