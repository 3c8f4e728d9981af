#include "common/async/notifier.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

namespace slipway {

namespace asio = boost::asio;

struct Notifier::Waiters {
  std::list<Waiter*> list;
};

// Lives in the frame of the waiting coroutine and leaves the list with it.
struct Notifier::Waiter {
  Waiter(std::shared_ptr<Waiters> in, const asio::any_io_executor& executor, Millis max)
      : waiters(std::move(in)),
        timer(executor, max),
        place(waiters->list.insert(waiters->list.end(), this)) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    if (!notified) waiters->list.erase(place);
  }
  std::shared_ptr<Waiters> waiters;
  asio::steady_timer timer;
  std::list<Waiter*>::iterator place;
  bool notified = false;
};

Notifier::Notifier() : waiters_(std::make_shared<Waiters>()) {}
Notifier::~Notifier() = default;
Notifier::Notifier(Notifier&&) noexcept = default;
Notifier& Notifier::operator=(Notifier&&) noexcept = default;

void Notifier::notify() {
  for (Waiter* waiter : waiters_->list) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
  waiters_->list.clear();
}

asio::awaitable<bool> Notifier::wait(Millis max) {
  return wait_in(waiters_, max);
}

std::size_t Notifier::waiter_count() const {
  return waiters_->list.size();
}

asio::awaitable<bool> Notifier::wait_in(std::shared_ptr<Waiters> waiters, Millis max) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Waiter waiter(std::move(waiters), executor, max);
  boost::system::error_code ec;
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return waiter.notified;
}

}  // namespace slipway
