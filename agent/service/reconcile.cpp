#include "agent/service/reconcile.hpp"

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <utility>

#include "agent/domain/host_dropins.hpp"
#include "agent/render/traces.hpp"
#include "agent/service/host_files.hpp"
#include "agent/service/network_pass.hpp"
#include "agent/service/reconcile_pass.hpp"
#include "agent/service/rounds.hpp"
#include "common/core/text.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_full_pass{60'000};
constexpr std::chrono::minutes k_drift_shown{10};
constexpr Millis k_first_retry{2'000};
constexpr Millis k_probe_every{500};
constexpr std::chrono::seconds k_probe_patience{90};

const proto::ComponentRef* find_component(const std::vector<proto::ComponentRef>& components, const std::string& name) {
  const auto found = std::find_if(components.begin(), components.end(),
                                  [&](const proto::ComponentRef& c) { return c.name == name; });
  return found == components.end() ? nullptr : &*found;
}

ArtifactRef artifact_ref(const proto::ComponentRef& component) {
  ArtifactRef ref;
  ref.component = component.name;
  ref.version = component.version;
  ref.sha256 = component.artifact->sha256;
  ref.size = component.artifact->size;
  ref.format = component.artifact->format == "tar" ? ArtifactFormat::tar : ArtifactFormat::file;
  return ref;
}

std::string import_cure(const proto::ComponentRef& component) {
  return "not imported yet; on the coordinator run: slipwayctl artifact import --component " +
         component.name + " --version " + component.version + " FILE";
}

Result<NodeContext> context_of(const proto::DesiredState& desired, const NodeIdentity& self,
                               const ReconcileDeps& deps, std::uint32_t mtu) {
  NodeContext context;
  context.node_name = self.node_name;
  context.role = self.role;
  auto address = IpAddress::parse(self.address);
  if (!address) return slipway::context(address.error(), "this node's address");
  auto cidr = Cidr::parse(self.pod_cidr);
  if (!cidr) return slipway::context(cidr.error(), "this node's pod range");
  context.node_address = *address;
  context.pod_cidr = *cidr;
  auto second = second_block_of(desired, self.node_uid);
  if (!second) return slipway::context(second.error(), "this node's second pod range");
  context.second_pod_cidr = *second;
  for (const std::string& text : pod_ranges_of(desired)) {
    auto range = Cidr::parse(text);
    if (!range) return slipway::context(range.error(), "the cluster's pod ranges");
    context.pod_ranges.push_back(*range);
  }
  context.cluster = desired.cluster;
  context.pod_mtu = mtu;
  context.cgroup_driver = deps.cgroup_driver;
  context.paths = deps.paths;
  return context;
}

}  // namespace

Reconciler::Reconciler(ReconcileDeps deps, std::uint64_t seed)
    : deps_(std::move(deps)),
      gate_(deps_.settings, deps_.coordinator, deps_.clock, deps_.workers, deps_.state, deps_.probe),
      backoff_(k_first_retry, k_full_pass, seed) {}

asio::awaitable<PassReport> Reconciler::pass() {
  Pass pass;
  if (!deps_.state.identity || !deps_.state.desired) co_return pass.report;
  pass.identity = *deps_.state.identity;
  pass.desired = *deps_.state.desired;
  pass.report.revision = pass.desired.revision;
  pass.bundles = deps_.state.ca_stored;
  asio::awaitable<Status> working = work(pass);
  const Status done = co_await std::move(working);
  if (!done) pass.problem("node", "rendering", done.error().message);
  if (done) note_bundles(pass);
  note_drift(pass.report.drifted);
  if (done && deps_.watch_files) deps_.watch_files(pass.paths);
  deps_.state.busy.clear();
  deps_.state.last_pass = pass.report;
  deps_.state.report.set();
  co_return pass.report;
}

// Told for a while: who looks later than the repair shall still see what happened.
void Reconciler::note_drift(const std::vector<std::string>& drifted) {
  std::optional<Drift>& drift = deps_.state.drift;
  if (drift && deps_.clock.steady() - drift->seen >= k_drift_shown) drift.reset();
  if (drifted.empty()) return;
  drift = Drift{deps_.clock.wall(), deps_.clock.steady(), drifted};
  log::warning("somebody changed what is Slipway's; put back", {{"what", join(drifted, ", ")}});
}

