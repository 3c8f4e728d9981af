#include "agent/service/status.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/reconcile_plan.hpp"
#include "agent/service/rounds.hpp"
#include "common/core/text.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_routes_period{60'000};
constexpr Millis k_period{10'000};
constexpr Millis k_told_lately{9'000};  // less than the period: a sign of life goes out in each
constexpr Millis k_same_for{25'000};      // seen to be the same process: looked at again in the third round
constexpr Millis k_file_stands{45'000};   // the local status file, when only its times are old; readers wonder after a minute
constexpr Millis k_gather{1'000};  // changes within this time go out together

std::string unit_state(const UnitStatus& unit) {
  if (unit.running()) return "running";
  if (unit.active == UnitActivity::failed) return "failed";
  if (unit.active == UnitActivity::activating)
    return unit.sub_state == "auto-restart" ? "failed" : "starting";
  return "stopped";
}

std::string time_text(const std::optional<WallTime>& time) { return time ? to_rfc3339(*time) : std::string(); }

// An end that was asked for is none that anybody must know of.
bool is_told(const UnitStatus& unit, bool looping) {
  return !exit_reason(unit).empty() && (unit.result != "success" || unit.waiting() || looping);
}

proto::ComponentEnd component_end(const UnitStatus& unit, const UnitNote& note) {
  proto::ComponentEnd end;
  end.at = time_text(unit.ended);
  end.reason = exit_reason(unit);
  if (unit.exit_kind == ExitKind::exited) end.exit_code = static_cast<std::uint64_t>(unit.exit_status);
  end.signal = exit_signal(unit);
  end.lines = note.last_lines;
  return end;
}

void add_supervision(const AgentState& state, const UnitStatus& unit, proto::ComponentStatus& status) {
  const auto known = state.notes.find(unit.name);
  const UnitNote note = known == state.notes.end() ? UnitNote() : known->second;
  const bool looping = status.state == "crash-loop";
  status.since = time_text(unit.running() ? unit.started : unit.ended);
  if (looping) status.since = time_text(note.loop_since);
  status.starts = unit.started ? std::uint64_t{unit.restarts} + 1 : 0;
  status.pause_seconds = static_cast<std::uint64_t>(note.pause.count());
  if (is_told(unit, looping)) status.ends = {component_end(unit, note)};
}

proto::ComponentStatus component_status(const AgentState& state, const ComponentOutcome& outcome) {
  proto::ComponentStatus status;
  status.name = outcome.name;
  status.version = outcome.version;
  status.state = outcome.state;
  status.message = outcome.message;
  const auto unit = state.units.find(outcome.unit);
  if (outcome.unit.empty() || unit == state.units.end()) {
    if (status.state.empty()) status.state = outcome.unit.empty() ? "running" : "stopped";
    return status;
  }
  status.restarts = unit->second.restarts;
  status.pid = unit->second.main_pid > 0 ? static_cast<std::uint64_t>(unit->second.main_pid) : 0;
  const std::string seen = unit_state(unit->second);
  if (status.state.empty() || seen == "running") status.state = seen;
  if (seen != "running" && status.message.empty()) status.message = describe_exit(unit->second);
  const auto loop = state.crash_loops.find(outcome.unit);
  if (loop != state.crash_loops.end()) {
    status.state = "crash-loop";
    status.message = loop->second;
  }
  add_supervision(state, unit->second, status);
  return status;
}

bool all_running(const std::vector<proto::ComponentStatus>& components) {
  return !components.empty() &&
         std::all_of(components.begin(), components.end(),
                     [](const proto::ComponentStatus& c) { return c.state == "running"; });
}

std::string not_running(const std::vector<proto::ComponentStatus>& components) {
  std::vector<std::string> names;
  for (const proto::ComponentStatus& component : components) {
    if (component.state != "running") names.push_back(component.name + " " + component.state);
  }
  return join(names, ", ");
}

// Well again after a repair, but told for some minutes: somebody should know. What cannot be put back is a problem of the pass.
proto::Condition drift_condition(const AgentState& state) {
  if (!state.drift) return {"AsWritten", true, "Unchanged", ""};
  constexpr std::size_t k_most = 8;
  const std::vector<std::string>& what = state.drift->what;
  const std::vector<std::string> first(what.begin(), what.begin() + std::min<std::ptrdiff_t>(k_most, std::ssize(what)));
  const std::string more = what.size() > k_most ? " and " + std::to_string(what.size() - k_most) + " more" : "";
  return {"AsWritten", true, "Repaired", "changed by somebody else, put back at " + to_rfc3339(state.drift->at) + ": " + join(first, ", ") + more};
}

void add_conditions(const AgentState& state, proto::NodeStatusReport& report, bool running) {
  const PassReport empty;
  const PassReport& pass = state.last_pass ? *state.last_pass : empty;
  report.conditions.push_back(
      {"Installed", pass.installed, pass.installed ? "Complete" : "Incomplete", state.busy});
  report.conditions.push_back({"NetworkReady", pass.network_ready,
                               pass.network_ready ? "Converged" : "NotReady", pass.network_message});
  report.conditions.push_back(
      {"ComponentsRunning", running, running ? "Running" : "NotRunning", not_running(report.components)});
  report.conditions.push_back({"CertificatesValid", state.certificates_valid,
                               state.certificates_valid ? "Valid" : "Ended", state.renew_message});
  report.conditions.push_back(drift_condition(state));
}

std::string last_error(const AgentState& state) {
  if (!state.join_message.empty()) return state.join_message;
  if (!state.sync_message.empty()) return state.sync_message;
  if (state.last_pass && !state.last_pass->problems.empty()) return state.last_pass->problems.front();
  return state.renew_message;
}

}  // namespace

proto::NodeStatusReport build_report(const AgentState& state) {
  proto::NodeStatusReport report;
  report.facts = state.facts;
  report.certificates = state.certificates;
  NodeProgress progress;
  progress.removed = state.removed;
  progress.joined = state.identity.has_value();
  progress.was_running = state.was_running;
  if (state.last_pass) {
    for (const ComponentOutcome& outcome : state.last_pass->components)
      report.components.push_back(component_status(state, outcome));
    progress.installed = state.last_pass->installed;
    progress.configured = state.last_pass->configured && state.last_pass->network_ready;
    report.applied_revision = state.last_pass->peers_applied ? state.last_pass->revision : 0;
  }
  progress.running = all_running(report.components);
  report.phase = node_phase(progress);
  add_conditions(state, report, progress.running);
  report.last_error = last_error(state);
  report.settings = state.settings;
  return report;
}

namespace {

// "kubelet: installing: no space left" is the kubelet's.
proto::LocalError error_of_pass(const std::string& problem) {
  const std::size_t colon = problem.find(": ");
  const bool named = colon != std::string::npos && colon <= 40 && problem.find(' ') > colon;
  return {named ? problem.substr(0, colon) : "reconciliation", named ? problem.substr(colon + 2) : problem,
          "the agent tries again by itself; slipway-agent health, journalctl -u slipway-agent", ""};
}

proto::LocalError join_error(const AgentState& state) {
  std::string message = state.join_message;
  const std::string tail = "; " + state.join_cure;
  if (!state.join_cure.empty() && message.ends_with(tail)) message.resize(message.size() - tail.size());
  return {"join", message, state.join_cure, ""};
}

proto::LocalError coordinator_error(const AgentState& state) {
  const char* cure = state.removed ? k_join_anew
                                   : "the node goes on as it is; is the coordinator up and the way to it open? slipway-agent preflight";
  return {"coordinator", state.sync_message, cure, ""};
}

// Certificates with when they will be renewed, and since when each component runs.
void add_lives(const AgentState& state, proto::AgentLocalStatus& status) {
  for (const CertificateLife& life : state.lives) {
    status.certificates.push_back({life.usage, life.serial, to_rfc3339(life.not_before), to_rfc3339(life.not_after),
                                   to_rfc3339(renewal_time(life, state.renew_at))});
  }
  if (!state.last_pass) return;
  for (const ComponentOutcome& outcome : state.last_pass->components) {
    const auto unit = state.units.find(outcome.unit);
    if (unit == state.units.end()) continue;
    const auto& since = unit->second.running() ? unit->second.started : unit->second.ended;
    if (since) status.component_since[outcome.name] = to_rfc3339(*since);
  }
}

}  // namespace

std::vector<proto::LocalError> standing_errors(const AgentState& state) {
  std::vector<proto::LocalError> errors;
  if (!state.join_message.empty()) errors.push_back(join_error(state));
  if (!state.sync_message.empty()) errors.push_back(coordinator_error(state));
  if (!state.address_message.empty()) errors.push_back({"address", state.address_message, "give this host its address back, or see docs/nodes.md", ""});
  if (!state.renew_message.empty() && state.renew_message != state.address_message) {
    errors.push_back({"certificates", state.renew_message, "the agent tries again by itself; slipwayctl certs check-expiration", ""});
  }
  for (const auto& [unit, reason] : state.crash_loops) errors.push_back({unit, reason, "journalctl -u " + unit, ""});
  for (const auto& [unit, ill] : state.ill) errors.push_back({unit, "does not answer: " + ill.why, "the agent starts it anew; journalctl -u " + unit, ""});
  if (state.last_pass) {
    for (const std::string& problem : state.last_pass->problems) errors.push_back(error_of_pass(problem));
  }
  return errors;
}

proto::AgentLocalStatus build_local_status(const AgentState& state, WallTime now) {
  proto::AgentLocalStatus status;
  status.report = build_report(state);
  status.updated_at = to_rfc3339(now);
  status.message = status.report.last_error;
  status.join_state = state.join_state;
  if (state.last_contact) status.last_contact = to_rfc3339(*state.last_contact);
  if (state.desired) status.desired_revision = state.desired->revision;
  status.agent_version = state.facts.agent_version;
  status.coordinator = state.coordinator;
  status.coordinator_error = state.sync_message;
  status.errors = state.troubles.standing();
  status.last_error = state.troubles.last();
  if (state.drift) status.drift = proto::LocalDrift{to_rfc3339(state.drift->at), state.drift->what};
  add_lives(state, status);
  if (!state.identity) return status;
  status.joined = !state.removed;
  status.cluster = state.identity->cluster;
  status.node_name = state.identity->node_name;
  status.role = state.identity->role;
  status.address = state.identity->address;
  status.pod_cidr = state.identity->pod_cidr;
  return status;
}

StatusReporter::StatusReporter(Deps deps) : deps_(std::move(deps)) {}

asio::awaitable<Status> StatusReporter::watch_units() {
  std::vector<std::string> units;
  if (deps_.state.last_pass) {
    for (const ComponentOutcome& outcome : deps_.state.last_pass->components) {
      if (!outcome.unit.empty()) units.push_back(outcome.unit);
    }
  }
  for (const std::string& name : units) {
    asio::awaitable<Result<UnitStatus>> looking = look_at(name);
    const Result<UnitStatus> status = co_await std::move(looking);
    if (!status) co_return status.error();
    deps_.state.units[name] = *status;
    const auto loop = watches_[name].observe(*status, deps_.clock.steady());
    UnitNote& note = deps_.state.notes[name];
    if (loop && !note.loop_since) note.loop_since = deps_.clock.wall();
    if (!loop) note.loop_since.reset();
    if (loop) {
      deps_.state.crash_loops[name] = std::to_string(loop->restarts) + " restarts: " + loop->reason;
    } else {
      deps_.state.crash_loops.erase(name);
    }
    const bool down = status->active == UnitActivity::failed || status->active == UnitActivity::inactive;
    if (down && status->load == UnitLoad::loaded) deps_.state.reconcile.set();
  }
  co_return Status{};
}

// An idle node's units are the same processes for days, and the supervisor tells when they are not (UnitWatch): this looks for what it may
// have failed to tell. Other changes of a unit show in the reconciler's next pass.
asio::awaitable<Result<UnitStatus>> StatusReporter::look_at(std::string name) {
  const auto known = deps_.state.units.find(name);
  if (known != deps_.state.units.end() && known->second.main_pid > 0 && deps_.environment_of) {
    SameProcess& same = same_[name];
    const SteadyTime now = deps_.clock.steady();
    if (same.invocation == known->second.invocation && now - same.seen < k_same_for) co_return known->second;
    const Result<std::string> environment = deps_.environment_of(known->second.main_pid);
    if (environment && is_same_start(known->second, *environment)) {
      same = {known->second.invocation, now};
      co_return known->second;
    }
  }
  asio::awaitable<Result<UnitStatus>> asking = deps_.supervisor.status(name);
  co_return co_await std::move(asking);
}

// Docker's bridge or a VPN may come at any time. Of a host with thousands of peers the table is long: once a minute.
void StatusReporter::look_at_routes() {
  const SteadyTime now = deps_.clock.steady();
  if (!deps_.host_routes || (routes_read_ && now - *routes_read_ < k_routes_period)) return;
  routes_read_ = now;
  auto routes = deps_.host_routes();
  if (routes) deps_.state.facts.host_routes = std::move(*routes);
}

// It is for the time when no agent answers: then everybody can see how old it is.
Status StatusReporter::write_file(const proto::AgentLocalStatus& local) {
  proto::AgentLocalStatus content = local;
  content.updated_at.clear();
  content.last_contact.clear();
  const SteadyTime now = deps_.clock.steady();
  if (written_ && written_->content == content && now - written_->at < k_file_stands) return {};
  written_.reset();
  if (const Status written = deps_.write_local(local); !written) return written;
  written_ = WrittenFile{std::move(content), now};
  return {};
}

asio::awaitable<Status> StatusReporter::tick() {
  // A node that goes on running shall not look as if it began anew only because its agent was restarted: the
  // first pass says how it is, unless that takes long.
  const bool first = std::exchange(first_tick_, false);
  if (first && deps_.state.identity && !deps_.state.last_pass) co_return Status{};
  asio::awaitable<Status> watching = watch_units();
  const Status watched = co_await std::move(watching);
  if (!watched && watched.error().code == Errc::canceled) co_return watched.error();
  look_at_routes();
  if (deps_.coordinator_name) deps_.state.coordinator = deps_.coordinator_name();
  deps_.state.troubles.update(standing_errors(deps_.state), deps_.clock.wall());
  proto::AgentLocalStatus local = build_local_status(deps_.state, deps_.clock.wall());
  local.report.ca_bundles = confirmed_bundles(deps_.state.ca_uses, deps_.state.ca_stored, deps_.clock.steady());
  if (local.report.phase == "Running") deps_.state.was_running = true;
  if (local.report.phase != last_phase_) {
    log::info("phase", {{"phase", local.report.phase}});
    last_phase_ = local.report.phase;
    deps_.tell_systemd(local.report.phase + (local.message.empty() ? "" : ": " + local.message));
  }
  const Status written = write_file(local);
  if (!written && local_trouble_.worth_logging(written.error().message, deps_.clock.steady())) {
    log::warning("the local status file could not be written", {{"error", written.error()}});
  }
  if (!deps_.state.identity) co_return Status{};
  // Said with the question for news: the report is then mostly the one before, which the coordinator takes unread.
  if (deps_.state.told_routes) local.report.applied_revision = 0;
  // A pass that found nothing to do is no reason to tell the same again.
  const bool fresh = sent_at_ && deps_.clock.steady() - *sent_at_ < k_told_lately;
  if (fresh && local.report == last_sent_) co_return Status{};
  last_sent_ = local.report;
  sent_at_.reset();
  asio::awaitable<Status> reporting = deps_.coordinator.report(std::move(local.report));
  const Status reported = co_await std::move(reporting);
  if (reported) deps_.state.last_contact = deps_.clock.wall();
  if (reported) sent_at_ = deps_.clock.steady();
  co_return reported;
}

asio::awaitable<Status> StatusReporter::run() {
  for (;;) {
    deps_.state.report.take();
    asio::awaitable<Status> ticking = tick();
    // What keeps the coordinator from being asked is logged by the long poll: once is enough.
    const Status done = co_await std::move(ticking);
    if (!done && done.error().code == Errc::canceled) co_return done.error();
    asio::awaitable<bool> waiting = deps_.state.report.wait(until_round(deps_.clock.steady(), k_period));
    const bool asked = co_await std::move(waiting);
    if (asked) {
      asio::awaitable<Status> gathering = deps_.clock.sleep_for(k_gather);
      const Status gathered = co_await std::move(gathering);
      if (!gathered) co_return gathered.error();
    }
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "stopping");
  }
}

}  // namespace slipway
