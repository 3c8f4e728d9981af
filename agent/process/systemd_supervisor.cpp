#include "agent/process/systemd_supervisor.hpp"

#include <unistd.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <set>

#include "agent/domain/restart_policy.hpp"
#include "agent/process/job_watch.hpp"
#include "agent/process/unit_properties.hpp"
#include "common/async/notifier.hpp"
#include "common/files/atomic_file.hpp"
#include "common/systemd/bus.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

using systemd::BusCall;
using systemd::BusValues;

constexpr char k_service[] = "org.freedesktop.systemd1";
constexpr char k_path[] = "/org/freedesktop/systemd1";
constexpr char k_manager[] = "org.freedesktop.systemd1.Manager";

constexpr Millis k_news_round{60'000};

BusCall manager_call(std::string member, std::vector<BusCall::Argument> arguments = {}) {
  return BusCall{k_service, k_path, k_manager, std::move(member), std::move(arguments)};
}

std::string first_text(const BusValues& values) {
  return values.empty() ? "" : values[0].text();
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// What systemd's word for the end of a job means for the one who asked.
std::string job_failure(const std::string& word) {
  if (word == "done" || word == "skipped") return "";
  if (word == "dependency") return "a unit it needs could not be started";
  if (word == "timeout") return "it did not become ready in time";
  if (word == "canceled") return "another request took its place";
  if (word == "failed") return "it failed";
  return "systemd says \"" + word + "\"";
}

}  // namespace

struct SystemdSupervisor::Impl {
  Impl(asio::any_io_executor ex, SystemdOptions opts) : executor(std::move(ex)), options(std::move(opts)) {}

  Status connect();
  asio::awaitable<Result<BusValues>> call(BusCall call, Millis limit);
  asio::awaitable<Result<bool>> change_links(BusCall call);  // true: something was made or removed
  asio::awaitable<Status> enable(std::vector<std::string> names);
  asio::awaitable<Status> disable(std::vector<std::string> names);
  asio::awaitable<Status> reload();
  asio::awaitable<Status> run_job(std::string method, std::string verb, std::string name);
  asio::awaitable<Result<UnitStatus>> status(std::string name);
  asio::awaitable<Result<BusValues>> properties(std::string path, std::string interface);
  asio::awaitable<std::string> why_failed(std::string name);
  asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause);
  Status watch(const std::string& name, const std::string& path);
  void note_change(const std::string& name, const BusValues& values);
  void lost();

  asio::any_io_executor executor;
  SystemdOptions options;
  JobWatch jobs;
  std::map<std::string, UnitEnd> ends;  // of units' processes, as systemd told of them: it forgets an end at the next start
  std::set<std::string> watched;        // on this connection
  std::set<std::string> news;
  Notifier told;
  std::unique_ptr<systemd::Bus> bus;
};

// All of this is queued, nothing waits: what follows on the connection is processed after it.
Status SystemdSupervisor::Impl::connect() {
  if (bus && bus->alive()) return {};
  auto opened = systemd::Bus::open(executor, options.bus_address);
  if (!opened) return opened.error();
  bus = std::move(*opened);
  watched.clear();
  bus->on_lost([this] { lost(); });
  const systemd::BusMatch removed{k_service, k_path, k_manager, "JobRemoved"};
  auto matched = bus->on_signal(removed, [this](const BusValues& values) {
    if (values.size() != 4) return;
    jobs.ended(values[1].text(), values[3].text());
  });
  if (!matched) return matched.error();
  return bus->send(manager_call("Subscribe"));  // systemd broadcasts only while somebody has asked for it
}

asio::awaitable<Result<BusValues>> SystemdSupervisor::Impl::call(BusCall call, Millis limit) {
  if (auto connected = connect(); !connected) co_return connected.error();
  asio::awaitable<Result<BusValues>> job = bus->call(std::move(call), limit);
  Result<BusValues> reply = co_await std::move(job);
  co_return reply;
}

asio::awaitable<Result<BusValues>> SystemdSupervisor::Impl::properties(std::string path,
                                                                       std::string interface) {
  BusCall get{
      k_service, std::move(path), "org.freedesktop.DBus.Properties", "GetAll", {std::move(interface)}};
  asio::awaitable<Result<BusValues>> job = call(std::move(get), options.call_limit);
  Result<BusValues> reply = co_await std::move(job);
  if (!reply) co_return reply.error();
  if (reply->size() != 1) co_return make_error(Errc::corrupt, "unexpected answer to GetAll");
  co_return reply;
}

