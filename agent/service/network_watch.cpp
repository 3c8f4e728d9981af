#include "agent/service/network_watch.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_gather{200};
constexpr std::chrono::hours k_until_heard{24};  // longer than any quiet; then it waits anew

}  // namespace

asio::awaitable<Status> NetworkWatch::listen() {
  for (;;) {
    asio::awaitable<Result<NetworkNews>> changing = network_.changed();
    const Result<NetworkNews> news = co_await std::move(changing);
    if (!news) co_return news.error();
    if (*news == NetworkNews::links) {
      state_.network_news.set();
    } else {
      rules_ = true;
    }
    heard_.set();
  }
}

asio::awaitable<Status> NetworkWatch::gather() {
  for (;;) {
    asio::awaitable<bool> waiting = heard_.wait(k_until_heard);
    const bool heard = co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "stopping");
    if (!heard) continue;
    asio::awaitable<Status> gathering = clock_.sleep_for(k_gather);
    if (const Status gathered = co_await std::move(gathering); !gathered) co_return gathered.error();
    heard_.take();
    if (std::exchange(rules_, false)) state_.network_news.set();
    state_.reconcile.set();
    state_.address_news.set();
  }
}

}  // namespace slipway
