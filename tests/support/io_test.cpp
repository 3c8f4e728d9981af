#include "tests/support/io_test.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

namespace slipway::test {

struct IoTest::Impl {
  boost::asio::io_context context{1};
};

IoTest::IoTest() : impl_(std::make_unique<Impl>()) {}
IoTest::~IoTest() = default;

boost::asio::any_io_executor IoTest::executor() { return impl_->context.get_executor(); }

void IoTest::poll() {
  impl_->context.restart();
  impl_->context.poll();
}

void IoTest::poll_one() {
  impl_->context.restart();
  impl_->context.poll_one();
}

void IoTest::start_ending(boost::asio::awaitable<void> work, std::shared_ptr<Ending> ending) {
  boost::asio::co_spawn(impl_->context, std::move(work), [ending](std::exception_ptr failure) {
    ending->done = true;
    ending->failure = failure;
  });
}

void IoTest::run_until(const Ending& ending, Limit limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  impl_->context.restart();
  while (!ending.done) {
    if (impl_->context.run_one_until(deadline) == 0) {
      throw std::runtime_error("the coroutine under test did not end in time");
    }
  }
}

}  // namespace slipway::test
