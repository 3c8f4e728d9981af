#include "agent/net/firewalld.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "common/async/notifier.hpp"
#include "common/core/text.hpp"
#include "common/systemd/bus.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

using systemd::BusCall;
using systemd::BusValue;
using systemd::BusValues;
using Arguments = std::vector<BusCall::Argument>;
using Policy = std::optional<std::vector<std::string>>;

constexpr char k_name[] = "org.fedoraproject.FirewallD1";
constexpr char k_runtime_path[] = "/org/fedoraproject/FirewallD1";
constexpr char k_config_path[] = "/org/fedoraproject/FirewallD1/config";
constexpr char k_zone[] = ".zone";
constexpr char k_policy[] = ".policy";
constexpr char k_config[] = ".config";
constexpr char k_config_zone[] = ".config.zone";
constexpr char k_config_policy[] = ".config.policy";
constexpr char k_rules[] = "rich_rules";

// What it says while it runs, of its runtime settings: the permanent ones count at the next reload, which is told. That it starts is
// seen by its table (rule_events.hpp).
constexpr std::pair<const char*, const char*> k_signals[] = {
    {"", "Reloaded"},      {"", "DefaultZoneChanged"}, {k_zone, "SourceRemoved"},   {k_zone, "ZoneOfSourceChanged"},
    {k_zone, "PortRemoved"}, {k_zone, "ZoneOfInterfaceChanged"}, {k_policy, "PolicyUpdated"}};
constexpr std::chrono::hours k_until_told{24};  // longer than any quiet; then it waits anew

BusCall make_call(const std::string& path, const std::string& interface, std::string member, Arguments arguments) {
  return BusCall{k_name, path, std::string(k_name) + interface, std::move(member), std::move(arguments)};
}

// firewalld begins the text of an error with its name (firewall/errors.py).
bool says(const Error& error, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&error](std::string_view name) { return std::string_view(error.message).starts_with(name); });
}

bool is_done_already(const Error& error) {
  return says(error, {"ALREADY_ENABLED", "ZONE_ALREADY_SET", "NOT_ENABLED", "UNKNOWN_SOURCE", "NAME_CONFLICT: new_policy"});
}

std::set<std::string> texts_of(const BusValues& reply) {
  std::set<std::string> out;
  if (reply.empty()) return out;
  for (const BusValue& value : reply[0].list()) out.insert(value.text());
  return out;
}

// Pairs of port and protocol.
std::set<std::string> ports_of(const BusValues& reply, const std::string& zone) {
  std::set<std::string> out;
  if (reply.empty()) return out;
  for (const BusValue& value : reply[0].list()) {
    const BusValue::List& pair = value.list();
    if (pair.size() == 2) out.insert(zone + " " + pair[0].text() + "/" + pair[1].text());
  }
  return out;
}

std::vector<std::string> rules_of(const BusValues& reply) {
  std::vector<std::string> out;
  if (reply.empty()) return out;
  for (const BusValue& value : reply[0][k_rules].list()) out.push_back(value.text());
  std::sort(out.begin(), out.end());
  return out;
}

// "0.9.3", "1.3.3"
bool knows_policies(const std::string& version) {
  const auto parts = split(version, '.');
  const auto major = parse_u64(parts[0]);
  const auto minor = parts.size() > 1 ? parse_u64(parts[1]) : std::nullopt;
  return major.value_or(0) > 0 || minor.value_or(0) >= 9;
}

Arguments entry_arguments(const FirewallEntry& entry) {
  if (entry.kind == FirewallEntry::Kind::source) return {entry.value};
  const auto parts = split(entry.value, '/');
  return {std::string(parts[0]), std::string(parts.size() > 1 ? parts[1] : "udp")};
}

std::string entry_method(const FirewallEntry& entry, bool present) {
  return std::string(present ? "add" : "remove") + (entry.kind == FirewallEntry::Kind::source ? "Source" : "Port");
}

BusCall::Dictionary policy_settings(const std::vector<std::string>& accepts) {
  const std::vector<std::string> any = {"ANY"};
  return {{"ingress_zones", any}, {"egress_zones", any}, {k_rules, accepts}};
}

}  // namespace

struct Firewalld::Impl {
  Impl(asio::any_io_executor ex, FirewalldOptions opts) : executor(std::move(ex)), options(std::move(opts)) {}

