#include "tests/integration/crash_world.hpp"

#include <nlohmann/json.hpp>

#include "agent/install/file_copier.hpp"
#include "agent/service/renew.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/core/text.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/tree.hpp"
#include "proto/codec.hpp"
#include "tests/integration/host_below.hpp"
#include "tests/unit/archive/tar_text.hpp"

namespace slipway::test {

namespace asio = boost::asio;

namespace {

using Json = nlohmann::json;
using Effect = std::function<void(const char* name)>;

Json json_of(const UnitWorld::Unit& unit) {
  return {{"load", static_cast<int>(unit.status.load)}, {"active", static_cast<int>(unit.status.active)},
          {"enabled", unit.status.enabled},             {"pid", unit.status.main_pid},
          {"environment", unit.environment},            {"text", unit.loaded_text}};
}

UnitWorld::Unit unit_of(const std::string& name, const Json& json) {
  UnitWorld::Unit unit;
  unit.status.name = name;
  unit.status.load = static_cast<UnitLoad>(json["load"].get<int>());
  unit.status.active = static_cast<UnitActivity>(json["active"].get<int>());
  unit.status.enabled = json["enabled"].get<bool>();
  unit.status.main_pid = json["pid"].get<std::int32_t>();
  unit.environment = json["environment"].get<std::string>();
  unit.loaded_text = json["text"].get<std::string>();
  return unit;
}

// Ports: killed before the call reaches the other side, or after, with the answer lost.

class MortalCoordinator final : public CoordinatorApi {
 public:
  MortalCoordinator(FakeCoordinator& inner, std::function<void(const char*)> effect) : inner_(inner), effect_(std::move(effect)) {}
  proto::DesiredState desired;

  asio::awaitable<Result<proto::JoinReply>> join(proto::JoinRequest request, JoinTrust trust) override {
    mark_effect("before join");
    asio::awaitable<Result<proto::JoinReply>> joining = inner_.join(std::move(request), std::move(trust));
    Result<proto::JoinReply> reply = co_await std::move(joining);
    effect_("after join");
    co_return reply;
  }
  asio::awaitable<Result<std::optional<SyncNews>>> sync(SyncPosition position) override {
    mark_effect("before sync");
    std::optional<SyncNews> news;
    if (position.epoch != desired.epoch || position.revision < desired.revision) news = SyncNews{proto::encode(desired)};
    effect_("after sync");
    co_return news;
  }
  asio::awaitable<Status> report(proto::NodeStatusReport) override { co_return Status{}; }
  asio::awaitable<Result<proto::RenewReply>> renew(proto::RenewRequest request) override {
    mark_effect("before renew");
    asio::awaitable<Result<proto::RenewReply>> renewing = inner_.renew(std::move(request));
    Result<proto::RenewReply> reply = co_await std::move(renewing);
    effect_("after renew");
    co_return reply;
  }
  asio::awaitable<Result<proto::MasterSecrets>> master_secrets() override {
    mark_effect("before master secrets");
    asio::awaitable<Result<proto::MasterSecrets>> asking = inner_.master_secrets();
    Result<proto::MasterSecrets> secrets = co_await std::move(asking);
    effect_("after master secrets");
    co_return secrets;
  }
  asio::awaitable<Result<proto::RestartReply>> request_restart(proto::RestartRequest request) override {
    mark_effect("before restart permit");
    asio::awaitable<Result<proto::RestartReply>> asking = inner_.request_restart(std::move(request));
    Result<proto::RestartReply> reply = co_await std::move(asking);
    effect_("after restart permit");
    co_return reply;
  }
  asio::awaitable<Result<proto::CaBundles>> ca_bundles() override {
    mark_effect("before CA bundles");
    asio::awaitable<Result<proto::CaBundles>> asking = inner_.ca_bundles();
    Result<proto::CaBundles> bundles = co_await std::move(asking);
    effect_("after CA bundles");
    co_return bundles;
  }
  asio::awaitable<Result<proto::ProbeTargets>> offer_probe(proto::ProbeOffer offer) override {
    return inner_.offer_probe(std::move(offer));
  }
  asio::awaitable<Status> report_probe(proto::ProbeReport report) override {
    return inner_.report_probe(std::move(report));
  }
  Status use_identity(const std::string& ca_pem, const KeyPair& pair) override { return inner_.use_identity(ca_pem, pair); }

