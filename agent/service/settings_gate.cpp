#include "agent/service/settings_gate.hpp"

#include <algorithm>
#include <utility>

#include "common/core/text.hpp"
#include "common/log/log.hpp"
#include "proto/codec.hpp"
#include "common/kube/component_settings.hpp"
#include "common/kube/versions.hpp"
#include "proto/settings.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_look{2'000};                // while components come up
constexpr std::chrono::seconds k_settle{10};   // so long all must be well, with the same processes
constexpr std::chrono::minutes k_patience{2};  // then the node goes back to what it had
constexpr std::chrono::minutes k_renew_leave{1};

std::vector<proto::SettingsLevel> levels_of(const proto::AppliedSettings& settings) {
  std::vector<proto::SettingsLevel> levels = proto::levels_of(settings.cluster, settings.own);
  if (settings.host != proto::NodeSettings{}) levels.push_back({"host", settings.host});
  return levels;
}

// {}: nothing was set.
proto::RawJson document_of(const proto::NodeSettings& settings) {
  if (settings == proto::NodeSettings{}) return {};
  return {proto::encode(settings)};
}

Result<std::vector<ComponentFiles>> render_with(NodeContext base, const proto::AppliedSettings& settings) {
  base.cluster = proto::with_settings(settings.cluster, proto::merged(levels_of(settings)));
  base.pod_ranges.clear();
  for (const std::string& text : settings.pod_ranges) {
    const auto range = Cidr::parse(text);
    if (range) base.pod_ranges.push_back(*range);
  }
  return render_components(base);
}

const ComponentFiles* find(const std::vector<ComponentFiles>& components, const std::string& name) {
  const auto found = std::find_if(components.begin(), components.end(),
                                  [&name](const ComponentFiles& c) { return c.name == name; });
  return found == components.end() ? nullptr : &*found;
}

// Only what has a unit is disturbed by a change.
std::vector<ComponentFiles> changed_between(const std::vector<ComponentFiles>& before,
                                            const std::vector<ComponentFiles>& after) {
  std::vector<ComponentFiles> changed;
  for (const ComponentFiles& component : after) {
    const ComponentFiles* const old = find(before, component.name);
    if (old != nullptr && component.unit && !(*old == component)) changed.push_back(component);
  }
  return changed;
}

std::vector<std::string> names_of(const std::vector<ComponentFiles>& components) {
  std::vector<std::string> names;
  for (const ComponentFiles& component : components) names.push_back(component.name);
  return names;
}

// Empty: the programs of all that changes are to be had.
std::string lacking_of(const std::vector<ComponentFiles>& changed, const proto::DesiredState& desired) {
  for (const ComponentFiles& component : changed) {
    const auto ref = std::find_if(desired.components.begin(), desired.components.end(),
                                  [&](const proto::ComponentRef& c) { return c.name == component.artifact; });
    if (ref == desired.components.end() || !ref->artifact)
      return component.name + " " + component.version + " was not imported yet (slipwayctl artifact import)";
  }
  return {};
}

void hold(SettingsChoice& choice, const std::vector<ComponentFiles>& changed,
          const std::vector<ComponentFiles>& before, const proto::AppliedSettings& applied) {
  for (ComponentFiles& component : choice.components) {
    if (find(changed, component.name) == nullptr) continue;
    component = *find(before, component.name);
    choice.held.insert(component.name);
  }
  choice.kept = applied.components;
}

}  // namespace

SettingsGate::SettingsGate(SettingsGateDeps deps, CoordinatorApi& coordinator, Clock& clock, Workers& workers,
                           AgentState& state, Probe probe)
    : deps_(std::move(deps)),
      coordinator_(coordinator),
      clock_(clock),
      workers_(workers),
      state_(state),
      probe_(std::move(probe)) {}