  asio::awaitable<Result<BusValues>> ask(BusCall call, Millis limit);
  asio::awaitable<Result<BusValues>> ask(std::string path, std::string interface, std::string member, Arguments arguments);
  asio::awaitable<Result<bool>> runs();
  asio::awaitable<Result<std::string>> zone_path(std::string zone);
  asio::awaitable<Result<std::string>> zone_of(std::string interface);
  asio::awaitable<Status> read_sources(FirewallObserved* out);
  asio::awaitable<Status> read_ports(std::string zone, FirewallObserved* out);
  asio::awaitable<Status> read_policy(FirewallObserved* out);
  asio::awaitable<Status> set_entry(SetFirewallEntry step);
  asio::awaitable<Status> change_policy(FirewallScope scope, std::optional<std::vector<std::string>> accepts);
  asio::awaitable<Status> make_policy(std::vector<std::string> accepts);
  asio::awaitable<Status> reload();
  Status connect();

  asio::any_io_executor executor;
  FirewalldOptions options;
  std::unique_ptr<systemd::Bus> bus;
  bool news = false;
  Notifier told;
};

// A bus that is not there does not keep its lack of signals to itself: the question that follows fails.
Status Firewalld::Impl::connect() {
  if (bus && bus->alive()) return {};
  auto opened = systemd::Bus::open(executor, options.bus_address);
  if (!opened) return opened.error();
  bus = std::move(*opened);
  for (const auto& [interface, member] : k_signals) {
    const auto matched = bus->on_signal({k_name, k_runtime_path, std::string(k_name) + interface, member}, [this](const BusValues&) {
      news = true;
      told.notify();
    });
    if (!matched) return matched;
  }
  return {};
}

asio::awaitable<Result<BusValues>> Firewalld::Impl::ask(BusCall call, Millis limit) {
  if (const Status connected = connect(); !connected) co_return connected.error();
  asio::awaitable<Result<BusValues>> asking = bus->call(std::move(call), limit);
  Result<BusValues> reply = co_await std::move(asking);
  co_return reply;
}

asio::awaitable<Result<BusValues>> Firewalld::Impl::ask(std::string path, std::string interface, std::string member,
                                                        Arguments arguments) {
  asio::awaitable<Result<BusValues>> asking =
      ask(make_call(path, interface, std::move(member), std::move(arguments)), options.call_limit);
  Result<BusValues> reply = co_await std::move(asking);
  co_return reply;
}

// The bus would start it for any question to itself. A host without a bus has no firewalld.
asio::awaitable<Result<bool>> Firewalld::Impl::runs() {
  const BusCall has_owner{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", {std::string(k_name)}};
  asio::awaitable<Result<BusValues>> asking = ask(has_owner, options.call_limit);
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply && reply.error().code == Errc::unavailable) co_return false;
  if (!reply) co_return reply.error();
  co_return !reply->empty() && (*reply)[0].flag();
}

asio::awaitable<Result<std::string>> Firewalld::Impl::zone_path(std::string zone) {
  asio::awaitable<Result<BusValues>> asking = ask(k_config_path, k_config, "getZoneByName", {zone});
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply) co_return error_of(reply, "zone " + zone);
  co_return reply->empty() ? std::string() : (*reply)[0].text();
}

asio::awaitable<Result<std::string>> Firewalld::Impl::zone_of(std::string interface) {
  if (!interface.empty()) {
    asio::awaitable<Result<BusValues>> asking = ask(k_runtime_path, k_zone, "getZoneOfInterface", {interface});
    const Result<BusValues> reply = co_await std::move(asking);
    if (!reply) co_return error_of(reply, "the zone of " + interface);
    if (!reply->empty() && !(*reply)[0].text().empty()) co_return (*reply)[0].text();
  }
  asio::awaitable<Result<BusValues>> asking = ask(k_runtime_path, "", "getDefaultZone", {});
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply) co_return error_of(reply, "the default zone");
  co_return reply->empty() ? std::string() : (*reply)[0].text();
}

asio::awaitable<Status> Firewalld::Impl::read_sources(FirewallObserved* out) {
  asio::awaitable<Result<BusValues>> now = ask(k_runtime_path, k_zone, "getSources", {std::string(k_trusted_zone)});
  const Result<BusValues> runtime = co_await std::move(now);
  if (!runtime) co_return error_of(runtime, "sources of the trusted zone");
  asio::awaitable<Result<std::string>> finding = zone_path(k_trusted_zone);
  const Result<std::string> path = co_await std::move(finding);
  if (!path) co_return path.error();
  asio::awaitable<Result<BusValues>> settled = ask(*path, k_config_zone, "getSources", {});
  const Result<BusValues> permanent = co_await std::move(settled);
  if (!permanent) co_return error_of(permanent, "permanent sources of the trusted zone");
  out->sources = {texts_of(*runtime), texts_of(*permanent)};
  co_return Status{};
}