asio::awaitable<Result<UnitStatus>> SystemdSupervisor::Impl::status(std::string name) {
  asio::awaitable<Result<BusValues>> load = call(manager_call("LoadUnit", {name}), options.call_limit);
  const Result<BusValues> path = co_await std::move(load);
  if (!path) co_return error_of(path, "status of " + name);
  // Before the questions: what changes after the answers is heard of.
  if (Status watching = watch(name, first_text(*path)); !watching) co_return watching.error();
  const std::string unit_interface = std::string(k_service) + ".Unit";
  asio::awaitable<Result<BusValues>> ask_unit = properties(first_text(*path), unit_interface);
  const Result<BusValues> unit = co_await std::move(ask_unit);
  if (!unit) co_return error_of(unit, "status of " + name);
  const std::string service_interface = std::string(k_service) + ".Service";
  asio::awaitable<Result<BusValues>> ask_service = properties(first_text(*path), service_interface);
  const Result<BusValues> service = co_await std::move(ask_service);
  if (!service) co_return error_of(service, "status of " + name);
  UnitStatus found = unit_status_from(name, (*unit)[0], (*service)[0]);
  if (found.exit_kind != ExitKind::none) {
    ends[name] = end_of(found);
  } else if (const auto before = ends.find(name); before != ends.end()) {
    put_end(found, before->second);
  }
  co_return found;
}

// One match for each unit: the bus then keeps the news of all others to itself.
Status SystemdSupervisor::Impl::watch(const std::string& name, const std::string& path) {
  if (watched.count(name) != 0) return {};
  const systemd::BusMatch match{k_service, path, "org.freedesktop.DBus.Properties", "PropertiesChanged"};
  auto matched = bus->on_signal(match, [this, name](const BusValues& values) { note_change(name, values); });
  if (!matched) return matched.error();
  watched.insert(name);
  return {};
}

void SystemdSupervisor::Impl::note_change(const std::string& name, const BusValues& values) {
  if (values.size() >= 2 && values[0].text() == std::string(k_service) + ".Service") {
    if (const auto end = unit_end_from(values[1])) ends[name] = *end;
  }
  news.insert(name);
  told.notify();
}

void SystemdSupervisor::Impl::lost() {
  jobs.lost();
  news.insert(watched.begin(), watched.end());
  told.notify();
}

asio::awaitable<Status> SystemdSupervisor::Impl::set_pause(std::string name, std::chrono::seconds pause) {
  const std::string path = pause_dropin(options.run_dir, name);
  const std::string dir = pause_dropin_dir(options.run_dir, name);
  bool changed = false;
  if (pause.count() == 0) {
    changed = ::access(path.c_str(), F_OK) == 0;
    if (Status removed = remove_file(path); changed && !removed) co_return context(removed.error(), "restart pause of " + name);
    ::rmdir(dir.c_str());  // unless somebody else has a drop-in there
  } else {
    if (Status made = make_dirs(dir, 0755); !made) co_return context(made.error(), "restart pause of " + name);
    const std::string text = "# Written by slipway-agent: this unit ends again and again. Taken away once it runs well.\n[Service]\nRestartSec=" +
                             std::to_string(pause.count()) + "s\n";
    const Result<bool> written = write_file_if_changed(path, text, 0644);
    if (!written) co_return context(written.error(), "restart pause of " + name);
    changed = *written;
  }
  if (!changed) co_return Status{};
  asio::awaitable<Status> reloading = reload();
  co_return co_await std::move(reloading);
}

asio::awaitable<std::string> SystemdSupervisor::Impl::why_failed(std::string name) {
  asio::awaitable<Result<UnitStatus>> ask = status(name);
  const Result<UnitStatus> found = co_await std::move(ask);
  co_return found ? describe_exit(*found) : std::string();
}

asio::awaitable<Status> SystemdSupervisor::Impl::run_job(std::string method, std::string verb,
                                                         std::string name) {
  const std::string doing = verb + " " + name;
  const BusCall ask = manager_call(method, {name, std::string("replace")});
  asio::awaitable<Result<BusValues>> asking = call(ask, options.call_limit);
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply) co_return error_of(reply, doing);
  asio::awaitable<Result<std::string>> waiting = jobs.wait(first_text(*reply), options.job_limit);
  const Result<std::string> ended = co_await std::move(waiting);
  if (!ended) co_return error_of(ended, doing);
  std::string failure = job_failure(*ended);
  if (failure.empty()) co_return Status{};
  if (*ended == "failed" || *ended == "timeout") {
    asio::awaitable<std::string> asking_why = why_failed(name);
    const std::string why = co_await std::move(asking_why);
    if (!why.empty()) failure += ": " + why;
  }
  co_return make_error(Errc::internal, doing + ": " + failure + "; see journalctl -u " + name);
}

asio::awaitable<Result<bool>> SystemdSupervisor::Impl::change_links(BusCall ask) {
  asio::awaitable<Result<BusValues>> asking = call(std::move(ask), options.call_limit);
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply) co_return reply.error();
  // The last value lists the links made or removed.
  co_return !reply->empty() && !reply->back().list().empty();
}

asio::awaitable<Status> SystemdSupervisor::Impl::reload() {
  asio::awaitable<Result<BusValues>> asking = call(manager_call("Reload"), options.reload_limit);
  const Result<BusValues> reply = co_await std::move(asking);
  if (!reply) co_return error_of(reply, "reload systemd's units");
  co_return Status{};
}

