#pragma once
// ICMP echo from the network namespace of the calling thread, without a ping program. Needs root.
#include <chrono>
#include <cstdint>
#include <optional>
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

  // Without waiting: one echo, and later the answers to any that was sent, as many as are there or come first within `patience`.
  bool send(std::size_t size);
  long answers(std::chrono::microseconds patience);

 private:
  // The sequence number that it answers, of an echo of ours.
  std::optional<std::uint16_t> answered(const std::string& packet) const;

  IpAddress destination_;
  UniqueFd fd_;
  bool unreachable_ = false;
  std::uint16_t identifier_ = 0;
  std::uint16_t sequence_ = 0;
};

}  // namespace slipway::test
