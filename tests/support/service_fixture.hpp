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
  explicit MortalStore(const std::string& dir);
  int writes_left = 1 << 30;
  bool dead() const { return dead_; }

  Result<std::optional<NodeIdentity>> identity() override;
  Status save_identity(const NodeIdentity& value) override;
  Result<std::optional<StoredDesired>> desired() override;
  Status save_desired(const StoredDesired& value) override;
  Status append_delta(const std::string& json) override;
  Status forget() override;
  Result<std::optional<Secret>> pending_key(const std::string& usage) override;
  Status save_pending_key(const std::string& usage, const Secret& key) override;
  Status activate(const std::string& usage, const std::string& chain) override;
  Result<std::optional<KeyPair>> pair(const std::string& usage) override;
  Result<std::optional<std::string>> ca_bundle(const std::string& name) override;
  Status save_ca_bundle(const std::string& name, const std::string& pem) override;
  std::string chain_path(const std::string& usage) const override;
  std::string key_path(const std::string& usage) const override;

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
  int token_deletions = 0;  // each takes the text away
  Status deleting_token;    // what it comes to

  ServiceFixture();

  EnrollSettings settings();
};

// One life of the agent process.
struct AgentLife {
  explicit AgentLife(ServiceFixture& fixture, int writes = 1 << 30);
  Enroller::Deps deps() { return {store, store, world.coordinator, world.clock, world.workers, state}; }
  Status attempt();

  ServiceFixture& world;
  MortalStore store;
  AgentState state;
  Enroller enroller;
};

// systemd in memory: a started unit runs with what its file said when the files were read last.
class UnitWorld final : public ProcessSupervisor {
 public:
  explicit UnitWorld(std::string unit_dir);

  boost::asio::awaitable<Status> reload() override;
  boost::asio::awaitable<Status> enable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> disable(std::vector<std::string> names) override;
  boost::asio::awaitable<Status> start(std::string name) override;
  boost::asio::awaitable<Status> restart(std::string name) override;
  boost::asio::awaitable<Status> stop(std::string name) override;
  boost::asio::awaitable<Result<UnitStatus>> status(std::string name) override;
  boost::asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> changed() override;  // never before it is cancelled

  Result<std::string> environment_of(std::int32_t pid) const;
  // The process ends and systemd starts it again.
  void kill(const std::string& name);
  std::int32_t pid(const std::string& name);

  struct Unit {
    UnitStatus status;
    std::string environment;
    std::string loaded_text;  // the unit file as it was read last
  };
  std::map<std::string, Unit> units;
  std::set<std::string> broken;  // do not start
  std::set<std::string> stuck;   // a restart fails and the process goes on
  std::vector<std::string> log;
  int reloads = 0;
  std::map<std::string, int> asked;  // questions for a unit's status
  std::int32_t last_pid = 100;

 private:
  Unit& unit(const std::string& name);
  Status run(const std::string& name);
  std::string unit_dir_;
};

}  // namespace slipway::test
