#include "agent/app.hpp"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "agent/client/health_probe.hpp"
#include "agent/client/http_coordinator.hpp"
#include "agent/client/kept_probes.hpp"
#include "agent/client/mirror_source.hpp"
#include "agent/config.hpp"
#include "agent/host/file_watch.hpp"
#include "agent/host/program_files.hpp"
#include "agent/host/settings_files.hpp"
#include "agent/host_facts.hpp"
#include "agent/install/file_copier.hpp"
#include "agent/install/installer.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/local_status.hpp"
#include "agent/local_surface.hpp"
#include "agent/memory.hpp"
#include "agent/net/firewalld.hpp"
#include "agent/net/icmp_pinger.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/net/network_managers.hpp"
#include "agent/net/pod_leases.hpp"
#include "agent/net/quiet_state.hpp"
#include "agent/process/host_units.hpp"
#include "agent/service/address_follow.hpp"
#include "agent/service/artifact_gate.hpp"
#include "agent/service/ca_sync.hpp"
#include "agent/service/desired_sync.hpp"
#include "agent/service/drift_watch.hpp"
#include "agent/service/enroll.hpp"
#include "agent/service/liveness.hpp"
#include "agent/service/network_prober.hpp"
#include "agent/service/network_watch.hpp"
#include "agent/service/reconcile.hpp"
#include "agent/service/renew.hpp"
#include "agent/service/rounds.hpp"
#include "agent/service/status.hpp"
#include "agent/service/unit_watch.hpp"
#include "agent/store/cni_records.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "agent/store/file_node_store.hpp"
#include "agent/store/file_trust_store.hpp"
#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/async/system_clock.hpp"
#include "common/core/text.hpp"
#include "common/crypto/random.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/dir_lock.hpp"
#include "common/log/log.hpp"
#include "common/systemd/notify.hpp"
#include "slipway_version.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr char k_settings_dir[] = "/etc/slipway";
constexpr Millis k_probe_limit{5'000};
constexpr Millis k_gather_files{500};
constexpr Millis k_stop_patience{3'000};
constexpr Millis k_first_trim{30'000};
constexpr Millis k_trim_period{60'000};  // once for each full pass,
constexpr Millis k_trim_after{10'000};   // so long after it began
constexpr std::size_t k_small = std::size_t{9} << 20;  // resident; what is given back has to be fetched again
constexpr char k_pod_network[] = "/slipway";  // as our CNI configuration names it
constexpr std::size_t k_most_leases = 1024;   // of both families
constexpr int k_workers =
    1;  // the agent's blocking jobs are few and short; a second thread would cost memory for nothing

// Private keys are in memory: no core file, no ptrace by others.
void harden() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::umask(0077);
  // One heap for all threads: the agent is small and shall stay so.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

std::string credentials_dir() {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder == nullptr ? std::string() : std::string(folder);
}

// A client context for an HTTPS probe, from the certificates in the store.
Result<std::shared_ptr<http::TlsClientContext>> probe_tls(CredentialStore& credentials,
                                                          const HealthProbe& probe) {
  auto bundle = credentials.ca_bundle(probe.ca);
  if (!bundle) return bundle.error();
  if (!*bundle) return make_error(Errc::unavailable, "the CA " + probe.ca + " is not there yet");
  if (probe.usage.empty()) return http::TlsClientContext::make(**bundle, nullptr);
  auto pair = credentials.pair(probe.usage);
  if (!pair) return pair.error();
  if (!*pair)
    return make_error(Errc::unavailable, "the certificate for " + probe.usage + " is not there yet");
  const http::ClientIdentity identity{(*pair)->chain_pem, (*pair)->key_pem.copy()};
  return http::TlsClientContext::make(**bundle, &identity);
}

// `kept`: connections to ask over; null: a new one.
asio::awaitable<Status> ask_health(CredentialStore* credentials, KeptProbes* kept, HealthProbe probe) {
  if (probe.kind != HealthProbe::Kind::https) {
    http::ProbeQuestion question{{probe.host, probe.port}, probe.path};
    return kept == nullptr ? probe_once(std::move(question), k_probe_limit) : kept->ask(std::move(question), k_probe_limit);
  }
  // A certificate that the component signed itself proves nothing: that it listens must do.
  if (probe.ca.empty()) return probe_tcp(probe.host, probe.port, k_probe_limit);
  auto tls = probe_tls(*credentials, probe);
  // Without credentials there is no asking: the port will do until they are there.
  if (!tls) return probe_tcp(probe.host, probe.port, k_probe_limit);
  // A connection of its own each time: the certificates of both sides are looked at again.
  return probe_https(probe.host, probe.port, probe.path, *tls, k_probe_limit);
}

asio::awaitable<Result<bool>> install(ArtifactGate* gate, Installer* installer, ArtifactRef artifact) {
  asio::awaitable<Status> asking = gate->allow(artifact);
  const Status allowed = co_await std::move(asking);
  if (!allowed) co_return allowed.error();
  asio::awaitable<Result<InstallOutcome>> ensuring = installer->ensure(std::move(artifact));
  const Result<InstallOutcome> outcome = co_await std::move(ensuring);
  if (!outcome) co_return outcome.error();
  co_return outcome->changed;
}

asio::awaitable<Status> collect(Installer* installer, Clock* clock, std::set<std::string> wanted) {
  asio::awaitable<Result<std::vector<std::string>>> collecting = installer->collect(std::move(wanted), clock->wall());
  const auto gone = co_await std::move(collecting);
  if (!gone) co_return gone.error();
  if (!gone->empty()) log::info("removed what nobody needs any more", {{"what", join(*gone, ", ")}});
  co_return Status{};
}

// Not at once: whoever writes a file writes more of them, and our own writes are heard of too.
asio::awaitable<Status> watch_host_files(FileWatch* files, Clock* clock, AgentState* state) {
  for (;;) {
    asio::awaitable<Status> changing = files->changed();
    const Status changed = co_await std::move(changing);
    if (!changed) co_return changed.error();
    asio::awaitable<Status> gathering = clock->sleep_for(k_gather_files);
    const Status gathered = co_await std::move(gathering);
    if (!gathered) co_return gathered.error();
    state->reconcile.set();
  }
}

// The start and each installation leave much behind that the quiet time after them does not need.
asio::awaitable<Status> stay_small(Clock* clock) {
  Millis pause = k_first_trim;
  for (;;) {
    asio::awaitable<Status> sleeping = clock->sleep_for(pause);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
    if (resident_bytes() > k_small) release_idle_memory();
    pause = until_round(clock->steady(), k_trim_period) + k_trim_after;
  }
}

// Everything of a running agent; member order is construction order.
class Agent {
 public:
  Agent(const proto::AgentConfig& config, std::vector<http::Endpoint> endpoints,
        std::unique_ptr<FileNodeStore> store, ChangeLedger& ledger)
      : config_(config),
        ledger_(ledger),
        store_(std::move(store)),
        workers_(k_workers),
        group_(thread_.executor()),
        coordinator_(thread_.executor(), endpoints, &clock_),
        mirrors_({thread_.executor(), coordinator_, clock_, workers_, [this] { return mirror_wish(); }}),
        installer_(InstallPaths{"/opt/slipway", config.data_dir + "/cache"}, mirrors_, workers_),
        trust_(config.data_dir),
        gate_({trust_, clock_, workers_, state_, [paths = installer_.paths()](const ArtifactRef& artifact) { return is_current(paths, artifact); }},
              {config.artifact_signers, config.artifact_threshold}),
        endpoints_(std::move(endpoints)) {}

  Status open() {
    KernelNetworkPaths paths;
    paths.host_ports = [] { return pods_with_host_ports({HostPaths{}.cni_state_dir + k_pod_network}); };
    auto network = KernelNetwork::open(thread_.executor(), std::move(paths));
    if (!network) return context(network.error(), "opening the kernel's network interface");
    network_ = std::move(*network);
    if (auto opened = open_units(); !opened) return opened;
    auto files = FileWatch::open(thread_.executor());
    if (files) {
      files_ = std::make_unique<FileWatch>(std::move(*files));
    } else {
      // The pass of each minute finds what changed, only later.
      log::warning("changes of files will be noticed once a minute", {{"error", files.error()}});
    }
    auto identity = store_->identity();
    if (!identity) return context(identity.error(), "reading this node's identity");
    if (*identity) {
      state_.identity = **identity;
      if ((*identity)->role != config_.role) {
        log::warning("the role in agent.yaml is not the one this node joined with, which holds",
                     {{"joined", (*identity)->role}});
      }
      role_ = (*identity)->role;
    } else {
      role_ = config_.role;
    }
    state_.facts = host_facts();
    build_services();
    return {};
  }

  Status run() {
    asio::signal_set signals(thread_.executor(), SIGTERM, SIGINT);
    signals.async_wait([this](const boost::system::error_code& ec, int) {
      if (!ec) stop();
    });
    asio::post(thread_.executor(), [this] { start(); });
    thread_.run_here();
    workers_.join();
    return outcome_;
  }

 private:
  Enroller::Deps deps() { return {*store_, *store_, coordinator_, clock_, workers_, state_}; }

  EnrollSettings enroll_settings() {
    EnrollSettings settings;
    settings.role = role_;
    settings.node_name = config_.node_name;
    settings.token_file = config_.token_file;
    settings.read_token = [file = config_.token_file] { return read_token(file, credentials_dir()); };
    settings.forget_token = [file = config_.token_file] { return forget_token(file); };
    settings.node_address = [text = config_.node_address, endpoints = endpoints_] {
      return text.empty() ? local_address_towards(endpoints) : IpAddress::parse(text);
    };
    return settings;
  }

  Status open_units() {
    const bool direct = !systemd_runs();
    if (auto noted = direct ? ledger_.intend(direct_intents()) : Status(); !noted) return noted;
    auto units = open_host_units(thread_.executor());
    if (!units) return units.error();
    units_ = std::move(*units);
    if (direct) log::info("systemd does not run this host: the agent starts the components itself");
    return {};
  }

  void build_services() {
    enroller_ = std::make_unique<Enroller>(enroll_settings(), deps(), random_seed());
    sync_ = std::make_unique<DesiredSync>(deps(), random_seed());
    renewer_ = std::make_unique<Renewer>(role_, deps(), *enroller_);
    ca_sync_ = std::make_unique<CaSync>(role_, deps());
    follower_ = std::make_unique<AddressFollower>(AddressFollower::Deps{
        clock_, workers_, state_, [named = config_.node_address, endpoints = endpoints_](IpAddress registered) { return address_sight(registered, named, endpoints); }});
    prober_ = std::make_unique<NetworkProber>(NetworkProber::Deps{
        coordinator_, *network_, pinger_, workers_, state_,
        [] { return net::leased_addresses(HostPaths{}.cni_state_dir + k_pod_network, k_most_leases); }});
    network_watch_ = std::make_unique<NetworkWatch>(*network_, clock_, state_);
    FileNodeStore* store = store_.get();
    ReconcileDeps reconcile{
        *store_,
        coordinator_,
        *units_.supervisor,
        *network_,
        clock_,
        workers_,
        state_,
        [this](ArtifactRef artifact) { return install(&gate_, &installer_, std::move(artifact)); },
        [store](HealthProbe probe) { return ask_health(store, nullptr, std::move(probe)); },
        process_environment,
        HostPaths{},
        config_.cgroup_driver.empty() ? host_cgroup_driver() : config_.cgroup_driver,
        [this](const std::vector<std::string>& paths) { watch_files(paths); },
        [ledger = &ledger_](const std::vector<Intent>& intents) { return ledger->intend(intents); },
        {[store] { return store->applied(); },
         [store](const std::string& json) { return store->save_applied(json); },
         [](int minor) { return read_host_settings(k_settings_dir, minor); }},
        [this](std::set<std::string> wanted) { return collect(&installer_, &clock_, std::move(wanted)); },
        {&firewalld_, [ledger = &ledger_] { return firewall_changes(ledger->ledger()); }, {}},
        {&copier_, [ledger = &ledger_] { return ledger->ledger().changes(); }},
        &managers_};
    reconciler_ = std::make_unique<Reconciler>(std::move(reconcile), random_seed());
    liveness_ = std::make_unique<LivenessKeeper>(LivenessKeeper::Deps{
        clock_, state_, [store, kept = &kept_probes_](HealthProbe probe) { return ask_health(store, kept, std::move(probe)); }});
    unit_watch_ = std::make_unique<UnitWatch>(UnitWatch::Deps{*units_.supervisor, clock_, workers_, state_, *units_.log});
    reporter_ = std::make_unique<StatusReporter>(StatusReporter::Deps{
        coordinator_, *units_.supervisor, clock_, state_,
        [](const proto::AgentLocalStatus& status) { return write_local_status(k_local_status_file, status); },
        [](const std::string& line) { systemd::status(line); }, process_environment, host_routes,
        [this] { return coordinator_.last_answered(); }});
    local_ = std::make_unique<LocalSurface>(LocalSurface::Deps{thread_.executor(), config_, clock_, state_, *network_,
                                                               [store](HealthProbe probe) { return ask_health(store, nullptr, std::move(probe)); }});
  }

  MirrorWish mirror_wish() const {
    MirrorWish wish;
    if (state_.desired) wish = {state_.desired->cluster.artifacts.mirrors, state_.desired->cluster.artifacts.mirror_ca, {}};
    if (!config_.artifact_mirrors.empty()) wish.urls = config_.artifact_mirrors;
    if (!config_.artifact_mirror_ca_file.empty()) wish.ca_pem.clear();
    wish.ca_file = config_.artifact_mirror_ca_file;
    return wish;
  }

  void watch_files(std::vector<std::string> paths) {
    if (!files_) return;
    const std::vector<std::string> programs = program_files(installer_.paths().install_root);
    paths.insert(paths.end(), programs.begin(), programs.end());
    const Status watched = files_->watch(paths);
    if (!watched && file_trouble_.worth_logging(watched.error().message, clock_.steady())) {
      log::warning("changes of some files will be noticed once a minute", {{"error", watched.error()}});
    }
  }

  void start() {
    group_.spawn("watchdog", systemd::watchdog(clock_));
    group_.spawn("membership", live());
    group_.spawn("network events", network_watch_->listen());
    group_.spawn("network passes", network_watch_->gather());
    group_.spawn("firewall", watch_firewall(&firewalld_, &clock_, &state_));
    if (files_) group_.spawn("files", watch_host_files(files_.get(), &clock_, &state_));
    const auto quiet = std::make_shared<net::QuietState>("/proc/sys");
    group_.spawn("kernel settings", watch_quiet_state([this, quiet] { return quiet->look(state_.silent_sysctls); }, &clock_, &state_));
    group_.spawn("status", reporter_->run());
    group_.spawn("liveness", liveness_->run());
    group_.spawn("units", unit_watch_->run());
    group_.spawn("units held back", unit_watch_->run_rounds());
    if (units_.direct != nullptr) spawn_detached(thread_.executor(), "enabled units", units_.direct->start_enabled());
    group_.spawn("memory", stay_small(&clock_));
    if (const Status listening = local_->listen(); !listening) log::warning("commands on this host cannot ask the agent", {{"error", listening.error()}});
    spawn_detached(thread_.executor(), "agent", wait_for_end());
    systemd::ready();
    log::info("agent runs", {{"version", k_version},
                             {"node", config_.node_name},
                             {"role", role_},
                             {"joined", state_.identity.has_value()}});
  }

  // The node is kept as it was last told to be while the coordinator is asked for admission or news.
  asio::awaitable<Status> live() {
    asio::awaitable<Status> loading = sync_->load();
    const Status loaded = co_await std::move(loading);
    if (!loaded) log::warning("the last desired state cannot be used", {{"error", loaded.error()}});
    group_.spawn("reconciliation", reconciler_->run());
    group_.spawn("pod network", reconciler_->run_network());
    asio::awaitable<Status> joining = enroller_->run();
    const Status joined = co_await std::move(joining);
    if (!joined) co_return joined.error();
    group_.spawn("desired state", sync_->run());
    group_.spawn("CA bundles", ca_sync_->run());
    group_.spawn("renewal", renewer_->run());
    group_.spawn("address", follower_->run());
    group_.spawn("network probe", prober_->run());
    co_return Status{};
  }

  asio::awaitable<Status> wait_for_end() {
    asio::awaitable<Status> waiting = group_.wait();
    const Status ended = co_await std::move(waiting);
    outcome_ = stopping_ ? Status{} : ended;
    last_resort_.cancel();
    thread_.stop();
    co_return Status{};
  }

  // Units are systemd's: nothing is waited for.
  void stop() {
    stopping_ = true;
    systemd::stopping();
    log::info("agent stops; the node's components go on");
    local_->stop();
    group_.cancel();
    // Everything that matters is durable already: a task that does not end must not hold up the shutdown of
    // the host.
    last_resort_.expires_after(k_stop_patience);
    last_resort_.async_wait([](const boost::system::error_code& ec) {
      if (!ec) std::_Exit(0);
    });
  }

  proto::AgentConfig config_;
  ChangeLedger& ledger_;
  std::unique_ptr<FileNodeStore> store_;
  SystemClock clock_;
  EventThread thread_{"agent"};
  Workers workers_;
  AgentState state_;
  TaskGroup group_;
  HttpCoordinator coordinator_;
  HostUnits units_;
  MirroredSource mirrors_;
  Installer installer_;
  FileCopier copier_{installer_.paths()};
  FileTrustStore trust_;
  ArtifactGate gate_;
  std::vector<http::Endpoint> endpoints_;
  std::unique_ptr<KernelNetwork> network_;
  IcmpPinger pinger_{thread_.executor()};
  Firewalld firewalld_{thread_.executor()};
  NetworkManagers managers_{thread_.executor()};
  std::unique_ptr<FileWatch> files_;  // null: the kernel has none to give
  RepeatedError file_trouble_;
  std::string role_;
  std::unique_ptr<Enroller> enroller_;
  std::unique_ptr<DesiredSync> sync_;
  std::unique_ptr<Renewer> renewer_;
  std::unique_ptr<CaSync> ca_sync_;
  std::unique_ptr<AddressFollower> follower_;
  std::unique_ptr<NetworkProber> prober_;
  std::unique_ptr<NetworkWatch> network_watch_;
  std::unique_ptr<Reconciler> reconciler_;
  KeptProbes kept_probes_;
  std::unique_ptr<LivenessKeeper> liveness_;
  std::unique_ptr<UnitWatch> unit_watch_;
  std::unique_ptr<StatusReporter> reporter_;
  std::unique_ptr<LocalSurface> local_;
  asio::steady_timer last_resort_{thread_.executor()};
  Status outcome_;
  bool stopping_ = false;
};

}  // namespace

namespace {

// The coordinator believes the connection, not the request: on a host with several addresses they must agree.
Status connect_from(const std::string& node_address, std::vector<http::Endpoint>& endpoints) {
  if (node_address.empty()) return {};
  const auto own = IpAddress::parse(node_address);
  if (!own) return context(own.error(), "nodeAddress");
  for (http::Endpoint& endpoint : endpoints) endpoint.from = *own;
  return {};
}

}  // namespace

Status run_agent(const proto::AgentConfig& config) {
  harden();
  auto endpoints = parse_coordinators(config.coordinators);
  if (!endpoints) return endpoints.error();
  if (auto set = connect_from(config.node_address, *endpoints); !set) return set;
  if (auto made = make_private_dirs(config.data_dir); !made) return made.error();
  auto lock = DirLock::acquire(config.data_dir);
  if (!lock) return lock.error();
  auto store = FileNodeStore::open(config.data_dir);
  if (!store) return context(store.error(), "opening " + config.data_dir);
  auto host = KernelUndo::open(UndoPaths{});
  if (!host) return context(host.error(), "opening the kernel's network interface");
  auto ledger = FileChangeLedger::open(config.data_dir, [&host](const Intent& intent) { return (*host)->former(intent); });
  if (!ledger) return ledger.error();
  if ((*ledger)->damaged() > 0) {
    log::error("lines of the change ledger cannot be read; a reset will tell that it does not know all",
               {{"lines", (*ledger)->damaged()}, {"folder", FileChangeLedger::folder(config.data_dir)}});
  }
  Agent agent(config, std::move(*endpoints), std::move(*store), **ledger);
  if (auto opened = agent.open(); !opened) return opened;
  return agent.run();
}

}  // namespace slipway
