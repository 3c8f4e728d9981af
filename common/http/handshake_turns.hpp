#pragma once
// Private to common/http. A handshake costs as much as fifteen requests, and a fleet or an attacker begins thousands at once: each thread
// takes one step of one of them at a time, and all else that is ready in between. A kept connection then waits for a step, not for
// a storm (notes on slow and silent clients in docs/performance.md).
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>

#include "common/async/clock.hpp"

namespace slipway::http {

// Used on the thread of `executor` only. May end before its waiters: they then wait until their time is up.
class HandshakeTurns {
 public:
  explicit HandshakeTurns(boost::asio::any_io_executor executor);
  ~HandshakeTurns();
  HandshakeTurns(const HandshakeTurns&) = delete;
  HandshakeTurns& operator=(const HandshakeTurns&) = delete;

  // Resumes when it is the caller's turn for one step; the turn ends with that step, nothing is given back. False: `until` went by, or
  // the coroutine was cancelled. `known`: from where a certificate has been shown lately; three of these go for one of the others.
  boost::asio::awaitable<bool> next(bool known, SteadyTime until);
  std::size_t waiting() const;

 private:
  struct Queue;
  struct Waiter;
  static boost::asio::awaitable<bool> next_in(std::shared_ptr<Queue> queue, bool known, SteadyTime until);
  static void call_next(std::shared_ptr<Queue> queue);
  std::shared_ptr<Queue> queue_;
};

}  // namespace slipway::http