// Only what every reader of a bundle has: a component that waits for its artifact, or did not come up again, holds it back.
void Reconciler::note_bundles(const Pass& pass) {
  for (const auto& [kind, digest] : pass.bundles) {
    bool all = true;
    for (std::size_t i = 0; i < pass.components.size(); ++i) {
      const std::vector<FileInput>& inputs = pass.components[i].inputs;
      const bool reads = std::any_of(inputs.begin(), inputs.end(), [&name = kind](const FileInput& input) {
        return input.kind == InputKind::ca_bundle && input.name == name;
      });
      all = all && (!reads || pass.good[i]);
    }
    if (all) note_use(deps_.state.ca_uses, kind, digest, deps_.clock.steady());
  }
}

asio::awaitable<Status> Reconciler::note_intents(std::vector<Intent> intents) {
  if (!deps_.intend) co_return Status{};
  std::function<Result<bool>()> note = [intend = deps_.intend, intents = std::move(intents)]() -> Result<bool> {
    if (auto noted = intend(intents); !noted) return noted.error();
    return true;
  };
  asio::awaitable<Result<bool>> noting = offload<bool>(deps_.workers, std::move(note));
  const Result<bool> noted = co_await std::move(noting);
  if (!noted) co_return noted.error();
  co_return Status{};
}

asio::awaitable<Status> Reconciler::work(Pass& pass) {
  pass.stood = stood(pass.report.revision);
  asio::awaitable<Result<NetworkOutcome>> programming = program_network(pass);
  const Result<NetworkOutcome> network = co_await std::move(programming);
  if (!network) co_return network.error();
  if (pass.stood) pass.report.drifted = network->changes;
  asio::awaitable<Status> telling = tell_readers();
  if (const Status told = co_await std::move(telling); !told) co_return told;
  asio::awaitable<Status> opening = open_firewall(pass, network->underlay);
  if (const Status opened = co_await std::move(opening); !opened) co_return opened;

  auto context = context_of(pass.desired, pass.identity, deps_, network->pod_mtu);
  if (!context) co_return context.error();
  asio::awaitable<Result<SettingsChoice>> choosing = gate_.choose(std::move(*context), pass.desired, pass.identity.node_uid);
  auto choice = co_await std::move(choosing);
  if (!choice) co_return choice.error();
  pass.components = std::move(choice->components);
  pass.held = std::move(choice->held);
  pass.kept = std::move(choice->kept);
  pass.paths = std::move(choice->paths);
  for (const NetworkFile file : k_network_files) pass.paths.push_back(deps_.paths.etc_dir + "/" + network_file_path(file));
  pass.report.problems.insert(pass.report.problems.end(), choice->problems.begin(), choice->problems.end());
  pass.inputs.resize(pass.components.size());
  pass.renewed.resize(pass.components.size());
  pass.good.resize(pass.components.size());
  for (const ComponentFiles& component : pass.components) {
    pass.report.components.push_back(
        {component.name, component.version, "", "", component.unit ? component.unit->name : "", component.probe});
  }
  asio::awaitable<Status> noting_components = note_intents(component_intents(pass.components, deps_.paths, deps_.credentials));
  if (const Status noted = co_await std::move(noting_components); !noted) co_return noted.error();
  asio::awaitable<Status> fetching = fetch_secrets(pass);
  if (const Status fetched = co_await std::move(fetching); !fetched) {
    pass.problem("control plane", "fetching what masters share", fetched.error().message);
  }
  asio::awaitable<Status> installing = install_artifacts(pass);
  if (const Status installed = co_await std::move(installing); !installed) co_return installed.error();
  pass.report.configured = true;
  asio::awaitable<Status> copying = copy_programs(pass);
  if (const Status copied = co_await std::move(copying); !copied) co_return copied.error();
  asio::awaitable<Status> first = bring_up(pass, false);
  if (const Status done = co_await std::move(first); !done) co_return done.error();
  // A docker that has just started sets the FORWARD policy to DROP.
  if (pass.units_acted) {
    asio::awaitable<Result<NetworkOutcome>> again = program_network(pass);
    if (const Result<NetworkOutcome> done = co_await std::move(again); !done) co_return done.error();
  }
  asio::awaitable<Status> last = bring_up(pass, true);
  if (const Status done = co_await std::move(last); !done) co_return done.error();
  asio::awaitable<Status> removing = remove_old_copies(pass);
  if (const Status removed = co_await std::move(removing); !removed) co_return removed.error();
  asio::awaitable<Status> concluding = conclude(pass);
  const Status concluded = co_await std::move(concluding);
  if (!concluded) co_return concluded.error();
  // Last: what was restarted executes the old version no more.
  asio::awaitable<Status> collecting = collect_programs(pass);
  co_return co_await std::move(collecting);
}

