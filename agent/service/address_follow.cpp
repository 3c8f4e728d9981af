#include "agent/service/address_follow.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "agent/service/rounds.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_period{60'000};
constexpr Millis k_under_way{10'000};
constexpr Millis k_gather{5'000};

std::string master_text(const IpAddress& registered, const IpAddress& now) {
  return "this master's address " + registered.to_string() + " is gone and " + now.to_string() +
         " is there: a master's address is static, etcd, the API server and every node know it; give the "
         "host " +
         registered.to_string() + " back";
}

}  // namespace

asio::awaitable<Status> AddressFollower::look_once() {
  if (!deps_.state.identity) co_return Status{};
  const auto registered = IpAddress::parse(deps_.state.identity->address);
  if (!registered) co_return context(registered.error(), "this node's registered address");
  std::function<Result<AddressSight>()> job =
      [look = deps_.look, address = *registered]() -> Result<AddressSight> { return look(address); };
  asio::awaitable<Result<AddressSight>> looking = offload<AddressSight>(deps_.workers, std::move(job));
  const Result<AddressSight> sight = co_await std::move(looking);
  if (!sight) co_return sight.error();
  AgentState& state = deps_.state;
  // The node may have moved while the worker looked.
  if (!state.identity || state.identity->address != registered->to_string()) co_return Status{};
  const auto moves_to = watch_.observe(*registered, *sight, deps_.clock.steady());
  if (!moves_to) state.address_message.clear();
  if (moves_to && state.identity->role == "master")
    state.address_message = master_text(*registered, *moves_to);
  if (state.identity->role == "master" || state.moves_to == moves_to) co_return Status{};
  state.moves_to = moves_to;
  if (!moves_to) co_return Status{};
  log::info("this host has another address: the coordinator is asked to let the node move",
            {{"from", registered->to_string()}, {"to", moves_to->to_string()}});
  state.renew.set();
  co_return Status{};
}

asio::awaitable<Status> AddressFollower::run() {
  RepeatedError trouble;
  for (;;) {
    asio::awaitable<Status> looking = look_once();
    const Status looked = co_await std::move(looking);
    if (!looked && looked.error().code == Errc::canceled) co_return looked.error();
    if (!looked && trouble.worth_logging(looked.error().message, deps_.clock.steady())) {
      log::warning("this host's address could not be looked at", {{"error", looked.error()}});
    }
    asio::awaitable<bool> waiting = deps_.state.address_news.wait(until_round(deps_.clock.steady(), watch_.waits() ? k_under_way : k_period));
    const bool asked = co_await std::move(waiting);
    // Links come and go with every pod.
    asio::awaitable<Status> gathering = deps_.clock.sleep_for(asked ? k_gather : Millis(0));
    const Status gathered = co_await std::move(gathering);
    if (!gathered) co_return gathered.error();
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "stopping");
  }
}

}  // namespace slipway
