#pragma once
// Brings the host to the desired state: observe, plan, apply, repeat. A second pass finds nothing to do; a
// kill between any two steps is mended by the next pass.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/domain/change_ledger.hpp"
#include "agent/domain/reconcile_plan.hpp"
#include "agent/ports/artifact_source.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/file_readers.hpp"
#include "agent/ports/network.hpp"
#include "agent/ports/process_supervisor.hpp"
#include "agent/render/component.hpp"
#include "agent/service/agent_state.hpp"
#include "agent/service/copy_pass.hpp"
#include "agent/service/firewall_pass.hpp"
#include "agent/service/network_pass.hpp"
#include "agent/service/settings_gate.hpp"
#include "common/async/backoff.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

struct ReconcileDeps {
  CredentialStore& credentials;
  CoordinatorApi& coordinator;
  ProcessSupervisor& supervisor;
  Network& network;
  Clock& clock;
  Workers& workers;
  AgentState& state;
  // Makes the artifact the current version of its component; true: it was not before.
  std::function<boost::asio::awaitable<Result<bool>>(ArtifactRef artifact)> install;
  // Errors: what the component answered, or that it did not.
  std::function<boost::asio::awaitable<Status>(HealthProbe probe)> probe;
  // The environment a process was started with: "A=b\0C=d\0".
  std::function<Result<std::string>(std::int32_t pid)> environment_of;
  HostPaths paths;
  std::string cgroup_driver = "systemd";
  // Told after each pass of the files that are to be as they are; a change of one is a reason for the next pass. Empty: nobody watches.
  std::function<void(const std::vector<std::string>& paths)> watch_files = {};
  // Notes what is about to be changed, durably, before it is (ChangeLedger::intend); runs on a worker. Empty: nobody notes.
  std::function<Status(const std::vector<Intent>& intents)> intend = {};
  SettingsGateDeps settings = {};
  // Removes programs and downloads that nobody needs any more; `wanted`: digests of all that is to be installed. At the end of each pass in which
  // everything was installed. Empty: nobody does.
  std::function<boost::asio::awaitable<Status>(std::set<std::string> wanted)> collect = {};
  FirewallDeps firewall = {};  // but for `note`, which is `intend`
  CopyDeps copies = {};        // but for `note` and `workers`
  FileReaders* readers = nullptr;  // null: nobody is told
};

// The pod network brought about once, and for which state of the wishes.
struct NetworkTurn {
  NetworkOutcome outcome;
  std::string epoch;
  std::uint64_t revision = 0;
};

// State thread.
class Reconciler {
 public:
  Reconciler(ReconcileDeps deps, std::uint64_t seed);

  // One pass over everything; an error in one component stops no other. Needs state.identity and
  // state.desired; without them it does nothing. The report is also left in state.last_pass.
  boost::asio::awaitable<PassReport> pass();

  // Passes at each state.reconcile, after failures with back-off, and once a minute.
  boost::asio::awaitable<Status> run();

  // Beside run(): brings the pod network about at each state.network_news, also while a pass waits for a download or for a
  // component's health. Needs state.identity and state.desired. Ends only when cancelled.
  boost::asio::awaitable<Status> run_network();

 private:
  struct Pass;
  struct UnitRetry {
    int failures = 0;
    SteadyTime not_before{};
  };

  boost::asio::awaitable<Status> work(Pass& pass);
  boost::asio::awaitable<Status> note_intents(std::vector<Intent> intents);
  boost::asio::awaitable<Status> fetch_secrets(Pass& pass);
  boost::asio::awaitable<Status> install_artifacts(Pass& pass);
  boost::asio::awaitable<Status> collect_programs(Pass& pass);
  CopyDeps copy_deps();
  boost::asio::awaitable<Status> copy_programs(Pass& pass);
  boost::asio::awaitable<Status> remove_old_copies(Pass& pass);
  boost::asio::awaitable<Status> place_component(Pass& pass, std::size_t index);
  boost::asio::awaitable<Status> bring_up(Pass& pass, bool after_network);
  boost::asio::awaitable<Status> reload_units(Pass& pass, bool after_network);
  boost::asio::awaitable<Result<UnitStatus>> unit_status(Pass& pass, std::string name);
  boost::asio::awaitable<Status> run_unit(Pass& pass, std::size_t index);
  boost::asio::awaitable<Status> act_on_unit(Pass& pass, std::size_t index, UnitDecision decision);
  boost::asio::awaitable<Status> wait_healthy(Pass& pass, std::size_t index);
  boost::asio::awaitable<Status> note_network(std::vector<Intent> intents);
  std::vector<Intent> not_noted(std::vector<Intent> intents) const;
  // Observe, plan, note what is to be noted, apply.
  boost::asio::awaitable<Result<NetworkTurn>> turn_network();
  // As part of a pass; `changes` of the answer are those that its own revision asked for.
  boost::asio::awaitable<Result<NetworkOutcome>> program_network(Pass& pass);
  boost::asio::awaitable<Status> mend_network();
  bool stood(std::uint64_t revision) const;
  boost::asio::awaitable<Status> open_firewall(Pass& pass, std::string underlay);
  void note_written(const std::vector<NetworkFile>& files);
  boost::asio::awaitable<Status> tell_readers();
  void note_bundles(const Pass& pass);
  void note_drift(const std::vector<std::string>& drifted);
  boost::asio::awaitable<Status> conclude(Pass& pass);
  Millis next_wait(const PassReport& report);
  void log_changes(const std::vector<std::string>& changes);
  void log_pass(const PassReport& report);

  ReconcileDeps deps_;
  SettingsGate gate_;
  Backoff backoff_;
  RepeatedError trouble_;
  RepeatedError collecting_trouble_;
  RepeatedError network_trouble_;
  std::set<std::pair<ChangeKind, std::string>> noted_;  // of the pod network, by this process
  std::uint64_t network_turns_ = 0;
  std::string service_account_;  // digest of the key that was there first, or that the coordinator gave; empty: not looked yet
  std::map<std::string, UnitRetry> retries_;  // by unit
  std::set<FileReader> untold_;               // whose files were written
  RepeatedError telling_trouble_;
  std::map<std::string, std::string> settled_;  // component -> the wish that was brought about last
};

}  // namespace slipway
