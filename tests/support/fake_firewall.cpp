#include "tests/support/fake_firewall.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

namespace slipway::test {

namespace asio = boost::asio;

namespace {

Status change(FakeFirewall& firewall, const SetFirewallEntry& step) {
  FirewallObserved& state = firewall.state;
  const bool source = step.entry.kind == FirewallEntry::Kind::source;
  if (source && step.present && firewall.taken.count(step.entry.value) != 0)
    return make_error(Errc::conflict, step.entry.value + " is a source of another zone");
  auto& all = source ? state.sources[step.scope] : state.ports[step.scope];
  const std::string value = source ? step.entry.value : step.entry.zone + " " + step.entry.value;
  if (step.present)
    all.insert(value);
  else
    all.erase(value);
  return {};
}

// What it says nothing of.
bool adds(const FirewallStep& step) {
  const auto* set = std::get_if<SetFirewallEntry>(&step);
  return (set != nullptr && (set->present || set->scope == FirewallScope::permanent)) || std::holds_alternative<MakeFirewallPolicy>(step) ||
         std::holds_alternative<RemoveFirewallPolicy>(step);
}

}  // namespace

asio::awaitable<Result<std::optional<FirewallObserved>>> FakeFirewall::observe(std::string, std::vector<std::string>) {
  if (!running) co_return std::optional<FirewallObserved>();
  co_return std::optional<FirewallObserved>(state);
}

asio::awaitable<Status> FakeFirewall::changed() {
  while (!std::exchange(news_, false)) {
    asio::awaitable<bool> waiting = told_.wait(std::chrono::hours(24));
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "waiting for changes of firewalld: canceled");
  }
  co_return Status{};
}

void FakeFirewall::tell() {
  news_ = true;
  told_.notify();
}

asio::awaitable<Status> FakeFirewall::apply(FirewallStep step) {
  applied.push_back(describe(step));
  if (!adds(step)) tell();
  if (const auto* set = std::get_if<SetFirewallEntry>(&step)) co_return change(*this, *set);
  if (const auto* put = std::get_if<SetFirewallPolicy>(&step)) {
    if (!state.policy[put->scope]) co_return make_error(Errc::not_found, "no such policy");
    state.policy[put->scope] = put->accepts;
  }
  if (const auto* make = std::get_if<MakeFirewallPolicy>(&step)) state.policy.permanent = make->accepts;
  if (std::holds_alternative<RemoveFirewallPolicy>(step)) state.policy.permanent.reset();
  if (std::holds_alternative<ReloadFirewall>(step)) {
    state.policy.runtime = state.policy.permanent;
    state.sources.runtime = state.sources.permanent;
    state.ports.runtime = state.ports.permanent;
  }
  co_return Status{};
}

}  // namespace slipway::test