void SettingsGate::tell(std::string state, std::string message) {
  proto::SettingsStatus& status = state_.settings.emplace(state_.settings.value_or(proto::SettingsStatus{}));
  if (status.state != state || status.message != message) {
    log::info("settings", {{"state", state}, {"message", message}});
    state_.report.set();
  }
  status.state = std::move(state);
  status.message = std::move(message);
  const proto::AppliedSettings& runs = applied_ ? *applied_ : wanted_;
  proto::NodeSettings running = proto::merged(levels_of(runs));
  running.labels.clear();
  running.taints.clear();
  status.running = document_of(running);
  status.host = document_of(runs.host);
}

asio::awaitable<Status> SettingsGate::load_once() {
  if (std::exchange(loaded_, true) || !deps_.load) co_return Status{};
  using Stored = std::optional<std::string>;
  std::function<Result<Stored>()> read = deps_.load;
  asio::awaitable<Result<Stored>> reading = offload<Stored>(workers_, std::move(read));
  const Result<Stored> stored = co_await std::move(reading);
  if (!stored) co_return context(stored.error(), "reading the settings that came up last");
  if (!*stored) co_return Status{};
  auto applied = proto::decode<proto::AppliedSettings>(**stored);
  if (!applied) co_return context(applied.error(), "reading the settings that came up last");
  saved_ = **stored;
  applied_ = std::move(*applied);
  co_return Status{};
}

asio::awaitable<HostSettings> SettingsGate::read_host(int minor) {
  if (!deps_.host) co_return HostSettings{};
  std::function<Result<HostSettings>()> read = [host = deps_.host, minor]() -> Result<HostSettings> {
    return host(minor);
  };
  asio::awaitable<Result<HostSettings>> reading = offload<HostSettings>(workers_, std::move(read));
  const Result<HostSettings> settings = co_await std::move(reading);
  if (settings) co_return *settings;
  HostSettings unread;
  unread.kubelet_problem = unread.kube_proxy_problem = settings.error().message;
  co_return unread;
}

asio::awaitable<Result<SettingsChoice>> SettingsGate::choose(NodeContext base, proto::DesiredState desired,
                                                             std::string uid) {
  SettingsChoice choice;
  asio::awaitable<Status> loading = load_once();
  if (const Status loaded = co_await std::move(loading); !loaded)
    choice.problems.push_back("settings: " + loaded.error().message);
  if (applied_ && applied_->node_uid != uid) applied_.reset();  // of another life of this host
  asio::awaitable<HostSettings> reading =
      read_host(kube::kube_minor(desired.cluster.versions.kubernetes).value_or(0));
  HostSettings host = co_await std::move(reading);
  choice.paths = host.paths;
  wanted_ = {std::move(uid),    desired.cluster, {}, {host.kubelet, host.kube_proxy, {}, {}}, {},
             desired.components};
  if (const auto own = desired.overrides.find(base.node_name); own != desired.overrides.end())
    wanted_.own = own->second;
  for (const Cidr& range : base.pod_ranges) wanted_.pod_ranges.push_back(range.to_string());
  for (const std::string& problem : {host.kubelet_problem, host.kube_proxy_problem}) {
    if (!problem.empty()) choice.problems.push_back("settings: " + problem + "; what was in force stays");
  }
  if (!host.kubelet_problem.empty())
    wanted_.host.kubelet = applied_ ? applied_->host.kubelet : proto::ComponentSettings{};
  if (!host.kube_proxy_problem.empty())
    wanted_.host.kube_proxy = applied_ ? applied_->host.kube_proxy : proto::ComponentSettings{};

  auto wanted = render_with(base, wanted_);
  auto before = applied_ ? render_with(base, *applied_)
                         : Result<std::vector<ComponentFiles>>(make_error(Errc::not_found, "none"));
  if (!wanted && !before) co_return wanted.error();
  if (!wanted) {
    // The node goes on as it is, and is repaired; what is wrong with the new settings is told.
    choice.components = *before;
    for (const ComponentFiles& component : *before) choice.held.insert(component.name);
    choice.kept = applied_->components;
    choice.problems.push_back("settings: " + wanted.error().message + "; what was in force stays");
    changes_ = true;
    asio::awaitable<void> giving = give_back();
    co_await std::move(giving);
    attempt_.reset();
    tell("failed", wanted.error().message);
    co_return choice;
  }
  choice.components = std::move(*wanted);
  const std::vector<ComponentFiles> changed =
      before ? changed_between(*before, choice.components) : std::vector<ComponentFiles>();
  changes_ = !changed.empty();
  asio::awaitable<Turn> turning = turn_for(changed, lacking_of(changed, desired));
  const Turn turn = co_await std::move(turning);
  if (turn == Turn::later) hold(choice, changed, *before, *applied_);
  co_return choice;
}

