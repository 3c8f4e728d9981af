#pragma once
// Echoes one after the other while something else happens, and how many of them were not answered. Needs root.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "common/core/ip.hpp"
#include "tests/support/side_netns.hpp"

namespace slipway::test {

// One echo each millisecond, in a thread of its own, whether or not those before it were answered: what is lost is
// about the milliseconds that the path was cut.
class PingStream {
 public:
  // Borrows `from`. Returns when the first echo was answered, or could not be for two seconds.
  PingStream(std::string name, const SideNamespace& from, const IpAddress& to);
  ~PingStream() { stop(); }
  PingStream(const PingStream&) = delete;
  PingStream& operator=(const PingStream&) = delete;

  // No further echoes; the answers to the last ones are waited for meanwhile.
  void end_sending() { stop_ = true; }
  // Waits for answers that are still on their way, a second at most.
  void stop();

  // Whole once it is stopped.
  long sent() const { return sent_; }
  long lost() const { return sent_ - answered_; }
  // "n1>n2 v4 12 of 340"
  std::string in_words() const;

 private:
  void go(const IpAddress& to);

  std::string name_;
  std::atomic<bool> begun_{false};
  std::atomic<bool> stop_{false};
  std::atomic<long> sent_{0};
  std::atomic<long> answered_{0};
  std::thread thread_;
};

}  // namespace slipway::test
