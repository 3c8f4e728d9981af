#include "agent/service/drift_watch.hpp"

#include <utility>

#include "agent/service/rounds.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_look_every{2'500};  // a quarter of the rounds of ten seconds
constexpr Millis k_gather_firewall{500};

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

asio::awaitable<Status> watch_firewall(Firewall* firewall, Clock* clock, AgentState* state) {
  for (;;) {
    asio::awaitable<Status> changing = firewall->changed();
    if (const Status changed = co_await std::move(changing); !changed) co_return changed.error();
    asio::awaitable<Status> gathering = clock->sleep_for(k_gather_firewall);
    if (const Status gathered = co_await std::move(gathering); !gathered) co_return gathered.error();
    state->reconcile.set();
  }
}

}  // namespace slipway