// What cannot be removed is in nobody's way: it is told in the log and no fault of the pass.
asio::awaitable<Status> Reconciler::collect_programs(Pass& pass) {
  if (!deps_.collect || !pass.report.installed) co_return Status{};
  std::set<std::string> wanted;
  for (const auto* components : {&pass.desired.components, &pass.kept}) {
    for (const proto::ComponentRef& component : *components) {
      if (component.artifact) wanted.insert(component.artifact->sha256);
    }
  }
  asio::awaitable<Status> collecting = deps_.collect(std::move(wanted));
  const Status collected = co_await std::move(collecting);
  if (!collected && collecting_trouble_.worth_logging(collected.error().message, deps_.clock.steady())) {
    log::warning("old versions of programs stay", {{"error", collected.error()}});
  }
  co_return Status{};
}

asio::awaitable<Status> Reconciler::conclude(Pass& pass) {
  SettingsResult result{pass.components, pass.good, pass.report.clean()};
  asio::awaitable<Status> concluding = gate_.conclude(std::move(result));
  if (const Status concluded = co_await std::move(concluding); !concluded) pass.problem("node", "settings", concluded.error().message);
  co_return Status{};
}

// Files, then systemd's view of the units, then the units: of the components that come before the pod network
// or after it (the CNI file tells the kubelet that pods may come).
asio::awaitable<Status> Reconciler::bring_up(Pass& pass, bool after_network) {
  for (std::size_t i = 0; i < pass.components.size(); ++i) {
    if (pass.components[i].after_network != after_network) continue;
    if (after_network && !pass.report.network_ready) {
      pass.outcome(i).state = "waiting";
      pass.outcome(i).message = "the pod network does not stand yet: " + pass.report.network_message;
      pass.report.configured = false;
      continue;
    }
    asio::awaitable<Status> placing = place_component(pass, i);
    const Status placed = co_await std::move(placing);
    pass.good[i] = placed.has_value();
    if (!placed) pass.report.configured = false;
  }
  asio::awaitable<Status> reloading = reload_units(pass, after_network);
  if (const Status reloaded = co_await std::move(reloading); !reloaded) {
    pass.problem("units", "telling systemd of them", reloaded.error().message);
    pass.report.configured = false;
  }
  for (std::size_t i = 0; i < pass.components.size(); ++i) {
    if (pass.components[i].after_network != after_network || !pass.components[i].unit) continue;
    asio::awaitable<Status> running = run_unit(pass, i);
    if (const Status ran = co_await std::move(running); !ran) {
      pass.good[i] = false;
      pass.problem(pass.components[i].name, "running", ran.error().message);
      pass.outcome(i).message = ran.error().message;
    }
  }
  co_return Status{};
}

