#include "agent/local_client.hpp"

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/http/unix_client.hpp"
#include "proto/problem.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

// The agent asks every component and the coordinator before it answers, five seconds at most for each.
constexpr Millis k_patience{120'000};

using Answer = Result<http::Response>;

asio::awaitable<Status> ask(std::string socket, std::string target,
                            std::function<Status(std::string_view)> sink, Answer* answer,
                            EventThread* thread) {
  asio::awaitable<Answer> asking =
      http::get_over_unix(std::move(socket), std::move(target), k_patience, std::move(sink));
  *answer = co_await std::move(asking);
  thread->stop();
  co_return Status{};
}

}  // namespace

Result<std::string> ask_agent(const std::string& socket, const std::string& target,
                              std::function<Status(std::string_view part)> sink) {
  Answer answer = make_error(Errc::internal, "the agent was not asked");
  EventThread thread("local");
  spawn_detached(thread.executor(), "local", ask(socket, target, std::move(sink), &answer, &thread));
  thread.run_here();
  if (!answer) return answer.error();
  if (answer->status != 200) return proto::from_problem(answer->status, answer->body);
  return std::move(answer->body);
}

}  // namespace slipway