 private:
  FakeCoordinator& inner_;
  Effect effect_;
};

class MortalSupervisor final : public ProcessSupervisor {
 public:
  MortalSupervisor(UnitWorld& inner, Effect effect) : inner_(inner), effect_(std::move(effect)) {}
  asio::awaitable<Status> reload() override {
    mark_effect("before reload");
    return finish(inner_.reload(), "after reload");
  }
  asio::awaitable<Status> enable(std::vector<std::string> names) override {
    mark_effect("before enable");
    return finish(inner_.enable(std::move(names)), "after enable");
  }
  asio::awaitable<Status> disable(std::vector<std::string> names) override {
    mark_effect("before disable");
    return finish(inner_.disable(std::move(names)), "after disable");
  }
  asio::awaitable<Status> start(std::string name) override {
    mark_effect("before start");
    return finish(inner_.start(std::move(name)), "after start");
  }
  asio::awaitable<Status> restart(std::string name) override {
    mark_effect("before restart");
    return finish(inner_.restart(std::move(name)), "after restart");
  }
  asio::awaitable<Status> stop(std::string name) override {
    mark_effect("before stop");
    return finish(inner_.stop(std::move(name)), "after stop");
  }
  asio::awaitable<Result<UnitStatus>> status(std::string name) override { return inner_.status(std::move(name)); }
  asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) override {
    mark_effect("before set_pause");
    return finish(inner_.set_pause(std::move(name), pause), "after set_pause");
  }
  asio::awaitable<Result<std::vector<std::string>>> changed() override { return inner_.changed(); }

 private:
  asio::awaitable<Status> finish(asio::awaitable<Status> call, const char* after) {
    const Status done = co_await std::move(call);
    effect_(after);
    co_return done;
  }
  UnitWorld& inner_;
  Effect effect_;
};

struct Enough {};  // stops a repetition

// The kernel. Steps are carried out one by one, with a possible kill between any two.
class MortalNetwork final : public Network {
 public:
  MortalNetwork(FakeNetwork& inner, Effect effect) : inner_(inner), effect_(std::move(effect)) {}
  std::size_t done = 0;
  std::size_t limit = SIZE_MAX;

  Result<NetworkObserved> observe() override { return inner_.observe(); }
  std::vector<Status> apply(const std::vector<NetworkStep>& steps) override {
    std::vector<Status> results;
    for (const NetworkStep& step : steps) {
      if (done == limit) throw Enough();
      mark_effect("before network step");
      results.push_back(inner_.apply({step}).front());
      ++done;
      effect_("after network step");
    }
    return results;
  }
  asio::awaitable<Result<NetworkNews>> changed() override { return inner_.changed(); }
  Result<IpAddress> address_towards(const IpAddress& remote) override { return inner_.address_towards(remote); }

 private:
  FakeNetwork& inner_;
  Effect effect_;
};

// Hands out artifacts in two halves.
class MortalSource final : public ArtifactSource {
 public:
  std::map<std::string, std::string> bytes;  // by digest

  asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override {
    const auto found = bytes.find(artifact.sha256);
    if (found == bytes.end()) co_return make_error(Errc::not_found, "no such artifact");
    const std::string& all = found->second;
    const std::string have = path_exists(to_path) ? get_file(to_path) : "";
    if (have.size() < all.size() / 2) put_file(to_path, all.substr(0, all.size() / 2));
    mark_effect("in the middle of a download");
    put_file(to_path, all);
    co_return Status{};
  }
  proto::ArtifactRef add(const std::string& content, const char* format) {
    const std::string digest = sha256_hex(content);
    bytes[digest] = content;
    return {digest, content.size(), format};
  }
};

asio::awaitable<Result<bool>> install(Installer* installer, ArtifactRef artifact) {
  asio::awaitable<Result<InstallOutcome>> ensuring = installer->ensure(std::move(artifact));
  const Result<InstallOutcome> outcome = co_await std::move(ensuring);
  if (!outcome) co_return outcome.error();
  co_return outcome->changed;
}

asio::awaitable<Status> is_well(HealthProbe) { co_return Status{}; }

Status failure(const std::string& what) { return make_error(Errc::internal, what); }

}  // namespace

std::string Memory::text() const {
  Json json = {{"tokenUses", token_uses}, {"keys", agent_keys}, {"lastPid", last_pid}, {"networkSteps", network_steps}, {"address", address}};
  json["units"] = Json::object();
  for (const auto& [name, unit] : units) json["units"][name] = json_of(unit);
  return json.dump();
}