bool SettingsGate::is_up(const std::vector<ComponentFiles>& target) const {
  return std::any_of(target.begin(), target.end(), [this](const ComponentFiles& component) {
    const auto unit = state_.units.find(component.unit->name);
    return unit == state_.units.end() || unit->second.running();
  });
}

asio::awaitable<SettingsGate::Turn> SettingsGate::turn_for(std::vector<ComponentFiles> target,
                                                           std::string lacking) {
  retry_ = Millis(0);
  if (target.empty()) {
    failed_.clear();
    asio::awaitable<void> giving = give_back();
    co_await std::move(giving);
    attempt_.reset();
    co_return Turn::now;
  }
  if (target == failed_) {
    tell("failed", failure_);
    co_return Turn::later;
  }
  failed_.clear();
  if (!lacking.empty()) {
    // Stopping what runs for a version that is not there would help nobody.
    asio::awaitable<void> giving = give_back();
    co_await std::move(giving);
    attempt_.reset();
    tell("waiting", lacking);
    co_return Turn::later;
  }
  const bool same = attempt_ && attempt_->target == target;
  if (same && (!attempt_->leave || clock_.steady() - attempt_->asked < k_renew_leave)) co_return Turn::now;
  if (!same && !is_up(target)) {
    // Nothing runs that a restart could take away.
    const bool leave = attempt_ && attempt_->leave;
    attempt_ = Attempt{std::move(target), leave, clock_.steady(), {}, {}, {}, {}};
    co_return Turn::now;
  }
  asio::awaitable<Turn> asking = ask_for(std::move(target));
  co_return co_await std::move(asking);
}