// The coordinator is asked when the key is missing, and when somebody has changed it since this process saw it first.
asio::awaitable<Status> Reconciler::fetch_secrets(Pass& pass) {
  using Seen = std::optional<std::string>;
  const std::vector<ComponentFiles> components = pass.components;
  std::function<Result<Seen>()> look = [components]() -> Result<Seen> { return look_at_service_account(components); };
  asio::awaitable<Result<Seen>> looking = offload<Seen>(deps_.workers, std::move(look));
  const Result<Seen> seen = co_await std::move(looking);
  if (!seen) co_return seen.error();
  if (!*seen) co_return Status{};
  const bool whole = !(*seen)->empty() && (service_account_.empty() || **seen == service_account_);
  if (whole) {
    service_account_ = **seen;
    co_return Status{};
  }
  asio::awaitable<Result<proto::MasterSecrets>> asking = deps_.coordinator.master_secrets();
  Result<proto::MasterSecrets> secrets = co_await std::move(asking);
  if (!secrets) co_return secrets.error();
  auto key = std::make_shared<const Secret>(std::move(secrets->service_account_key));
  std::function<Result<bool>()> place = [components, key] { return place_service_account(components, *key); };
  asio::awaitable<Result<bool>> placing = offload<bool>(deps_.workers, std::move(place));
  const Result<bool> placed = co_await std::move(placing);
  if (!placed) co_return placed.error();
  service_account_.clear();  // the next look knows it
  if (*placed) pass.add({"service account key"}, {});
  co_return Status{};
}

asio::awaitable<Status> Reconciler::install_artifacts(Pass& pass) {
  std::map<std::string, std::string> failed;  // artifact -> message
  std::map<std::string, std::string> states;
  std::set<std::string> names;
  for (const ComponentFiles& component : pass.components) names.insert(component.artifact);
  for (const std::string& name : names) {
    if (name.empty()) continue;
    const proto::ComponentRef* wanted = find_component(pass.holds(name) ? pass.kept : pass.desired.components, name);
    if (wanted == nullptr || !wanted->artifact) {
      states[name] = "waiting";
      failed[name] = wanted ? import_cure(*wanted) : "the coordinator does not name it";
      continue;
    }
    const ArtifactRef ref = artifact_ref(*wanted);
    deps_.state.busy = "installing " + ref.component + " " + ref.version;
    asio::awaitable<Result<bool>> ensuring = deps_.install(ref);
    const Result<bool> ensured = co_await std::move(ensuring);
    deps_.state.busy.clear();
    if (!ensured) {
      states[name] = "installing";
      failed[name] = ensured.error().message;
      pass.problem(name, "installing", ensured.error().message);
      continue;
    }
    if (*ensured) pass.report.changes.push_back("installed " + ref.component + " " + ref.version);
    if (*ensured && pass.stood) pass.report.drifted.push_back("programs of " + ref.component + " " + ref.version);
    pass.stamps[name] = ref.version + " " + ref.sha256;
  }
  for (std::size_t i = 0; i < pass.components.size(); ++i) {
    const auto why = failed.find(pass.components[i].artifact);
    if (why == failed.end()) continue;
    pass.outcome(i).state = states[why->first];
    pass.outcome(i).message = why->second;
  }
  pass.report.installed = failed.empty();
  co_return Status{};
}

asio::awaitable<Status> Reconciler::place_component(Pass& pass, std::size_t index) {
  const ComponentFiles component = pass.components[index];
  const auto stamp = pass.stamps.find(component.artifact);
  if (stamp == pass.stamps.end() && !component.artifact.empty())
    co_return make_error(Errc::not_found, "not installed");
  const std::string stamp_text = stamp == pass.stamps.end() ? std::string() : stamp->second;
  CredentialStore* credentials = &deps_.credentials;
  const std::string unit_dir = deps_.paths.unit_dir;
  std::function<Result<PlacedFiles>()> place = [component, credentials, stamp_text,
                                                unit_dir]() -> Result<PlacedFiles> {
    return place_files(component, *credentials, stamp_text, unit_dir);
  };
  asio::awaitable<Result<PlacedFiles>> placing = offload<PlacedFiles>(deps_.workers, std::move(place));
  const Result<PlacedFiles> placed = co_await std::move(placing);
  if (!placed) {
    pass.problem(component.name, "writing its files", placed.error().message);
    pass.outcome(index).state = placed.error().code == Errc::not_found ? "waiting" : "failed";
    pass.outcome(index).message = placed.error().message;
    co_return placed.error();
  }
  pass.paths.insert(pass.paths.end(), placed->paths.begin(), placed->paths.end());
  if (component.unit) pass.paths.push_back(enabling_link(unit_dir, component.unit->name));
  pass.units_changed = pass.units_changed || placed->unit_written;
  for (const std::string& path : placed->changed) pass.report.changes.push_back("wrote " + path);
  if (std::exchange(settled_[component.name], placed->wish) == placed->wish) {
    pass.report.drifted.insert(pass.report.drifted.end(), placed->rewritten.begin(), placed->rewritten.end());
  }
  if (!placed->rivals.empty()) {
    pass.report.problems.push_back("network: " + join(placed->rivals, ", ") +
                                   " comes before our network configuration, so new pods are of another network: remove it, or let that "
                                   "plugin have the pod network (network.backend: external)");
  }
  pass.inputs[index] = placed->inputs;
  pass.renewed[index] = placed->unit_written || !placed->changed.empty();
  co_return Status{};
}