Memory Memory::from(const std::string& text) {
  const Json json = Json::parse(text);
  Memory memory;
  memory.token_uses = json["tokenUses"].get<int>();
  memory.agent_keys = json["keys"].get<std::set<std::string>>();
  memory.last_pid = json["lastPid"].get<std::int32_t>();
  memory.network_steps = json["networkSteps"].get<std::size_t>();
  memory.address = json["address"].get<std::string>();
  for (const auto& [name, unit] : json["units"].items()) memory.units[name] = unit_of(name, unit);
  return memory;
}

struct CrashWorld::Impl {
  Impl(std::string host, std::string node_role, const Stage& wanted, const Memory& known, Save saver);

  std::string root;
  std::string role;
  Stage stage;
  Save save;
  bool saving = false;
  ManualClock clock;
  IoTest io;
  FakeCoordinator fake_coordinator{service_authority(), service_cluster(), clock};
  UnitWorld unit_world;
  FakeNetwork kernel;
  MortalSource source;
  Effect effect = [this](const char* name) {
    if (saving) save(memory());
    mark_effect(name);
  };
  MortalCoordinator coordinator{fake_coordinator, effect};
  MortalSupervisor supervisor{unit_world, effect};
  MortalNetwork network{kernel, effect};
  AgentState state;
  std::unique_ptr<FileNodeStore> store;
  std::unique_ptr<FileChangeLedger> ledger;
  Workers workers{1};
  Installer installer;
  FileCopier copier{installer.paths()};
  std::unique_ptr<Reconciler> reconciler;

  Memory memory() const;
  void add_components();
  void repeat_network(std::size_t steps);
  Enroller::Deps deps() { return {*store, *store, coordinator, clock, workers, state}; }
  EnrollSettings settings();
  Status open();
  Status live();
  Status settle();
};

CrashWorld::Impl::Impl(std::string host, std::string node_role, const Stage& wanted, const Memory& known, Save saver)
    : root(std::move(host)),
      role(std::move(node_role)),
      stage(wanted),
      save(std::move(saver)),
      unit_world(root + "/units"),
      kernel(IpAddress::parse(wanted.address).value(), 24),
      installer(InstallPaths{root + "/opt", root + "/agent/cache"}, source, workers) {
  clock.set_wall(clock.wall() + Seconds(stage.clock_s));
  fake_coordinator.role = role;
  fake_coordinator.token_uses = known.token_uses;
  fake_coordinator.agent_keys = known.agent_keys;
  fake_coordinator.address = known.address;
  unit_world.units = known.units;
  unit_world.last_pid = known.last_pid;
  coordinator.desired = fake_coordinator.desired(static_cast<std::uint64_t>(stage.version));
  coordinator.desired.nodes.push_back({"node2", "other", 1, "node", "10.77.0.14", "10.10.4.0/24"});
  add_components();
  repeat_network(known.network_steps);
  saving = true;
}

