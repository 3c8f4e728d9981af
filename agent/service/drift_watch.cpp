#include "agent/service/drift_watch.hpp"

#include <utility>

#include "agent/service/rounds.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_look_every{2'500};  // a quarter of the rounds of ten seconds

}  // namespace

asio::awaitable<Status> watch_quiet_state(std::function<std::string()> look, Clock* clock,
                                          AgentState* state) {
  std::string last = look();
  for (;;) {
    asio::awaitable<Status> sleeping = clock->sleep_for(until_round(clock->steady(), k_look_every));
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
    std::string now = look();
    if (now == last) continue;
    last = std::move(now);
    state->reconcile.set();
  }
}

}  // namespace slipway