asio::awaitable<Status> Firewalld::Impl::read_ports(std::string zone, FirewallObserved* out) {
  asio::awaitable<Result<BusValues>> now = ask(k_runtime_path, k_zone, "getPorts", {zone});
  const Result<BusValues> runtime = co_await std::move(now);
  // A zone that we opened a port in may be gone.
  if (!runtime && says(runtime.error(), {"INVALID_ZONE"})) co_return Status{};
  if (!runtime) co_return error_of(runtime, "ports of zone " + zone);
  out->ports.runtime.merge(ports_of(*runtime, zone));
  asio::awaitable<Result<std::string>> finding = zone_path(zone);
  const Result<std::string> path = co_await std::move(finding);
  if (!path) co_return path.error();
  asio::awaitable<Result<BusValues>> settled = ask(*path, k_config_zone, "getPorts", {});
  const Result<BusValues> permanent = co_await std::move(settled);
  if (!permanent) co_return error_of(permanent, "permanent ports of zone " + zone);
  out->ports.permanent.merge(ports_of(*permanent, zone));
  co_return Status{};
}

asio::awaitable<Status> Firewalld::Impl::read_policy(FirewallObserved* out) {
  const BusCall version_of{k_name, k_runtime_path, "org.freedesktop.DBus.Properties", "Get", {std::string(k_name), std::string("version")}};
  asio::awaitable<Result<BusValues>> asking = ask(version_of, options.call_limit);
  const Result<BusValues> version = co_await std::move(asking);
  if (!version) co_return error_of(version, "its version");
  out->has_policies = !version->empty() && knows_policies((*version)[0].text());
  if (!out->has_policies) co_return Status{};
  asio::awaitable<Result<BusValues>> now = ask(k_runtime_path, k_policy, "getPolicySettings", {std::string(k_firewall_policy)});
  const Result<BusValues> runtime = co_await std::move(now);
  if (!runtime && !says(runtime.error(), {"INVALID_POLICY"})) co_return error_of(runtime, "its policies");
  if (runtime) out->policy.runtime = rules_of(*runtime);
  asio::awaitable<Result<BusValues>> finding = ask(k_config_path, k_config, "getPolicyByName", {std::string(k_firewall_policy)});
  const Result<BusValues> path = co_await std::move(finding);
  if (!path && says(path.error(), {"INVALID_POLICY"})) co_return Status{};
  if (!path || path->empty()) co_return error_of(path, "its permanent policies");
  asio::awaitable<Result<BusValues>> settled = ask((*path)[0].text(), k_config_policy, "getSettings", {});
  const Result<BusValues> permanent = co_await std::move(settled);
  if (!permanent) co_return error_of(permanent, "its permanent policies");
  out->policy.permanent = rules_of(*permanent);
  co_return Status{};
}

asio::awaitable<Status> Firewalld::Impl::set_entry(SetFirewallEntry step) {
  Arguments arguments = entry_arguments(step.entry);
  std::string path = k_runtime_path, interface = k_zone;
  if (step.scope == FirewallScope::permanent) {
    asio::awaitable<Result<std::string>> finding = zone_path(step.entry.zone);
    const Result<std::string> found = co_await std::move(finding);
    if (!found) co_return found.error();
    path = *found;
    interface = k_config_zone;
  } else {
    arguments.insert(arguments.begin(), step.entry.zone);
    // Not for some seconds only.
    if (step.present && step.entry.kind == FirewallEntry::Kind::port) arguments.emplace_back(std::int32_t{0});
  }
  asio::awaitable<Result<BusValues>> asking = ask(path, interface, entry_method(step.entry, step.present), arguments);
  const Result<BusValues> done = co_await std::move(asking);
  if (done || is_done_already(done.error())) co_return Status{};
  if (says(done.error(), {"ZONE_CONFLICT"}))
    co_return make_error(Errc::conflict, step.entry.value + " is a source of another zone: find it with \"firewall-cmd --get-zone-of-source=" +
                                             step.entry.value + "\", and take it out of there");
  co_return done.error();
}

// Empty: the policy goes.
asio::awaitable<Status> Firewalld::Impl::change_policy(FirewallScope scope, std::optional<std::vector<std::string>> accepts) {
  if (scope == FirewallScope::runtime) {
    asio::awaitable<Result<BusValues>> asking =
        ask(k_runtime_path, k_policy, "setPolicySettings", {std::string(k_firewall_policy), BusCall::Dictionary{{k_rules, accepts.value_or(std::vector<std::string>())}}});
    const Result<BusValues> done = co_await std::move(asking);
    co_return done ? Status() : Status(done.error());
  }
  asio::awaitable<Result<BusValues>> finding = ask(k_config_path, k_config, "getPolicyByName", {std::string(k_firewall_policy)});
  const Result<BusValues> path = co_await std::move(finding);
  if (!path && !accepts && says(path.error(), {"INVALID_POLICY"})) co_return Status{};
  if (!path || path->empty()) co_return error_of(path, std::string("policy ") + k_firewall_policy);
  Arguments arguments;
  if (accepts) arguments.emplace_back(policy_settings(*accepts));
  asio::awaitable<Result<BusValues>> asking = ask((*path)[0].text(), k_config_policy, accepts ? "update" : "remove", arguments);
  const Result<BusValues> done = co_await std::move(asking);
  co_return done ? Status() : Status(done.error());
}

