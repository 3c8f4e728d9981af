#include "coordinator/service/sweeper.hpp"

#include <utility>

namespace slipway {

namespace asio = boost::asio;

asio::awaitable<Status> sweep_regularly(SweeperDeps deps) {
  for (;;) {
    asio::awaitable<Status> sleeping = deps.clock.sleep_for(deps.every);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept;
    const State& state = deps.registrar.state();
    deps.status.prune(state);
    Sweep sweep;
    sweep.maturity = {deps.clock.wall(), deps.quarantine_min_age, deps.status.acknowledged(state)};
    asio::awaitable<Result<Outcome>> submitting = deps.registrar.submit(sweep);
    const Result<Outcome> swept = co_await std::move(submitting);
    if (!swept) co_return swept.error();
  }
}

}  // namespace slipway