asio::awaitable<SettingsGate::Turn> SettingsGate::ask_for(std::vector<ComponentFiles> target) {
  asio::awaitable<Result<proto::RestartReply>> asking =
      coordinator_.request_restart({false, names_of(target)});
  const Result<proto::RestartReply> reply = co_await std::move(asking);
  const bool same = attempt_ && attempt_->target == target;
  if (same) {
    // It is under way already: what the coordinator says now changes nothing for this node.
    attempt_->asked = clock_.steady();
    co_return Turn::now;
  }
  // A coordinator of before knows of no turns.
  const bool old = !reply && reply.error().code == Errc::not_found;
  if (old || (reply && reply->granted)) {
    attempt_ = Attempt{std::move(target), !old, clock_.steady(), {}, {}, {}, {}};
    log::info("restarting for new settings", {{"components", join(names_of(attempt_->target), ", ")}});
    tell("restarting", "");
    co_return Turn::now;
  }
  attempt_.reset();
  retry_ = reply ? Millis(std::chrono::seconds(std::clamp<std::uint64_t>(reply->retry_after_seconds, 1, 600)))
                 : Millis(10'000);
  tell("waiting", reply ? reply->reason : "the coordinator cannot be asked: " + reply.error().message);
  co_return Turn::later;
}

// Lost, it ends by itself after some minutes.
asio::awaitable<void> SettingsGate::give_back() {
  if (!attempt_ || !std::exchange(attempt_->leave, false)) co_return;
  asio::awaitable<Result<proto::RestartReply>> giving = coordinator_.request_restart({true, {}});
  (void)co_await std::move(giving);
}

// Empty: it is well.
asio::awaitable<std::string> SettingsGate::trouble_of(ComponentFiles component, bool good) {
  const auto unit = state_.units.find(component.unit->name);
  if (!good || unit == state_.units.end()) co_return component.name + " is not as wanted yet";
  if (!unit->second.running()) co_return component.name + " does not run: " + describe_exit(unit->second);
  if (!component.probe) co_return std::string();
  asio::awaitable<Status> probing = probe_(*component.probe);
  const Status well = co_await std::move(probing);
  if (well) co_return std::string();
  co_return component.name + " runs and is not healthy: " + well.error().message;
}

void SettingsGate::fail() {
  failed_ = attempt_->target;
  failure_ = "with the new settings " + attempt_->trouble + "; they were taken back";
  log::error("new settings did not come up; going back to those before", {{"why", attempt_->trouble}});
  tell("failed", failure_);
  state_.reconcile.set();
}

asio::awaitable<Status> SettingsGate::look_at_attempt(const SettingsResult& result) {
  std::string trouble;
  std::vector<std::int32_t> pids;
  for (const ComponentFiles& component : attempt_->target) {
    const auto at = std::find_if(result.components.begin(), result.components.end(),
                                 [&component](const auto& c) { return c.name == component.name; });
    const bool good = at != result.components.end() &&
                      result.good[static_cast<std::size_t>(at - result.components.begin())];
    asio::awaitable<std::string> looking = trouble_of(component, good);
    const std::string found = co_await std::move(looking);
    if (trouble.empty()) trouble = found;
    const auto unit = state_.units.find(component.unit->name);
    pids.push_back(unit == state_.units.end() ? 0 : unit->second.main_pid);
  }
  const SteadyTime now = clock_.steady();
  if (!attempt_->began) attempt_->began = now;
  if (!trouble.empty() || pids != attempt_->pids) attempt_->well_since.reset();
  attempt_->pids = pids;
  if (trouble.empty() && !attempt_->well_since) attempt_->well_since = now;
  if (!trouble.empty()) attempt_->trouble = trouble;
  if (trouble.empty() && now - *attempt_->well_since >= k_settle) {
    asio::awaitable<Status> keeping = keep();
    const Status kept = co_await std::move(keeping);
    asio::awaitable<void> giving = give_back();
    co_await std::move(giving);
    attempt_.reset();
    tell("applied", "");
    co_return kept;
  }
  if (now - *attempt_->began < k_patience) co_return Status{};
  if (attempt_->trouble.empty()) attempt_->trouble = "processes end again and again";
  fail();
  asio::awaitable<void> giving = give_back();
  co_await std::move(giving);
  attempt_.reset();
  co_return Status{};
}

asio::awaitable<Status> SettingsGate::keep() {
  applied_ = wanted_;
  std::string json = proto::encode(*applied_);
  if (!deps_.save || json == saved_) co_return Status{};
  std::function<Status()> save = [save = deps_.save, json] { return save(json); };
  asio::awaitable<Status> saving = offload<void>(workers_, std::move(save));
  const Status saved = co_await std::move(saving);
  if (!saved) co_return context(saved.error(), "keeping the settings that came up");
  saved_ = std::move(json);
  co_return Status{};
}

asio::awaitable<Status> SettingsGate::conclude(SettingsResult result) {
  if (attempt_) {
    asio::awaitable<Status> looking = look_at_attempt(result);
    co_return co_await std::move(looking);
  }
  // Held, or not up for the first time yet.
  const bool whole =
      result.clean && std::all_of(result.good.begin(), result.good.end(), [](bool good) { return good; });
  if (changes_ || !whole) {
    if (!changes_ && applied_) tell("applied", "");
    co_return Status{};
  }
  asio::awaitable<Status> keeping = keep();
  const Status kept = co_await std::move(keeping);
  tell("applied", "");
  co_return kept;
}

std::optional<Millis> SettingsGate::next_look() const {
  if (attempt_) return k_look;
  if (retry_ > Millis(0)) return retry_;
  return std::nullopt;
}

}  // namespace slipway
