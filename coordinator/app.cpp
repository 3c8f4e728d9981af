#include "coordinator/app.hpp"

#include <malloc.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <vector>

#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/async/system_clock.hpp"
#include "common/crypto/random.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/dir_lock.hpp"
#include "common/log/log.hpp"
#include "common/systemd/notify.hpp"
#include "coordinator/api/api.hpp"
#include "coordinator/api/principal.hpp"
#include "coordinator/ca/clock_guard.hpp"
#include "coordinator/clock_floor.hpp"
#include "coordinator/config.hpp"
#include "coordinator/kube/kube_client.hpp"
#include "coordinator/kube/node_sync.hpp"
#include "coordinator/open_signer.hpp"
#include "coordinator/own_certificates.hpp"
#include "coordinator/route_keeper.hpp"
#include "coordinator/service/ca_rotation.hpp"
#include "coordinator/service/join_log_file.hpp"
#include "coordinator/service/pool_view.hpp"
#include "coordinator/service/sweeper.hpp"
#include "coordinator/store/audit_files.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "coordinator/store/store_space.hpp"
#include "slipway_version.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr int k_workers = 2;
constexpr Millis k_housekeeping_interval{60'000};
constexpr Millis k_answer_time{1'000};
constexpr std::uint64_t k_known_of_gateway = 256;  // addresses; of IPv6 a block has too many to name each

asio::awaitable<void> fulfil(asio::awaitable<Status> work, std::shared_ptr<std::promise<Status>> promise) {
  try {
    const Status result = co_await std::move(work);
    promise->set_value(result);
  } catch (const std::exception& failure) {
    promise->set_value(make_error(Errc::internal, failure.what()));
  }
}

// From a thread that is no event thread: runs `work` on `executor` and waits for its end.
Status run_blocking(asio::any_io_executor executor, asio::awaitable<Status> work) {
  auto promise = std::make_shared<std::promise<Status>>();
  std::future<Status> future = promise->get_future();
  asio::co_spawn(executor, fulfil(std::move(work), promise), asio::detached);
  return future.get();
}

// Nothing can be signed any more, and who ended it is not known. Any thread.
void end_without_signer(const Error& failure) {
  log::error("the signer is lost, ending at once", {{"error", failure}});
  ::_exit(1);
}

// The store has failed: what is on disk is unknown. systemd starts us again and we read it.
void end_process(const Error& failure) {
  log::error("the store failed, ending at once", {{"error", failure}});
  ::_exit(1);
}

struct Serving {
  WallTime renew_at{};
  proto::CoordinatorSettings settings;  // whose names it carries
};

}  // namespace

// Order of the members is the order of construction: threads first, so that they end last, and sockets with
// them.
struct App::Impl {
  Impl(AppOptions given, DirLock held, std::unique_ptr<SqliteStore> opened, std::unique_ptr<AuditFiles> audit_log,
       SignerParts parts, State state, api::BlobStore blob_store);

  AppOptions options;
  DirLock lock;
  SystemClock clock;
  EventThread state_thread{"state"};
  std::vector<std::unique_ptr<EventThread>> io_threads;
  Workers workers{k_workers};
  std::unique_ptr<SqliteStore> sqlite;
  RecordStore store;
  std::unique_ptr<AuditFiles> audit;
  SignerParts keys;
  ClockGuard signer;
  Registrar registrar;
  AuditTrail trail;
  NodeStatusBoard board;
  Enrollment enrollment;
  CaRotation cas;
  api::BlobStore blobs;
  std::unique_ptr<kube::KubeClient> kube_client;
  std::unique_ptr<kube::KubeClient> operators_client;  // its own: one client has one call at a time
  std::unique_ptr<NodeDrain> drain;
  std::unique_ptr<kube::NodeSync> node_sync;
  std::unique_ptr<RouteKeeper> routes;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<TaskGroup> tasks;  // state thread
  Serving serving;                   // state thread
  std::uint16_t port = 0;
  bool running = false;

  void tell_signer(const State& changed);
  void tell_nat_sources(const State& changed);
  Status build();
  Status build_kube();
  void build_node_sync(KubeApi& kube);
  Status build_api();
  kube::KubeClientDeps kube_deps();
  api::ApiDeps api_deps();
  void cut_node(const Node& node);
  void cut_operator(const std::string& user);  // any thread
  void node_deleted(const Node& node);
  asio::awaitable<Status> record(CertUsage usage, std::string subject, IssuedCert issued,
                                 std::string spki_sha256);

  asio::awaitable<Result<std::shared_ptr<http::TlsServerContext>>> make_serving();
  asio::awaitable<Status> renew_serving();
  asio::awaitable<Status> ca_changed(CaKind kind);
  asio::awaitable<Status> cut_strangers(CaLine line);
  asio::awaitable<Status> begin();
  asio::awaitable<Status> housekeeping();
  kube::WantedMarks wanted_marks(const std::string& name) const;
  asio::awaitable<Status> record_marks(RecordMarks operation);
  asio::awaitable<Result<std::vector<std::string>>> import_nodes(std::vector<KubeNode> objects);
  void watch_pools();
  std::map<std::string, std::string> pool_levels;  // state thread
  asio::awaitable<Status> end(Millis deadline);
};

App::Impl::Impl(AppOptions given, DirLock held, std::unique_ptr<SqliteStore> opened, std::unique_ptr<AuditFiles> audit_log,
                SignerParts parts, State state, api::BlobStore blob_store)
    : options(std::move(given)),
      lock(std::move(held)),
      sqlite(std::move(opened)),
      store(*sqlite),
      audit(std::move(audit_log)),
      keys(std::move(parts)),
      signer(*keys.client, clock, clock_floor(state)),
      registrar(std::move(state), {state_thread.executor(), workers, store, end_process, audit.get(), &clock,
                                   [this](const State& changed) {
                                     tell_signer(changed);
                                     tell_nat_sources(changed);
                                   }}),
      trail(state_thread.executor(), registrar, options.refusal_limits),
      board(clock),
      enrollment({state_thread.executor(), registrar, board, signer, store, workers, clock, random_bytes,
                  random_uuid, options.join_limits, quarantine_min_age(options.config), &trail}),
      cas({state_thread.executor(), registrar, board, *keys.client, workers, clock,
           [this](CaKind kind) { return ca_changed(kind); }}),
      blobs(std::move(blob_store)) {
  for (std::uint64_t i = 0; i < io_thread_count(options.config.io_threads); ++i)
    io_threads.push_back(std::make_unique<EventThread>("io-" + std::to_string(i)));
}

kube::KubeClientDeps App::Impl::kube_deps() {
  kube::KubeClientDeps deps{state_thread.executor(),
                            clock,
                            workers,
                            signer,
                            random_bytes,
                            {},
                            {},
                            registrar.state().cluster().spec.api_server.endpoint};
  deps.cluster = [this] {
    return profile_cluster(registrar.state().cluster(), registrar.state().identity().id);
  };
  deps.record = [this](CertUsage usage, std::string subject, IssuedCert issued, std::string spki) {
    return record(usage, std::move(subject), std::move(issued), std::move(spki));
  };
  return deps;
}

// A signer that refuses them goes on by those that it has.
void App::Impl::tell_signer(const State& changed) {
  const Status followed = signer.follow(rules_of(changed));
  if (!followed) log::error("the signer does not take the cluster's new settings", {{"error", followed.error()}});
}

void App::Impl::tell_nat_sources(const State& changed) {
  enrollment.set_nat_sources(changed.cluster().nat_sources);
  if (server == nullptr) return;
  server->set_fleets(changed.cluster().nat_sources);
  // As nodes' own addresses are known from the start.
  for (const Cidr& source : changed.cluster().nat_sources) {
    for (std::uint64_t i = 0; source.address_count() <= k_known_of_gateway && i < source.address_count(); ++i) server->note_known(source.at(i));
  }
}

asio::awaitable<Status> App::Impl::record(CertUsage usage, std::string subject, IssuedCert issued,
                                          std::string spki_sha256) {
  RecordCertificate operation;
  operation.certificate.pem = issued.pem;
  operation.certificate.record = {issued.serial_hex,
                                  usage,
                                  std::move(subject),
                                  "",
                                  0,
                                  issued.not_before,
                                  issued.not_after,
                                  issued.sha256_hex,
                                  std::move(spki_sha256),
                                  issued.ca};
  asio::awaitable<Result<Outcome>> recording = registrar.submit(std::move(operation));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  co_return Status{};
}

asio::awaitable<Result<std::vector<std::string>>> App::Impl::import_nodes(std::vector<KubeNode> objects) {
  ImportNodes operation;
  operation.now = clock.wall();
  for (KubeNode& object : objects) {
    if (!object.pod_cidrs.empty()) operation.nodes.push_back({std::move(object.name), std::move(object.pod_cidrs)});
  }
  asio::awaitable<Result<Outcome>> importing = registrar.submit(std::move(operation));
  auto imported = co_await std::move(importing);
  if (!imported) co_return imported.error();
  co_return std::move(imported->notes);
}

kube::WantedMarks App::Impl::wanted_marks(const std::string& name) const {
  const Node* node = registrar.state().node(name);
  if (node == nullptr) return {};
  return {marks_of(registrar.state(), *node), node->extras.get().applied_labels, node->extras.get().applied_taints};
}

asio::awaitable<Status> App::Impl::record_marks(RecordMarks operation) {
  asio::awaitable<Result<Outcome>> recording = registrar.submit(std::move(operation));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  co_return Status{};
}

// A line when a pool comes to another level, not at every join.
void App::Impl::watch_pools() {
  for (const proto::PoolView& pool : pool_list(registrar.state(), clock.wall()).items) {
    std::string& level = pool_levels[pool.name];
    const bool changed = level != pool.level && !(level.empty() && pool.level == "ok");
    level = pool.level;
    if (!changed) continue;
    const log::Fields fields = {{"pool", pool.name},
                                {"level", pool.level},
                                {"available", pool.available},
                                {"capacity", pool.capacity},
                                {"exhaustedAt", pool.exhausted_at}};
    if (pool.level == "ok") log::info("pool of pod addresses has room again", fields);
    else log::warning("pool of pod addresses fills up (slipwayctl pool grow)", fields);
  }
}

Status App::Impl::build_kube() {
  if (options.kube_nodes == nullptr) {
    for (auto* made : {&kube_client, &operators_client}) {
      auto client = kube::KubeClient::make(kube_deps());
      if (!client) return client.error();
      *made = std::move(*client);
    }
  }
  const bool given = options.kube_nodes != nullptr;
  drain = std::make_unique<NodeDrain>(given ? *options.kube_nodes : *operators_client, given ? *options.kube_pods : *operators_client, clock);
  build_node_sync(given ? *options.kube_nodes : *kube_client);
  return {};
}

void App::Impl::build_node_sync(KubeApi& kube) {
  kube::NodeSyncDeps deps{kube, clock, {}, {}, {}, {}};
  deps.live_nodes = [this] {
    std::vector<kube::LiveNode> nodes;
    for (const auto& [name, node] : registrar.state().nodes())
      nodes.push_back({name, node.uid, node.pod_cidr, node.second_pod_cidr, node.unschedulable});
    return nodes;
  };
  deps.removed_names = [this] {
    std::vector<std::string> names;
    for (const auto& [name, tombstone] : registrar.state().tombstones()) names.push_back(name);
    return names;
  };
  deps.set_published = [this](const std::string& uid, bool published) {
    board.set_pod_cidr_published(uid, published);
  };
  deps.import_nodes = [this](std::vector<KubeNode> objects) { return import_nodes(std::move(objects)); };
  deps.marks = [this](const std::string& name) { return wanted_marks(name); };
  deps.record_marks = [this](std::string uid, std::vector<std::string> labels, std::vector<std::string> taints) {
    return record_marks(RecordMarks{std::move(uid), std::move(labels), std::move(taints)});
  };
  deps.marks_revision = [this] { return registrar.state().desired_revision(); };
  node_sync = std::make_unique<kube::NodeSync>(std::move(deps));
}

api::ApiDeps App::Impl::api_deps() {
  api::ApiDeps deps{state_thread.executor(),
                    registrar,
                    board,
                    enrollment,
                    signer,
                    store,
                    workers,
                    clock,
                    blobs,
                    registrar.state().identity().id,
                    cas,
                    Secret(),
                    random_bytes,
                    {},
                    {},
                    {}};
  deps.node_deleted = [this](const Node& node) { node_deleted(node); };
  deps.cut_node = [this](const Node& node) { cut_node(node); };
  deps.cut_operator = [this](const std::string& user) { cut_operator(user); };
  deps.kube_state = [this] {
    if (node_sync == nullptr) return api::KubeState{true, "not looked at", {}};
    return api::KubeState{node_sync->ok(), node_sync->message(), node_sync->conflicts()};
  };
  deps.outside_routes = [this] { return routes->state(); };
  deps.connection_count = [this] { return server->connection_count(); };
  deps.coordinator_state = [this] {
    const Status clock_right = signer.check();
    return api::CoordinatorState{clock_right ? std::string() : clock_right.error().message, options.config.listen, io_threads.size(), server->connection_count()};
  };
  deps.store_space = [file = state_file(options.config.data_dir)] { return space_of_store(file); };
  deps.audit = audit.get();
  deps.trail = &trail;
  deps.drain = drain.get();
  deps.audit_damage = audit->damage();
  return deps;
}

Status App::Impl::build_api() {
  api::ApiDeps deps = api_deps();
  deps.service_account_key = keys.client->take_service_account_key();
  auto made = api::Api::make(std::move(deps));
  if (!made) return made.error();
  api = std::move(*made);
  return {};
}

Status App::Impl::build() {
  if (options.kube) {
    const Status kube = build_kube();
    if (!kube) return kube;
  }
  auto keeper = RouteKeeper::make({state_thread.executor(), clock, workers, registrar, options.config, random_seed()});
  if (!keeper) return error_of(keeper, "the routes hook");
  routes = std::move(*keeper);
  return build_api();
}

void App::Impl::cut_node(const Node& node) {
  server->cut([uid = node.uid](const http::Peer& peer) { return api::is_agent_of(peer, uid); });
}

void App::Impl::cut_operator(const std::string& user) {
  server->cut([user](const http::Peer& peer) { return api::is_operator(peer, user); });
}

void App::Impl::node_deleted(const Node& node) {
  cut_node(node);
  if (node_sync != nullptr) node_sync->removed(node.name);
}

// A new key each time; it never leaves memory. State thread.
asio::awaitable<Result<std::shared_ptr<http::TlsServerContext>>> App::Impl::make_serving() {
  const ValidatedCluster cluster = registrar.state().cluster();
  auto own = make_own_certificate(CertUsage::coordinator_serving, cluster, registrar.state().identity().id,
                                  "", signer, clock.wall());
  if (!own) co_return own.error();
  const CertificateRecord made = own->certificate.record;
  // A first contact looks for the pinned CA among what is sent.
  const std::string issuer = signer.issuer_pem(CertUsage::coordinator_serving);
  const bool sent = own->certificate.pem.find(issuer) != std::string::npos;
  const std::string chain = own->certificate.pem + (sent ? std::string() : issuer);
  asio::awaitable<Result<Outcome>> recording =
      registrar.submit(RecordCertificate{std::move(own->certificate)});
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  auto tls = http::TlsServerContext::make(chain, own->key_pem, signer.ca_pem(CaKind::fabric));
  if (!tls) co_return tls.error();
  serving = {made.not_before + (made.not_after - made.not_before) * 2 / 3, cluster.spec.coordinator};
  log::info("serving certificate issued",
            {{"serial", made.serial}, {"notAfter", to_rfc3339(made.not_after)}});
  co_return *tls;
}

asio::awaitable<Status> App::Impl::renew_serving() {
  asio::awaitable<Result<std::shared_ptr<http::TlsServerContext>>> making = make_serving();
  const auto tls = co_await std::move(making);
  if (!tls) co_return tls.error();
  server->replace_tls(*tls);
  co_return Status{};
}

// Whom we trust, and perhaps who signs for us, is another now.
asio::awaitable<Status> App::Impl::ca_changed(CaKind kind) {
  if (kind != CaKind::fabric) co_return Status{};
  asio::awaitable<Status> renewing = renew_serving();
  const Status renewed = co_await std::move(renewing);
  if (!renewed) co_return error_of(renewed, "the step is done, but the serving certificate is not renewed yet");
  tasks->spawn("cut connections", cut_strangers(*registrar.state().ca(kind)));
  co_return Status{};
}

// Open connections whose certificate no new one would get in with. A moment later: one of them waits for the answer to this step.
asio::awaitable<Status> App::Impl::cut_strangers(CaLine line) {
  asio::awaitable<Status> sleeping = clock.sleep_for(k_answer_time);
  const Status slept = co_await std::move(sleeping);
  if (!slept) co_return slept.error();
  server->cut([line](const http::Peer& peer) { return api::is_stranger(peer, line); });
  co_return Status{};
}

asio::awaitable<Status> App::Impl::begin() {
  proto::AuditRecord start;
  start.action = "coordinator.start";
  start.detail = std::string("version ") + k_version;
  asio::awaitable<Status> noting = registrar.note(std::move(start));
  const Status noted = co_await std::move(noting);
  if (!noted) co_return noted;
  asio::awaitable<Status> adopting = cas.adopt([this](CaKind kind) { return keys.client->signing(kind); });
  const Status adopted = co_await std::move(adopting);
  if (!adopted) co_return error_of(adopted, "taking the certificate authorities into the state");
  asio::awaitable<Result<std::shared_ptr<http::TlsServerContext>>> making = make_serving();
  const auto tls = co_await std::move(making);
  if (!tls) co_return error_of(tls, "issuing the coordinator's certificate");
  std::vector<asio::any_io_executor> executors;
  for (const auto& thread : io_threads) executors.push_back(thread->executor());
  if (executors.empty()) executors.push_back(state_thread.executor());
  server = std::make_unique<http::Server>(std::move(executors), *tls, options.limits, api->handler());
  // So that a flood cannot lock them out by making us restart.
  for (const auto& [name, node] : registrar.state().nodes()) server->note_known(node.address);
  tell_nat_sources(registrar.state());
  const auto bound = server->listen(options.config.listen);
  if (!bound) co_return bound.error();
  port = *bound;
  tasks = std::make_unique<TaskGroup>(state_thread.executor());
  tasks->spawn("watchdog", systemd::watchdog(clock));
  tasks->spawn("housekeeping", housekeeping());
  const std::string joins = join_log_file(options.config.data_dir);
  if (const Status loaded = load_join_log(enrollment.join_log(), joins); !loaded) {
    log::warning("the join attempts of before are not known", {{"error", loaded.error()}});
  }
  tasks->spawn("join attempts", keep_join_log({enrollment.join_log(), workers, clock, joins}));
  if (node_sync != nullptr) tasks->spawn("node objects", node_sync->run());
  tasks->spawn("routes outside", routes->run());
  tasks->spawn("nodes for the routes", routes->follow_nodes());
  co_return Status{};
}

// Once a minute: quarantine and old records, the serving certificate at two thirds of its life or when its
// names changed.
asio::awaitable<Status> App::Impl::housekeeping() {
  while (true) {
    asio::awaitable<Status> sleeping = clock.sleep_for(k_housekeeping_interval);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
    asio::awaitable<Status> flushing = trail.flush();
    const Status flushed = co_await std::move(flushing);
    if (!flushed) co_return flushed;
    SweeperDeps sweeper{registrar, board, clock, quarantine_min_age(options.config)};
    asio::awaitable<Status> sweeping = sweep_once(std::move(sweeper));
    const Status swept = co_await std::move(sweeping);
    if (!swept) log::warning("housekeeping failed", {{"error", swept.error()}});
    asio::awaitable<Result<Outcome>> sampling = registrar.submit(SamplePools{clock.wall()});
    const auto sampled = co_await std::move(sampling);
    if (!sampled) log::warning("sampling the pools failed", {{"error", sampled.error()}});
    watch_pools();
    if (clock.wall() < serving.renew_at && registrar.state().cluster().spec.coordinator == serving.settings)
      continue;
    asio::awaitable<Status> renewing = renew_serving();
    const Status renewed = co_await std::move(renewing);
    if (!renewed)
      log::error("the serving certificate was not renewed; trying again in a minute", {{"error", renewed.error()}});
  }
}

asio::awaitable<Status> App::Impl::end(Millis deadline) {
  api->stop_waiting();
  if (server != nullptr) {
    asio::awaitable<void> draining = server->drain(deadline);
    co_await std::move(draining);
  }
  routes->stop();
  if (tasks != nullptr) {
    tasks->cancel();
    asio::awaitable<Status> waiting = tasks->wait();
    const Status ended = co_await std::move(waiting);
    if (!ended) log::warning("a task had failed", {{"error", ended.error()}});
  }
  asio::awaitable<Status> flushing = trail.flush();
  const Status flushed = co_await std::move(flushing);
  if (!flushed) co_return flushed;
  asio::awaitable<Status> drained = registrar.drained();
  co_return co_await std::move(drained);
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

App::~App() {
  if (impl_ != nullptr && impl_->running) static_cast<void>(stop(Millis(0)));
}

std::uint16_t App::port() const {
  return impl_->port;
}

Result<std::unique_ptr<App>> App::start(AppOptions options) {
  const std::string dir = options.config.data_dir;
  auto lock = DirLock::acquire(dir);
  if (!lock)
    return error_of(lock,
                    "taking the data directory (is there a cluster? slipway-coordinator init makes one)");
  auto sqlite = SqliteStore::open(state_file(dir), false);
  if (!sqlite) return error_of(sqlite, "opening the store");
  RecordStore records(**sqlite);
  auto state = records.load();
  if (!state) return error_of(state, "reading the state");
  if (!state->has_cluster())
    return make_error(Errc::not_found,
                      "there is no cluster in " + dir + ": slipway-coordinator init makes one");
  auto signer = open_signer(options.config, std::move(options.signer), *state, end_without_signer);
  if (!signer) return signer.error();
  const WallTime now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  const Status time = check_clock(clock_floor(*state), now);
  if (!time) return time.error();
  const auto anchor = records.audit_head();
  if (!anchor) return error_of(anchor, "reading the state");
  auto audit = AuditFiles::open({audit_dir(dir)}, *anchor, now);
  if (!audit) return audit.error();
  if (!(*audit)->damage().empty()) log::error("the audit log is damaged", {{"damage", (*audit)->damage()}});
  auto blobs = api::BlobStore::open(dir);
  if (!blobs) return error_of(blobs, "opening the artifacts");
  if (const Status made = make_dirs(parent_path(join_log_file(dir)), 0700); !made) return error_of(made, "making the folder of the join attempts");
  if (const Status made = make_dirs(parent_path(routes_file(dir)), 0700); !made) return error_of(made, "making the folder of the routes");
  if (options.before_threads) {
    if (const Status ready = options.before_threads(); !ready) return ready.error();
  }
  auto app = std::unique_ptr<App>(
      new App(std::make_unique<Impl>(std::move(options), std::move(*lock), std::move(*sqlite), std::move(*audit),
                                     std::move(*signer), std::move(*state), std::move(*blobs))));
  Impl& impl = *app->impl_;
  const Status built = impl.build();
  if (!built) return built.error();
  impl.state_thread.start();
  for (auto& thread : impl.io_threads) thread->start();
  impl.running = true;
  const Status begun = run_blocking(impl.state_thread.executor(), impl.begin());
  if (!begun) return begun.error();
  // Reading the store took as much again as what stays.
  ::malloc_trim(0);
  log::info("serving", {{"listen", impl.options.config.listen},
                        {"port", impl.port},
                        {"nodes", impl.registrar.state().nodes().size()}});
  return app;
}

Status App::stop(Millis deadline) {
  impl_->running = false;
  const Status ended = run_blocking(impl_->state_thread.executor(), impl_->end(deadline));
  for (auto& thread : impl_->io_threads) thread->stop();
  for (auto& thread : impl_->io_threads) thread->join();
  impl_->state_thread.stop();
  impl_->state_thread.join();
  impl_->workers.join();
  return ended;
}

}  // namespace slipway
