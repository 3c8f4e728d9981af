#pragma once
// Wakes coroutines of one executor: long polls waiting for a new revision, reconcilers waiting for a reason
// to run.
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>

#include "common/async/clock.hpp"

namespace slipway {

// Not thread safe: notify() and wait() on the same executor's thread; other threads post there. A waiter
// costs one timer. May end before its waiters: they then wait until their time is up.
class Notifier {
 public:
  Notifier();
  ~Notifier();
  Notifier(Notifier&&) noexcept;
  Notifier& operator=(Notifier&&) noexcept;

  // Wakes all that wait now. Nothing is remembered for later waiters: check the condition first, then wait.
  void notify();
  // True: notified. False: `max` went by or the coroutine was cancelled.
  boost::asio::awaitable<bool> wait(Millis max);
  std::size_t waiter_count() const;

 private:
  struct Waiter;
  struct Waiters;
  static boost::asio::awaitable<bool> wait_in(std::shared_ptr<Waiters> waiters, Millis max);
  std::shared_ptr<Waiters> waiters_;
};

}  // namespace slipway
