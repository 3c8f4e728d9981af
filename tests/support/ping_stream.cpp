#include "tests/support/ping_stream.hpp"

#include <algorithm>
#include <utility>

#include "tests/support/ping.hpp"

namespace slipway::test {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::microseconds k_pace{1000};
constexpr std::chrono::seconds k_last_answers{1};

std::chrono::microseconds left_until(Steady::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time - Steady::now());
}

}  // namespace

PingStream::PingStream(std::string name, const SideNamespace& from, const IpAddress& to)
    : name_(std::move(name)), thread_([this, &from, to] { from.within([this, to] { go(to); }); }) {
  begun_.wait(false);
}

void PingStream::go(const IpAddress& to) {
  Ping ping(to);
  sent_ = 1;
  answered_ = ping.once() ? 1 : 0;
  begun_ = true;
  begun_.notify_all();
  for (auto next = Steady::now(); !stop_;) {
    // Never many at once to catch up: their answers would not find room in the socket.
    next = std::max(next, Steady::now()) + k_pace;
    // An error that an earlier echo brought back is told by the next call, which sends nothing then.
    if (!ping.send(56)) (void)ping.send(56);
    ++sent_;
    for (auto left = left_until(next); left.count() > 0; left = left_until(next)) answered_ += ping.answers(left);
  }
  const auto end = Steady::now() + k_last_answers;
  while (answered_ < sent_ && Steady::now() < end) answered_ += ping.answers(left_until(end));
}

void PingStream::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::string PingStream::in_words() const {
  return name_ + " " + std::to_string(lost()) + " of " + std::to_string(sent());
}

}  // namespace slipway::test
