#include "coordinator/service/join_log_file.hpp"

#include <boost/asio/this_coro.hpp>
#include <functional>
#include <utility>

#include "common/files/atomic_file.hpp"
#include "common/log/log.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

// A thousand attempts with names and reasons of limited length are some 500 KiB.
constexpr std::size_t k_max_file = std::size_t{8} * 1024 * 1024;

Result<bool> write_list(const std::string& path, const std::string& text) {
  const Status written = write_file_atomically(path, text, 0600);
  if (!written) return written.error();
  return true;
}

}  // namespace

Status load_join_log(JoinLog& log, const std::string& path) {
  const auto text = read_file(path, k_max_file);
  if (!text) return text.error().code == Errc::not_found ? Status{} : Status(context(text.error(), "reading the join attempts of before"));
  auto list = proto::decode<proto::JoinAttemptList>(*text);
  if (!list) return context(list.error(), path + " is no list of join attempts; it can be removed");
  for (auto attempt = list->items.rbegin(); attempt != list->items.rend(); ++attempt) log.note(std::move(*attempt));
  return {};
}

namespace {

// Cancelled: nothing may be waited for any more.
Status write_last(const JoinLogFileDeps& deps) {
  return write_file_atomically(deps.path, proto::encode(deps.log.list()), 0600);
}

asio::awaitable<Status> write_on_worker(Workers* workers, std::string path, std::string text) {
  std::function<Result<bool>()> write = [path, text] { return write_list(path, text); };
  asio::awaitable<Result<bool>> writing = offload<bool>(*workers, std::move(write));
  const Result<bool> done = co_await std::move(writing);
  co_return done ? Status{} : Status(done.error());
}

}  // namespace

asio::awaitable<Status> keep_join_log(JoinLogFileDeps deps) {
  std::uint64_t written_until = deps.log.last_place();
  bool failing = false;
  for (;;) {
    Status going_on = make_error(Errc::canceled, "stopping");
    // The stop may have met the end of a write: to wait for anything then would throw, and the last entries would be lost.
    const asio::cancellation_state asked = co_await asio::this_coro::cancellation_state;
    if (asked.cancelled() == asio::cancellation_type::none) {
      asio::awaitable<Status> sleeping = deps.clock.sleep_for(deps.every);
      going_on = co_await std::move(sleeping);
    }
    const std::uint64_t now = deps.log.last_place();
    Status written;
    if (going_on && now != written_until) {
      asio::awaitable<Status> writing = write_on_worker(&deps.workers, deps.path, proto::encode(deps.log.list()));
      written = co_await std::move(writing);
      if (!written && written.error().code == Errc::canceled) going_on = written;
    }
    if (!going_on) written = now == written_until ? Status{} : write_last(deps);
    if (written) {
      written_until = now;
      failing = false;
    } else if (!std::exchange(failing, true)) {
      log::warning("the list of join attempts is not saved", {{"error", written.error()}});
    }
    if (!going_on) co_return going_on;
  }
}

}  // namespace slipway