asio::awaitable<Status> Reconciler::reload_units(Pass& pass, bool after_network) {
  std::vector<std::string> not_enabled;
  bool stale = std::exchange(pass.units_changed, false);
  for (std::size_t i = 0; i < pass.components.size(); ++i) {
    if (!pass.inputs[i] || !pass.components[i].unit || pass.components[i].after_network != after_network)
      continue;
    const std::string name = pass.components[i].unit->name;
    asio::awaitable<Result<UnitStatus>> asking = deps_.supervisor.status(name);
    const Result<UnitStatus> status = co_await std::move(asking);
    if (!status) co_return status.error();
    // Also after a kill between writing the file and telling the supervisor.
    if (status->load != UnitLoad::loaded || status->needs_reload) stale = true;
    if (!status->enabled) not_enabled.push_back(name);
    pass.asked[name] = *status;
  }
  if (stale || !not_enabled.empty()) pass.asked.clear();
  if (stale) {
    asio::awaitable<Status> reloading = deps_.supervisor.reload();
    if (const Status reloaded = co_await std::move(reloading); !reloaded) co_return reloaded.error();
  }
  if (not_enabled.empty()) co_return Status{};
  pass.report.changes.push_back("enabled " + join(not_enabled, ", "));
  if (pass.stood) pass.report.drifted.push_back(pass.report.changes.back());
  asio::awaitable<Status> enabling = deps_.supervisor.enable(not_enabled);
  co_return co_await std::move(enabling);
}

// An idle node's passes are mostly such questions: each is three calls to systemd and a millisecond of its time.
asio::awaitable<Result<UnitStatus>> Reconciler::unit_status(Pass& pass, std::string name) {
  if (const auto known = pass.asked.find(name); known != pass.asked.end()) co_return known->second;
  asio::awaitable<Result<UnitStatus>> asking = deps_.supervisor.status(std::move(name));
  co_return co_await std::move(asking);
}

asio::awaitable<Status> Reconciler::run_unit(Pass& pass, std::size_t index) {
  const std::string name = pass.components[index].unit->name;
  asio::awaitable<Result<UnitStatus>> asking = unit_status(pass, name);
  const Result<UnitStatus> status = co_await std::move(asking);
  if (!status) co_return status.error();
  deps_.state.units[name] = *status;
  SeenUnit seen{*status, std::nullopt, ""};
  if (const auto ill = deps_.state.ill.find(name); ill != deps_.state.ill.end()) {
    if (ill->second.invocation == status->invocation) seen.ill = ill->second.why;
    deps_.state.ill.erase(ill);
  }
  if (status->main_pid > 0) {
    const auto environment = deps_.environment_of(status->main_pid);
    // A process that ended this moment is looked at again in the next pass; unreadable is not the same as
    // somebody else's.
    if (!environment) co_return Status{};
    seen.inputs = inputs_of_environment(*environment);
  }
  const UnitDecision decision = plan_unit({name, pass.inputs[index], pass.renewed[index]}, seen);
  if (decision.action == UnitAction::none) {
    if (status->running()) retries_.erase(name);
    co_return Status{};
  }
  asio::awaitable<Status> acting = act_on_unit(pass, index, decision);
  co_return co_await std::move(acting);
}