asio::awaitable<Status> Firewalld::Impl::make_policy(std::vector<std::string> accepts) {
  asio::awaitable<Result<BusValues>> asking = ask(k_config_path, k_config, "addPolicy", {std::string(k_firewall_policy), policy_settings(accepts)});
  const Result<BusValues> done = co_await std::move(asking);
  co_return done || is_done_already(done.error()) ? Status() : Status(done.error());
}

asio::awaitable<Status> Firewalld::Impl::reload() {
  asio::awaitable<Result<BusValues>> asking = ask(make_call(k_runtime_path, "", "reload", {}), options.reload_limit);
  const Result<BusValues> done = co_await std::move(asking);
  co_return done ? Status() : Status(done.error());
}

Firewalld::Firewalld(asio::any_io_executor executor, FirewalldOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}
Firewalld::~Firewalld() = default;

asio::awaitable<Result<std::optional<FirewallObserved>>> Firewalld::observe(std::string interface, std::vector<std::string> zones) {
  asio::awaitable<Result<bool>> asking = impl_->runs();
  const Result<bool> runs = co_await std::move(asking);
  if (!runs) co_return runs.error();
  if (!*runs) co_return std::optional<FirewallObserved>();
  FirewallObserved observed;
  asio::awaitable<Result<std::string>> finding = impl_->zone_of(std::move(interface));
  const Result<std::string> zone = co_await std::move(finding);
  if (!zone) co_return zone.error();
  observed.zone = *zone;
  asio::awaitable<Status> sources = impl_->read_sources(&observed);
  if (const Status read = co_await std::move(sources); !read) co_return read.error();
  std::set<std::string> all(zones.begin(), zones.end());
  all.insert(*zone);
  for (const std::string& one : all) {
    asio::awaitable<Status> ports = impl_->read_ports(one, &observed);
    if (const Status read = co_await std::move(ports); !read) co_return read.error();
  }
  asio::awaitable<Status> policy = impl_->read_policy(&observed);
  if (const Status read = co_await std::move(policy); !read) co_return read.error();
  co_return std::optional<FirewallObserved>(std::move(observed));
}

asio::awaitable<Status> Firewalld::apply(FirewallStep step) {
  asio::awaitable<Status> doing = impl_->reload();
  if (const auto* set = std::get_if<SetFirewallEntry>(&step)) doing = impl_->set_entry(*set);
  if (const auto* put = std::get_if<SetFirewallPolicy>(&step)) doing = impl_->change_policy(put->scope, put->accepts);
  if (const auto* make = std::get_if<MakeFirewallPolicy>(&step)) doing = impl_->make_policy(make->accepts);
  if (std::holds_alternative<RemoveFirewallPolicy>(step)) doing = impl_->change_policy(FirewallScope::permanent, std::nullopt);
  const Status done = co_await std::move(doing);
  co_return done;
}

asio::awaitable<Status> Firewalld::changed() {
  while (!std::exchange(impl_->news, false)) {
    asio::awaitable<bool> waiting = impl_->told.wait(k_until_told);
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "waiting for changes of firewalld: canceled");
  }
  co_return Status{};
}

namespace {

asio::awaitable<Status> apply_all(Firewalld* firewalld, std::vector<FirewallStep> steps) {
  for (const FirewallStep& step : steps) {
    asio::awaitable<Status> doing = firewalld->apply(step);
    const Status done = co_await std::move(doing);
    if (!done) co_return context(done.error(), describe(step));
  }
  co_return Status{};
}

// The calls have their own deadlines: the reactor runs out of work in the end.
template <class T>
T run_alone(asio::io_context& io, asio::awaitable<T> work) {
  std::optional<T> result;
  asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failure, T value) {
    if (!failure) result = std::move(value);
  });
  while (!result && io.run_one() > 0) {
  }
  if (!result) return make_error(Errc::internal, "asking firewalld ended without an answer");
  return std::move(*result);
}

}  // namespace

Result<std::optional<FirewallObserved>> observe_firewalld(const FirewalldOptions& options, const std::vector<std::string>& zones) {
  asio::io_context io;
  Firewalld firewalld(io.get_executor(), options);
  return run_alone(io, firewalld.observe("", zones));
}

Status apply_to_firewalld(const FirewalldOptions& options, const std::vector<FirewallStep>& steps) {
  asio::io_context io;
  Firewalld firewalld(io.get_executor(), options);
  return run_alone(io, apply_all(&firewalld, steps));
}

}  // namespace slipway
