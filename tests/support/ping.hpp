#pragma once
// ICMP echo from the network namespace of the calling thread, without a ping program. Needs root.
#include <chrono>
#include <cstdint>
#include <string>

#include "common/core/ip.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::test {

class Ping {
 public:
  // Throws when there is no socket for it.
  explicit Ping(const IpAddress& destination);

  // One echo with `size` bytes of data that must not be cut into fragments. False: no answer in that time, or none can come.
  bool once(std::size_t size = 56, std::chrono::milliseconds patience = std::chrono::milliseconds(2000));

 private:
  bool send(std::size_t size);
  bool is_answer(const std::string& packet) const;

  IpAddress destination_;
  UniqueFd fd_;
  bool unreachable_ = false;
  std::uint16_t identifier_ = 0;
  std::uint16_t sequence_ = 0;
};

}  // namespace slipway::test
