#pragma once
// An agent's services over a real store in a folder of their own, with a coordinator, a supervisor and a
// network in memory.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/ports/process_supervisor.hpp"
#include "agent/service/enroll.hpp"
#include "agent/service/renew.hpp"
#include "agent/store/file_node_store.hpp"
#include "common/async/runtime.hpp"
#include "tests/support/fake_coordinator.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

// The stores of a process that is killed when it has written `writes_left` times: from then on nothing works
// any more.
class MortalStore final : public NodeStore, public CredentialStore {
 public:
  explicit MortalStore(const std::string& dir) : real_(FileNodeStore::open(dir).value()) {}
  int writes_left = 1 << 30;
  bool dead() const { return dead_; }

  Result<std::optional<NodeIdentity>> identity() override {
    return read<std::optional<NodeIdentity>>([&] { return real_->identity(); });
  }
  Status save_identity(const NodeIdentity& value) override {
    return write([&] { return real_->save_identity(value); });
  }
  Result<std::optional<StoredDesired>> desired() override {
    return read<std::optional<StoredDesired>>([&] { return real_->desired(); });
  }
  Status save_desired(const StoredDesired& value) override {
    return write([&] { return real_->save_desired(value); });
  }
  Status forget() override {
    return write([&] { return real_->forget(); });
  }
  Result<std::optional<Secret>> pending_key(const std::string& usage) override {
    return read<std::optional<Secret>>([&] { return real_->pending_key(usage); });
  }
  Status save_pending_key(const std::string& usage, const Secret& key) override {
    return write([&] { return real_->save_pending_key(usage, key); });
  }
  Status activate(const std::string& usage, const std::string& chain) override {
    return write([&] { return real_->activate(usage, chain); });
  }
  Result<std::optional<KeyPair>> pair(const std::string& usage) override {
    return read<std::optional<KeyPair>>([&] { return real_->pair(usage); });
  }
  Result<std::optional<std::string>> ca_bundle(const std::string& name) override {
    return read<std::optional<std::string>>([&] { return real_->ca_bundle(name); });
  }
  Status save_ca_bundle(const std::string& name, const std::string& pem) override {
    return write([&] { return real_->save_ca_bundle(name, pem); });
  }
  std::string chain_path(const std::string& usage) const override { return real_->chain_path(usage); }
  std::string key_path(const std::string& usage) const override { return real_->key_path(usage); }

 private:
  static Error killed() { return make_error(Errc::internal, "killed"); }
  template <class T, class F>
  Result<T> read(F job) {
    if (dead_) return killed();
    return job();
  }
  template <class F>
  Status write(F job) {
    if (dead_ || writes_left-- <= 0) {
      dead_ = true;
      return killed();
    }
    return job();
  }
  std::unique_ptr<FileNodeStore> real_;
  bool dead_ = false;
};

struct ServiceFixture {
  ManualClock clock;
  IoTest io;
  Workers workers{1};
  TempDir dir;
  FakeCoordinator coordinator{service_authority(), service_cluster(), clock};
  int token_reads = 0;
  Result<std::string> token_text = std::string();

  ServiceFixture() { token_text = coordinator.token(); }

  EnrollSettings settings() {
    EnrollSettings settings;
    settings.role = coordinator.role;
    settings.node_name = coordinator.node_name;
    settings.token_file = "/etc/slipway/join.token";
    settings.read_token = [this]() -> Result<Secret> {
      ++token_reads;
      if (!token_text) return token_text.error();
      return Secret(*token_text);
    };
    settings.node_address = [this] { return IpAddress::parse(coordinator.address); };
    return settings;
  }
};

// One life of the agent process.
struct AgentLife {
  explicit AgentLife(ServiceFixture& fixture, int writes = 1 << 30)
      : world(fixture), store(fixture.dir / "agent"), enroller(fixture.settings(), deps(), 7) {
    store.writes_left = writes;
  }
  Enroller::Deps deps() { return {store, store, world.coordinator, world.clock, world.workers, state}; }
  Status attempt() { return world.io.run(enroller.attempt()); }

  ServiceFixture& world;
  MortalStore store;
  AgentState state;
  Enroller enroller;
};

// systemd in memory: a started unit runs with what its file said when the files were read last.
class UnitWorld final : public ProcessSupervisor {
 public:
  explicit UnitWorld(std::string unit_dir) : unit_dir_(std::move(unit_dir)) {}

  boost::asio::awaitable<Status> reload() override {
    ++reloads;
    for (auto& [name, unit] : units) {
      unit.loaded_text = get_file(unit_dir_ + "/" + name);
      unit.status.load = unit.loaded_text.empty() ? UnitLoad::not_found : UnitLoad::loaded;
    }
    co_return Status{};
  }
  boost::asio::awaitable<Status> enable(std::vector<std::string> names) override {
    for (const std::string& name : names) unit(name).status.enabled = true;
    co_return Status{};
  }
  boost::asio::awaitable<Status> disable(std::vector<std::string> names) override {
    for (const std::string& name : names) unit(name).status.enabled = false;
    co_return Status{};
  }
  boost::asio::awaitable<Status> start(std::string name) override {
    log.push_back("start " + name);
    co_return run(name);
  }
  boost::asio::awaitable<Status> restart(std::string name) override {
    log.push_back("restart " + name);
    co_return run(name);
  }
  boost::asio::awaitable<Status> stop(std::string name) override {
    unit(name).status.active = UnitActivity::inactive;
    unit(name).status.main_pid = 0;
    co_return Status{};
  }
  boost::asio::awaitable<Result<UnitStatus>> status(std::string name) override {
    Unit& known = unit(name);
    known.status.needs_reload =
        known.status.load == UnitLoad::loaded && get_file(unit_dir_ + "/" + name) != known.loaded_text;
    co_return known.status;
  }

  Result<std::string> environment_of(std::int32_t pid) const {
    for (const auto& [name, unit] : units) {
      if (unit.status.main_pid == pid) return unit.environment;
    }
    return make_error(Errc::not_found, "no such process");
  }
  // The process ends and systemd starts it again.
  void kill(const std::string& name) {
    ++unit(name).status.restarts;
    (void)run(name).has_value();
  }
  std::int32_t pid(const std::string& name) { return unit(name).status.main_pid; }

  struct Unit {
    UnitStatus status;
    std::string environment;
    std::string loaded_text;  // the unit file as it was read last
  };
  std::map<std::string, Unit> units;
  std::set<std::string> broken;  // do not start
  std::vector<std::string> log;
  int reloads = 0;
  std::int32_t last_pid = 100;

 private:
  Unit& unit(const std::string& name) {
    Unit& found = units[name];
    found.status.name = name;
    return found;
  }
  Status run(const std::string& name) {
    Unit& started = unit(name);
    if (broken.contains(name)) {
      started.status.active = UnitActivity::failed;
      started.status.result = "exit-code";
      started.status.main_pid = 0;
      return make_error(Errc::internal, name + " failed: exit-code");
    }
    started.status.active = UnitActivity::active;
    started.status.main_pid = ++last_pid;
    started.environment.clear();
    const std::string& text = started.loaded_text;
    const std::string key = "SLIPWAY_INPUTS=";
    const std::size_t at = text.find(key);
    if (at != std::string::npos)
      started.environment = text.substr(at, key.size() + 64) + std::string(1, '\0');
    return {};
  }
  std::string unit_dir_;
};

}  // namespace slipway::test
