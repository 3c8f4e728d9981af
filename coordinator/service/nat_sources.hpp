#pragma once
// network.natSources where I/O threads ask for them: the addresses that fleets share. Thread safe.
#include <mutex>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway {

// `from` lies in one of the blocks. Mapped and plain IPv4 are one by now: see http::Peer.
bool in_any(const std::vector<Cidr>& blocks, const IpAddress& from);

class NatSources {
 public:
  void set(std::vector<Cidr> blocks);
  bool contains(const IpAddress& from) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Cidr> blocks_;
};

}  // namespace slipway