asio::awaitable<Status> Reconciler::act_on_unit(Pass& pass, std::size_t index, UnitDecision decision) {
  const std::string name = pass.components[index].unit->name;
  const auto retry = retries_.find(name);
  if (retry != retries_.end() && deps_.clock.steady() < retry->second.not_before) {
    co_return make_error(Errc::unavailable, "waiting before the next start; " + decision.reason);
  }
  pass.units_acted = true;
  pass.asked.clear();
  const bool restart = decision.action == UnitAction::restart;
  pass.report.changes.push_back((restart ? "restarted " : "started ") + name + ": " + decision.reason);
  // Stopped, not failed: somebody did that.
  const auto known = deps_.state.units.find(name);
  const bool stopped = known != deps_.state.units.end() && known->second.active == UnitActivity::inactive && known->second.invocation != "";
  if (pass.stood && !restart && stopped) pass.report.drifted.push_back(name + " was stopped");
  log::info(restart ? "restarting a unit" : "starting a unit",
            {{"unit", name}, {"because", decision.reason}});
  asio::awaitable<Status> acting = restart ? deps_.supervisor.restart(name) : deps_.supervisor.start(name);
  const Status done = co_await std::move(acting);
  asio::awaitable<Result<UnitStatus>> asking = deps_.supervisor.status(name);
  const Result<UnitStatus> status = co_await std::move(asking);
  if (status) deps_.state.units[name] = *status;
  if (!done) {
    UnitRetry& failed = retries_[name];
    const int step = std::min(failed.failures++, 5);
    failed.not_before = deps_.clock.steady() + std::min(k_full_pass * 5, Millis(5'000) * (1 << step));
    co_return done.error();
  }
  retries_.erase(name);
  asio::awaitable<Status> waiting = wait_healthy(pass, index);
  co_return co_await std::move(waiting);
}

// Only where a later unit needs this one to answer; for the others systemd's word is enough.
asio::awaitable<Status> Reconciler::wait_healthy(Pass& pass, std::size_t index) {
  const ComponentFiles component = pass.components[index];
  bool needed = false;
  for (std::size_t i = index + 1; i < pass.components.size(); ++i) {
    if (!pass.components[i].unit) continue;
    const std::vector<std::string>& after = pass.components[i].unit->after;
    needed = needed || std::find(after.begin(), after.end(), component.unit->name) != after.end();
  }
  if (!needed || !component.probe) co_return Status{};
  const SteadyTime deadline = deps_.clock.steady() + k_probe_patience;
  for (;;) {
    asio::awaitable<Status> probing = deps_.probe(*component.probe);
    const Status well = co_await std::move(probing);
    if (well) co_return Status{};
    if (deps_.clock.steady() >= deadline)
      co_return context(well.error(), "it was started but does not become healthy");
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(k_probe_every);
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
  }
}

Millis Reconciler::next_wait(const PassReport& report) {
  Millis wait = until_round(deps_.clock.steady(), k_full_pass);
  if (report.clean()) backoff_.reset();
  else wait = backoff_.next();
  return std::min(wait, gate_.next_look().value_or(wait));
}

void Reconciler::log_changes(const std::vector<std::string>& changes) {
  if (changes.empty()) return;
  const std::vector<std::string> first(changes.begin(), changes.begin() + std::min<std::ptrdiff_t>(12, std::ssize(changes)));
  log::info("changed the host", {{"changes", changes.size()}, {"first", join(first, "; ")}});
}

void Reconciler::log_pass(const PassReport& report) {
  log_changes(report.changes);
  if (report.clean()) {
    if (trouble_.clear()) log::info("the host is as desired");
    return;
  }
  const std::string all = join(report.problems, "; ");
  if (trouble_.worth_logging(all, deps_.clock.steady()))
    log::warning("the host is not yet as desired", {{"problems", all}});
}

asio::awaitable<Status> Reconciler::run() {
  for (;;) {
    deps_.state.reconcile.take();
    asio::awaitable<PassReport> passing = pass();
    const PassReport report = co_await std::move(passing);
    log_pass(report);
    const Millis wait = next_wait(report);
    asio::awaitable<bool> waiting = deps_.state.reconcile.wait(wait);
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "stopping");
  }
}

}  // namespace slipway
