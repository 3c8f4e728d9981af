#include "agent/service/firewall_pass.hpp"

#include <utility>

namespace slipway {

namespace asio = boost::asio;

namespace {

std::vector<std::string> noted_zones(const std::vector<Change>& noted) {
  std::vector<std::string> zones;
  for (const Change& change : noted) {
    const auto entry = entry_of(change.name);
    if (entry && entry->kind == FirewallEntry::Kind::port) zones.push_back(entry->zone);
  }
  return zones;
}

}  // namespace

asio::awaitable<FirewallOutcome> bring_firewall_about(FirewallDeps deps, NetworkDesired network, std::string interface) {
  FirewallOutcome outcome;
  // No range at all is a word of the coordinator's that is missing.
  const bool silent = network.pools.empty() && network.backend != NetworkBackend::external;
  if (deps.firewall == nullptr || silent) co_return outcome;
  const std::vector<Change> noted = deps.noted ? deps.noted() : std::vector<Change>();
  asio::awaitable<Result<std::optional<FirewallObserved>>> observing = deps.firewall->observe(std::move(interface), noted_zones(noted));
  const Result<std::optional<FirewallObserved>> observed = co_await std::move(observing);
  if (!observed) {
    outcome.problems.push_back("network: asking firewalld: " + observed.error().message);
    co_return outcome;
  }
  if (!*observed) co_return outcome;
  const std::vector<FirewallStep> steps = plan_firewall(firewall_desired(network), **observed, noted);
  const std::vector<Intent> intents = firewall_intents(steps);
  if (!intents.empty() && deps.note) {
    asio::awaitable<Status> noting = deps.note(intents);
    const Status done = co_await std::move(noting);
    if (!done) {
      outcome.problems.push_back("network: noting changes of firewalld: " + done.error().message);
      co_return outcome;
    }
  }
  for (const FirewallStep& step : steps) {
    asio::awaitable<Status> applying = deps.firewall->apply(step);
    const Status done = co_await std::move(applying);
    outcome.reloaded = outcome.reloaded || (done && std::holds_alternative<ReloadFirewall>(step));
    if (done)
      outcome.changes.push_back(describe(step));
    else
      outcome.problems.push_back("network: " + describe(step) + ": " + done.error().message);
  }
  co_return outcome;
}

}  // namespace slipway
