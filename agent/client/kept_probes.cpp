#include "agent/client/kept_probes.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "common/async/timeout.hpp"

namespace asio = boost::asio;

namespace slipway {

void KeptProbes::keep(http::ProbeQuestion question, Kept kept) {
  if (!kept.connection->reusable() || ++kept.asked >= k_questions) return;
  idle_.insert_or_assign(std::move(question), std::move(kept));
}

asio::awaitable<Status> KeptProbes::ask_new(http::ProbeQuestion question) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  Kept fresh{std::make_unique<http::ProbeConnection>(executor)};
  asio::awaitable<Status> connecting = fresh.connection->connect(question.address);
  const Status connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  asio::awaitable<Status> asking = fresh.connection->ask(question);
  Status answer = co_await std::move(asking);
  keep(std::move(question), std::move(fresh));
  co_return answer;
}

asio::awaitable<Status> KeptProbes::ask_kept_or_new(http::ProbeQuestion question) {
  // Taken out: who asks the same meanwhile has a connection of its own.
  auto taken = idle_.extract(question);
  if (taken.empty()) {
    asio::awaitable<Status> asking_new = ask_new(std::move(question));
    co_return co_await std::move(asking_new);
  }
  Kept kept = std::move(taken.mapped());
  asio::awaitable<Status> asking = kept.connection->ask(question);
  Status answer = co_await std::move(asking);
  const bool gone_before = !answer && answer.error().code == Errc::unavailable && !kept.connection->answered();
  if (gone_before) {
    asio::awaitable<Status> asking_new = ask_new(std::move(question));
    co_return co_await std::move(asking_new);
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