void CrashWorld::Impl::add_components() {
  const auto program = [](const std::string& name) { return TarMember{name, "ELF " + name, '0', "", 0755}; };
  const std::string docker = tar_text({{"docker/", "", '5'}, program("docker/dockerd"), program("docker/runc")});
  const std::string plugins = tar_text({program("bridge"), program("host-local")});
  const auto add = [&](const std::string& name, const std::string& version, const proto::ArtifactRef& artifact) {
    proto::ComponentRef component;
    component.name = name;
    component.version = version;
    component.artifact = artifact;
    coordinator.desired.components.push_back(component);
  };
  const std::string kubelet_version = "1.20." + std::to_string(stage.version);
  coordinator.desired.cluster.versions.kubernetes = kubelet_version;
  if (stage.one_cni_folder) {
    proto::ClusterSpec& cluster = coordinator.desired.cluster;
    cluster.network.backend = "external";
    cluster.runtime = "containerd";
    cluster.versions.containerd = "1.6.20";
    cluster.versions.runc = "1.1.5";
    add("containerd", "1.6.20", source.add(tar_text({program("containerd"), program("ctr")}), "tar"));
    add("runc", "1.1.5", source.add("ELF runc", "file"));
  } else {
    add("docker", "20.10.24", source.add(docker, "tar"));
  }
  add("cni-plugins", "1.1.1", source.add(plugins, "tar"));
  add("kubelet", kubelet_version, source.add("ELF kubelet " + kubelet_version, "file"));
  add("kube-proxy", "1.20.2", source.add("ELF kube-proxy", "file"));
  if (role != "master") return;
  for (const char* name : {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"})
    add(name, name == std::string("etcd") ? "3.4.23" : "1.20.2", source.add(std::string("ELF ") + name, "file"));
  static const Secret shared_key = PrivateKey::generate_p256().value().to_pem().value();
  fake_coordinator.service_account_key = shared_key.reveal();
}

// The kernel is of this process: what killed ones did to it is done again.
void CrashWorld::Impl::repeat_network(std::size_t steps) {
  NodeIdentity self;
  self.node_uid = fake_coordinator.node_uid;
  self.address = stage.address;
  self.pod_cidr = "10.10.3.0/24";
  network.limit = steps;
  try {
    if (steps > 0) (void)bring_network_about(network, coordinator.desired, self);
  } catch (const Enough&) {
  }
  network.limit = SIZE_MAX;
}

Memory CrashWorld::Impl::memory() const {
  return {fake_coordinator.token_uses, fake_coordinator.agent_keys, unit_world.units, unit_world.last_pid, network.done, fake_coordinator.address};
}

EnrollSettings CrashWorld::Impl::settings() {
  EnrollSettings settings;
  settings.role = role;
  settings.node_name = fake_coordinator.node_name;
  settings.token_file = "/etc/slipway/join.token";
  settings.read_token = [this]() -> Result<Secret> { return Secret(fake_coordinator.token()); };
  settings.node_address = [this] { return IpAddress::parse(fake_coordinator.address); };
  return settings;
}

Status CrashWorld::Impl::open() {
  // The kernel is of this process: nothing of it was there before.
  auto noted = FileChangeLedger::open(root + "/agent", [](const Intent& intent) -> Result<Change> { return Change{intent.kind, intent.name}; });
  if (!noted) return noted.error();
  ledger = std::move(*noted);
  auto opened = FileNodeStore::open(root + "/agent");
  if (!opened) return opened.error();
  store = std::move(*opened);
  auto identity = store->identity();
  if (!identity) return identity.error();
  state.identity = *identity;
  ReconcileDeps reconcile{*store, coordinator, supervisor, network, clock, workers, state,
                          [this](ArtifactRef artifact) { return install(&installer, std::move(artifact)); },
                          is_well,
                          [this](std::int32_t pid) { return unit_world.environment_of(pid); },
                          paths_below(root), "systemd", {},
                          [this](const std::vector<Intent>& intents) { return ledger->intend(intents); }};
  reconcile.copies.copier = &copier;
  reconcile.copies.noted = [this] { return ledger->ledger().changes(); };
  reconciler = std::make_unique<Reconciler>(std::move(reconcile), 1);
  return {};
}

// As the daemon does it: the host is looked after at once, the coordinator asked meanwhile.
Status CrashWorld::Impl::live() {
  if (Status opened = open(); !opened) return opened;
  DesiredSync sync(deps(), 1);
  if (Status loaded = io.run(sync.load()); !loaded) return loaded;
  if (!stage.only_join) (void)io.run(reconciler->pass());
  Enroller enroller(settings(), deps(), 7);
  if (Status joined = io.run(enroller.attempt()); !joined) return joined;
  if (Status synced = io.run(sync.poll_once()); !synced) return synced;
  if (stage.only_join) return {};
  Renewer renewer(role, deps(), enroller);
  if (state.identity->address != stage.address) state.moves_to = IpAddress::parse(stage.address).value();
  if (const auto moved = state.moves_to ? io.run(renewer.tick()) : Result<Seconds>(Seconds(0)); !moved) return moved.error();
  if (state.identity->address != stage.address) return failure("the node did not move");
  if (Status settled = settle(); !settled) return settled;
  if (const auto renewed = io.run(renewer.tick()); !renewed) return renewed.error();
  return settle();
}

Status CrashWorld::Impl::settle() {
  PassReport report;
  for (int i = 0; i < 3; ++i) {
    report = io.run(reconciler->pass());
    if (report.clean() && report.changes.empty()) return {};
  }
  return failure("the passes do not come to an end: " + join(report.problems, "; ") + " / " + join(report.changes, "; "));
}

CrashWorld::CrashWorld(std::string root, std::string role, const Stage& stage, const Memory& memory, Save save)
    : impl_(std::make_unique<Impl>(std::move(root), std::move(role), stage, memory, std::move(save))) {}
CrashWorld::~CrashWorld() = default;
Status CrashWorld::live() { return impl_->live(); }
PassReport CrashWorld::pass() { return impl_->io.run(impl_->reconciler->pass()); }
Memory CrashWorld::memory() const { return impl_->memory(); }
const UnitWorld& CrashWorld::units() const { return impl_->unit_world; }

}  // namespace slipway::test