// After links have changed systemd is told to read the units again: it keeps what it knew of them until then.
asio::awaitable<Status> SystemdSupervisor::Impl::enable(std::vector<std::string> names) {
  // Not only until the next boot; replacing links that lead elsewhere.
  const BusCall ask = manager_call("EnableUnitFiles", {names, false, true});
  asio::awaitable<Result<bool>> job = change_links(ask);
  const Result<bool> changed = co_await std::move(job);
  if (!changed) co_return error_of(changed, "enable " + joined(names));
  if (!*changed) co_return Status{};
  asio::awaitable<Status> reloading = reload();
  co_return co_await std::move(reloading);
}

asio::awaitable<Status> SystemdSupervisor::Impl::disable(std::vector<std::string> names) {
  bool any = false;
  // One by one: systemd stops at the first one without a unit file, which for us is disabled already.
  for (const std::string& name : names) {
    const BusCall ask = manager_call("DisableUnitFiles", {std::vector<std::string>{name}, false});
    asio::awaitable<Result<bool>> job = change_links(ask);
    const Result<bool> changed = co_await std::move(job);
    if (!changed && changed.error().code != Errc::not_found) co_return error_of(changed, "disable " + name);
    any = any || (changed && *changed);
  }
  if (!any) co_return Status{};
  asio::awaitable<Status> reloading = reload();
  co_return co_await std::move(reloading);
}

SystemdSupervisor::SystemdSupervisor(asio::any_io_executor executor, SystemdOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}

SystemdSupervisor::~SystemdSupervisor() = default;

asio::awaitable<Status> SystemdSupervisor::reload() {
  return impl_->reload();
}

asio::awaitable<Status> SystemdSupervisor::enable(std::vector<std::string> names) {
  return impl_->enable(std::move(names));
}

asio::awaitable<Status> SystemdSupervisor::disable(std::vector<std::string> names) {
  return impl_->disable(std::move(names));
}

asio::awaitable<Status> SystemdSupervisor::start(std::string name) {
  // A unit that hit its start limit refuses to start until this; a unit never loaded knows of no failure.
  const BusCall forget = manager_call("ResetFailedUnit", {name});
  asio::awaitable<Result<BusValues>> forgetting = impl_->call(forget, impl_->options.call_limit);
  const Result<BusValues> forgotten = co_await std::move(forgetting);
  if (!forgotten && forgotten.error().code != Errc::not_found) co_return error_of(forgotten, "start " + name);
  // A start job for a unit that waits for its restart waits with it; a restart job does not (systemd's service_start()).
  asio::awaitable<Result<UnitStatus>> asking = impl_->status(name);
  const Result<UnitStatus> found = co_await std::move(asking);
  if (!found) co_return error_of(found, "start " + name);
  const std::string method = found->waiting() ? "RestartUnit" : "StartUnit";
  asio::awaitable<Status> job = impl_->run_job(method, "start", name);
  co_return co_await std::move(job);
}

asio::awaitable<Status> SystemdSupervisor::restart(std::string name) {
  const BusCall forget = manager_call("ResetFailedUnit", {name});
  asio::awaitable<Result<BusValues>> forgetting = impl_->call(forget, impl_->options.call_limit);
  const Result<BusValues> forgotten = co_await std::move(forgetting);
  if (!forgotten && forgotten.error().code != Errc::not_found)
    co_return error_of(forgotten, "restart " + name);
  asio::awaitable<Status> job = impl_->run_job("RestartUnit", "restart", name);
  co_return co_await std::move(job);
}

asio::awaitable<Status> SystemdSupervisor::stop(std::string name) {
  asio::awaitable<Status> job = impl_->run_job("StopUnit", "stop", name);
  const Status stopped = co_await std::move(job);
  if (!stopped && stopped.error().code == Errc::not_found) co_return Status{};
  if (!stopped) co_return stopped;
  // Stopped on purpose: that it had failed, or ended with another code than 0 just now, is of no more interest.
  const BusCall forget = manager_call("ResetFailedUnit", {name});
  asio::awaitable<Result<BusValues>> forgetting = impl_->call(forget, impl_->options.call_limit);
  (void)(co_await std::move(forgetting)).has_value();
  co_return Status{};
}

asio::awaitable<Result<UnitStatus>> SystemdSupervisor::status(std::string name) {
  return impl_->status(name);
}

asio::awaitable<Status> SystemdSupervisor::set_pause(std::string name, std::chrono::seconds pause) {
  return impl_->set_pause(std::move(name), pause);
}

asio::awaitable<Result<std::vector<std::string>>> SystemdSupervisor::changed() {
  while (impl_->news.empty()) {
    if (auto connected = impl_->connect(); !connected) co_return connected.error();
    asio::awaitable<bool> waiting = impl_->told.wait(k_news_round);
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "waiting for changes of units: canceled");
  }
  const std::vector<std::string> names(impl_->news.begin(), impl_->news.end());
  impl_->news.clear();
  co_return names;
}

}  // namespace slipway
