#include "agent/service/drift_watch.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_look_every{2'000};
constexpr Millis k_settle{500};  // a restart is a stop and a start
constexpr Millis k_reminder{600'000};

std::vector<std::string> component_units(const AgentState& state) {
  std::vector<std::string> units;
  if (!state.last_pass) return units;
  for (const ComponentOutcome& outcome : state.last_pass->components) {
    if (!outcome.unit.empty()) units.push_back(outcome.unit);
  }
  return units;
}

// One that failed is systemd's to start again, or the next pass's.
asio::awaitable<bool> any_stopped(ProcessSupervisor* supervisor, std::vector<std::string> units) {
  for (const std::string& unit : units) {
    asio::awaitable<Result<UnitStatus>> asking = supervisor->status(unit);
    const Result<UnitStatus> status = co_await std::move(asking);
    if (status && status->active == UnitActivity::inactive) co_return true;
  }
  co_return false;
}

}  // namespace

bool is_component_unit(const AgentState& state, const std::string& unit) {
  const auto units = component_units(state);
  return std::find(units.begin(), units.end(), unit) != units.end();
}

asio::awaitable<Status> watch_quiet_state(std::function<std::string()> look, Clock* clock,
                                          AgentState* state) {
  std::string last = look();
  for (;;) {
    asio::awaitable<Status> sleeping = clock->sleep_for(k_look_every);
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
    std::string now = look();
    if (now == last) continue;
    last = std::move(now);
    state->reconcile.set();
  }
}

asio::awaitable<Status> watch_units(ProcessSupervisor* supervisor, Trigger* news, Clock* clock,
                                    AgentState* state) {
  for (;;) {
    asio::awaitable<bool> waiting = news->wait(k_reminder);
    const bool told = co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "stopping");
    if (!told) continue;
    asio::awaitable<Status> settling = clock->sleep_for(k_settle);
    if (const Status settled = co_await std::move(settling); !settled) co_return settled.error();
    asio::awaitable<bool> asking = any_stopped(supervisor, component_units(*state));
    if (co_await std::move(asking)) state->reconcile.set();
  }
}

}  // namespace slipway
