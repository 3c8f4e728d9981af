#include "common/http/handshake_turns.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <utility>

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr int k_known_in_a_row = 3;

}  // namespace

struct HandshakeTurns::Queue {
  explicit Queue(asio::any_io_executor on) : executor(std::move(on)) {}

  Waiter* take();

  asio::any_io_executor executor;
  std::list<Waiter*> known, others;
  int known_taken = 0;  // since one of the others was
  bool busy = false;    // somebody has the turn, and call_next() is posted
};

// Lives in the frame of the waiting coroutine and leaves the queue with it.
struct HandshakeTurns::Waiter {
  Waiter(std::shared_ptr<Queue> in, bool known, SteadyTime until)
      : queue(std::move(in)), list(known ? queue->known : queue->others), timer(queue->executor, until), place(list.insert(list.end(), this)) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    if (!called) list.erase(place);
  }
  void call() {
    list.erase(place);
    called = true;
    timer.cancel();
  }

  std::shared_ptr<Queue> queue;
  std::list<Waiter*>& list;
  asio::steady_timer timer;
  std::list<Waiter*>::iterator place;
  bool called = false;
};

HandshakeTurns::Waiter* HandshakeTurns::Queue::take() {
  const bool from_known = !known.empty() && (others.empty() || known_taken < k_known_in_a_row);
  known_taken = from_known ? known_taken + 1 : 0;
  std::list<Waiter*>& list = from_known ? known : others;
  return list.empty() ? nullptr : list.front();
}

HandshakeTurns::HandshakeTurns(asio::any_io_executor executor) : queue_(std::make_shared<Queue>(std::move(executor))) {}
HandshakeTurns::~HandshakeTurns() = default;

std::size_t HandshakeTurns::waiting() const { return queue_->known.size() + queue_->others.size(); }

// Behind what is ready by now: the called one's step, and all that the last look at the sockets has brought.
void HandshakeTurns::call_next(std::shared_ptr<Queue> queue) {
  asio::post(queue->executor, [queue] {
    Waiter* const waiter = queue->take();
    queue->busy = waiter != nullptr;
    if (waiter == nullptr) return;
    waiter->call();
    call_next(queue);
  });
}

asio::awaitable<bool> HandshakeTurns::next(bool known, SteadyTime until) { return next_in(queue_, known, until); }

asio::awaitable<bool> HandshakeTurns::next_in(std::shared_ptr<Queue> queue, bool known, SteadyTime until) {
  if (!queue->busy) {
    queue->busy = true;
    call_next(queue);
    co_return true;
  }
  Waiter waiter(std::move(queue), known, until);
  boost::system::error_code ec;
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return waiter.called;
}

}  // namespace slipway::http
