// A reset on a host without systemd: our own supervisor has started the components, and an agent that has ended left them running.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "agent/domain/run_record.hpp"
#include "agent/host/host_objects.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/process/child_process.hpp"
#include "agent/process/host_units.hpp"
#include "agent/reset_command.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/log/log.hpp"
#include "tests/support/supervisor_rigs.hpp"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace test;

struct BareHost {
  BareHost() {
    REQUIRE(log::setup("slipway-agent", "error"));
    fs::create_directories(dir / "units");
    std::vector<Intent> intents = direct_intents(options());
    intents.push_back({ChangeKind::unit, k_good, unit_file(), true});
    intents.push_back({ChangeKind::file, unit_file()});
    auto host = KernelUndo::open(UndoPaths{});
    REQUIRE(host);
    auto ledger = FileChangeLedger::open(dir / "agent", [&host](const Intent& intent) { return (*host)->former(intent); });
    REQUIRE(ledger);
    REQUIRE((*ledger)->intend(intents));
  }
  ~BareHost() {
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  // An agent's life.
  void run() {
    auto direct = DirectSupervisor::open(io.executor(), options());
    REQUIRE(direct);
    write_unit(unit_file(), good_unit());
    REQUIRE(io.run((*direct)->enable({k_good})));
    REQUIRE(io.run((*direct)->start(k_good)));
    pid = io.run((*direct)->status(k_good)).value().main_pid;
    const auto record = parse_run_record(get_file(record_file()));
    REQUIRE(record);
    // Until the program runs: before, the process is not marked yet.
    for (int i = 0; i < 500 && !find_child(*record); ++i) io.run(nap());
    direct->reset();
    io.poll();
  }
  Result<ResetResult> reset(bool dry_run) {
    DirectOptions only_ends = options();
    only_ends.only_ends = true;
    auto direct = DirectSupervisor::open(io.executor(), only_ends);
    REQUIRE(direct);
    ResetOptions reset;
    reset.config_file = dir / "no-agent.yaml";
    reset.data_dir = dir / "agent";
    reset.run_dir = dir / "run";
    reset.dry_run = dry_run;
    auto done = io.run(reset_now(reset, direct->get(), {}));
    direct->reset();
    io.poll();
    return done;
  }
  DirectOptions options() const {
    DirectOptions options;
    options.unit_dir = dir / "units";
    options.enabled_dir = dir / "agent/units";
    options.run_dir = dir / "run/units";
    options.log_dir = dir / "log";
    options.cgroup = group;
    return options;
  }
  std::string record_file() const { return dir / ("run/units/" + std::string(k_good) + ".run"); }
  std::string unit_file() const { return dir / ("units/" + std::string(k_good)); }

  TempDir dir;
  std::string group = "slipway-test-reset-" + std::to_string(::getpid());
  IoTest io;
  pid_t pid = 0;
};

bool lives(pid_t pid) { return ::kill(pid, 0) == 0; }

std::string told(const Result<ResetResult>& result) {
  if (!result) return result.error().message;
  std::string text;
  for (const Leftover& leftover : result->leftovers) text += leftover.name + ": " + leftover.why + "\n";
  return text;
}

}  // namespace

TEST_CASE("without systemd a reset ends what our own supervisor started and takes its folders, logs and groups",
          "[agent][reset][supervisor]") {
  BareHost host;
  host.run();
  REQUIRE(lives(host.pid));
  REQUIRE(fs::exists(host.dir / "log"));
  const bool grouped = !cgroup_folders(host.group).empty();

  const auto plan = host.reset(true);
  INFO(told(plan));
  REQUIRE(plan);
  CHECK(plan->clean());
  CHECK(std::count(plan->steps.begin(), plan->steps.end(), std::string("stop ") + k_good) == 1);
  CHECK(lives(host.pid));
  CHECK(fs::exists(host.record_file()));

  const auto done = host.reset(false);
  INFO(told(done));
  REQUIRE(done);
  CHECK(done->clean());
  CHECK_FALSE(lives(host.pid));
  for (const char* path : {"agent", "log", "run"}) CHECK_FALSE(fs::exists(host.dir / path));
  CHECK_FALSE(fs::exists(host.unit_file()));
  CHECK(cgroup_folders(host.group).empty());
  if (!grouped) WARN("control groups cannot be written here");

  const auto again = host.reset(false);
  REQUIRE(again);
  CHECK(again->clean());
  CHECK(again->steps.empty());
  for (const char* path : {"agent", "log", "run"}) CHECK_FALSE(fs::exists(host.dir / path));
  CHECK(cgroup_folders(host.group).empty());
}

}  // namespace slipway
