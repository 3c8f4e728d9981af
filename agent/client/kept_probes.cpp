#include "agent/client/kept_probes.hpp"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "common/async/timeout.hpp"

namespace asio = boost::asio;

namespace slipway {

void KeptProbes::keep(http::ProbeQuestion question, Kept kept) {
  if (!kept.connection->reusable() || ++kept.asked >= k_questions) return;
  idle_.insert_or_assign(std::move(question), std::move(kept));
}

// Taken out: who asks the same meanwhile has a connection of its own.
KeptProbes::Kept KeptProbes::take(const http::ProbeQuestion& question, const asio::any_io_executor& executor) {
  auto taken = idle_.extract(question);
  return taken.empty() ? Kept{std::make_unique<http::ProbeConnection>(executor)} : std::move(taken.mapped());
}

asio::awaitable<Status> KeptProbes::ask_kept_or_new(http::ProbeQuestion question) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Kept kept = take(question, executor);
  asio::awaitable<Status> asking = kept.connection->ask(question);
  Status answer = co_await std::move(asking);
  const bool gone_before = kept.asked > 0 && !answer && answer.error().code == Errc::unavailable && !kept.connection->answered();
  if (gone_before) {
    kept = take(question, executor);
    asio::awaitable<Status> asking_again = kept.connection->ask(question);
    answer = co_await std::move(asking_again);
  }
  keep(std::move(question), std::move(kept));
  co_return answer;
}

asio::awaitable<Status> KeptProbes::ask(http::ProbeQuestion question, Millis limit) {
  asio::awaitable<Status> asking = ask_kept_or_new(std::move(question));
  asio::awaitable<Status> limited = with_timeout<void>(limit, std::move(asking));
  co_return co_await std::move(limited);
}

}  // namespace slipway
