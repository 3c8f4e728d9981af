// Our own supervisor: what only it must do itself, because under systemd that is systemd's. Real processes, a few of them
// stubborn.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "agent/domain/restart_policy.hpp"
#include "agent/domain/run_record.hpp"
#include "agent/process/child_process.hpp"
#include "agent/process/unit_files.hpp"
#include "common/systemd/notify.hpp"
#include "tests/support/supervisor_rigs.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

UnitSpec script(const std::string& name, const std::string& text) {
  UnitSpec spec;
  spec.name = name;
  spec.exec = {"/bin/sh", "-c", text};
  spec.restart.delay = std::chrono::milliseconds(20);
  return spec;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The first word of a file that a process writes, as soon as it is there.
pid_t pid_in(Rig& rig, const std::string& path) {
  for (int i = 0; i < 500; ++i) {
    const std::string text = text_of(path);
    if (text.ends_with('\n')) return static_cast<pid_t>(std::stol(text));
    rig.io.run(nap());
  }
  return 0;
}

bool lives(pid_t pid) {
  const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  return start_time_of(stat).has_value();
}

bool gone_soon(Rig& rig, pid_t pid) {
  for (int i = 0; i < 500 && lives(pid); ++i) rig.io.run(nap());
  return !lives(pid);
}

constexpr char k_unit[] = "slipway-test-unit.service";

}  // namespace

TEST_CASE("direct supervisor: processes live on when it ends, and the next one takes them over", "[supervisor][direct]") {
  DirectRig rig;
  rig.install_units();
  must(rig.io.run(rig.direct->start(k_good)));
  must(rig.io.run(rig.direct->set_pause(k_good, std::chrono::seconds(7))));
  const UnitStatus before = status_of(rig, k_good);
  rig.open();
  const UnitStatus after = status_of(rig, k_good);
  CHECK(after.running());
  CHECK(after.main_pid == before.main_pid);
  CHECK(after.invocation == before.invocation);
  CHECK(after.started == before.started);
  must(rig.io.run(rig.direct->start(k_good)));
  CHECK(status_of(rig, k_good).main_pid == before.main_pid);
  must(rig.io.run(rig.direct->set_pause(k_good, std::chrono::seconds(0))));
  rig.kill_good(after.main_pid);
  const UnitStatus again = status_when(rig, k_good, [](const UnitStatus& s) { return s.restarts == 1 && s.running(); });
  CHECK(again.running());
  CHECK(again.exit_status == SIGKILL);
}

TEST_CASE("direct supervisor: killed with SIGKILL, the next one finds what it started", "[supervisor][direct]") {
  DirectRig rig;
  rig.install_units();
  const pid_t other = ::fork();
  if (other == 0) {
    // An agent of its own: starts the unit and is killed.
    IoTest io;
    auto supervisor = DirectSupervisor::open(io.executor(), rig.options());
    if (!supervisor || !io.run((*supervisor)->start(k_good))) ::_exit(1);
    for (;;) ::pause();
  }
  REQUIRE(other > 0);
  const std::string record = rig.dir / "run" + "/" + k_good + ".run";
  for (int i = 0; i < 500 && text_of(record).find("pid=") == std::string::npos; ++i) rig.io.run(nap());
  const auto written = parse_run_record(text_of(record));
  REQUIRE(written);
  REQUIRE(written->pid > 0);
  // Until the program runs: before, the process is not marked yet.
  for (int i = 0; i < 500 && !find_child(*written); ++i) rig.io.run(nap());
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  CHECK(lives(written->pid));

  rig.open();
  const UnitStatus taken = status_of(rig, k_good);
  CHECK(taken.running());
  CHECK(taken.main_pid == written->pid);
  CHECK(taken.invocation == written->invocation);
  rig.kill_good(taken.main_pid);
  const UnitStatus after = status_when(rig, k_good, [](const UnitStatus& s) { return s.restarts == 1 && s.running(); });
  CHECK(after.running());
  CHECK(after.main_pid != written->pid);
  // It was no child of ours: how it ended only newer kernels tell.
  const bool told = after.exit_kind == ExitKind::killed && after.exit_status == SIGKILL;
  const bool untold = after.exit_kind == ExitKind::none && after.result == "lost";
  CHECK((told || untold));
  must(rig.io.run(rig.direct->stop(k_good)));
}

TEST_CASE("direct supervisor: a process with the same number is not taken for the unit's", "[supervisor][direct]") {
  DirectRig rig;
  rig.install_units();
  RunRecord record;
  record.pid = ::getpid();
  record.start_time = start_time_of(text_of("/proc/self/stat")).value();
  record.invocation = "00112233445566778899aabbccddeeff";  // not in this process' environment
  std::ofstream(rig.dir / "run" + "/" + k_good + ".run") << to_text(record);
  rig.open();
  const UnitStatus status = status_when(rig, k_good, [](const UnitStatus& s) { return s.running(); });
  CHECK(status.running());
  CHECK(status.main_pid != ::getpid());
  CHECK(status.restarts == 1);
  CHECK(status.result == "lost");
}

TEST_CASE("direct supervisor: a damaged record or unit file does no harm", "[supervisor][direct]") {
  DirectRig rig;
  rig.install_units();
  std::ofstream(rig.dir / "run" + "/" + k_good + ".run") << "pid=1\nstartTime=x\n";
  std::ofstream(rig.dir / "run" + "/../x.run") << "pid=1\n";
  rig.open();
  CHECK(status_of(rig, k_good).active == UnitActivity::inactive);
  std::ofstream(rig.unit_path(k_unit)) << "[Service]\nExecStart=/bin/true\nPrivateTmp=yes\n";
  const UnitStatus bad = status_of(rig, k_unit);
  CHECK(bad.load == UnitLoad::bad);
  const Status started = rig.io.run(rig.direct->start(k_unit));
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("PrivateTmp") != std::string::npos);
  CHECK(rig.io.run(rig.direct->start("../../etc/x.service")).error().code == Errc::invalid);
}

TEST_CASE("direct supervisor: who does not listen to SIGTERM is killed when its time is over", "[supervisor][direct]") {
  DirectRig rig;
  UnitSpec spec = script(k_unit, "trap '' TERM; echo $$ > " + rig.dir / "pid" + "; while :; do sleep 1; done");
  spec.timeout_stop = std::chrono::seconds(1);
  rig.install(spec);
  must(rig.io.run(rig.direct->start(k_unit)));
  const pid_t pid = pid_in(rig, rig.dir / "pid");
  REQUIRE(lives(pid));
  must(rig.io.run(rig.direct->stop(k_unit)));
  CHECK_FALSE(lives(pid));
  const UnitStatus status = status_of(rig, k_unit);
  CHECK(status.active == UnitActivity::inactive);
  CHECK(status.exit_status == SIGKILL);
  CHECK(status.result == "timeout");
}

TEST_CASE("direct supervisor: what a unit left behind ends with it, or stays, by its kill mode", "[supervisor][direct]") {
  struct Case {
    KillMode mode;
    bool stays;
  };
  for (const Case& one : {Case{KillMode::control_group, false}, Case{KillMode::mixed, false}, Case{KillMode::process, true}}) {
    CAPTURE(static_cast<int>(one.mode));
    DirectRig rig;
    const std::string file = rig.dir / "pid";
    // In a session of its own, and its parent is gone: still the unit's.
    UnitSpec spec = script(k_unit, "(setsid sleep 1000 & echo $! > " + file + "); exec sleep 1000");
    spec.kill_mode = one.mode;
    spec.timeout_stop = std::chrono::seconds(5);
    rig.install(spec);
    must(rig.io.run(rig.direct->start(k_unit)));
    const pid_t left = pid_in(rig, file);
    REQUIRE(lives(left));
    must(rig.io.run(rig.direct->stop(k_unit)));
    CHECK(lives(left) == one.stays);
    ::kill(left, SIGKILL);
    CHECK(gone_soon(rig, left));
  }
}

TEST_CASE("direct supervisor: a process that ends at once comes back again and again", "[supervisor][direct]") {
  DirectRig rig;
  rig.install(script(k_unit, "echo so ends run $$; exit 7"));
  (void)rig.io.run(rig.direct->start(k_unit)).has_value();
  const UnitStatus status = status_when(rig, k_unit, [](const UnitStatus& s) { return s.restarts >= 3; });
  CHECK(status.restarts >= 3);
  CHECK(status.exit_kind == ExitKind::exited);
  CHECK(status.exit_status == 7);
  must(rig.io.run(rig.direct->set_pause(k_unit, std::chrono::hours(1))));
  const UnitStatus held = status_when(rig, k_unit, [](const UnitStatus& s) { return s.waiting(); });
  CHECK(held.waiting());
  FileUnitLog log(rig.dir / "log");
  const auto lines = log.last_lines(k_unit);
  REQUIRE(lines);
  REQUIRE(lines->size() >= 3);
  CHECK(lines->back().starts_with("so ends run "));
  must(rig.io.run(rig.direct->stop(k_unit)));
  CHECK(status_of(rig, k_unit).active == UnitActivity::inactive);
}

TEST_CASE("direct supervisor: for a reset it makes nothing, takes nothing over and brings nothing back", "[supervisor][direct]") {
  DirectRig rig;
  const std::string record = rig.dir / "run" + "/" + k_unit + ".run";
  const bool lives_on = GENERATE(false, true);
  rig.install(script(k_unit, "exec sleep 1000"));
  must(rig.io.run(rig.direct->start(k_unit)));
  const pid_t pid = status_of(rig, k_unit).main_pid;
  const auto written = parse_run_record(text_of(record));
  REQUIRE(written);
  // Until the program runs: before, the process is not marked yet.
  for (int i = 0; i < 500 && !find_child(*written); ++i) rig.io.run(nap());
  rig.direct.reset();
  rig.io.poll();
  if (!lives_on) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  for (const char* folder : {"enabled", "log"}) std::filesystem::remove_all(rig.dir / folder);
  const std::string before = text_of(record);
  DirectOptions options = rig.options();
  options.only_ends = true;
  rig.direct = DirectSupervisor::open(rig.io.executor(), options).value();
  for (int i = 0; i < 10; ++i) rig.io.run(nap());  // ten times the pause before a restart
  CHECK(text_of(record) == before);
  CHECK(status_of(rig, k_unit).running() == lives_on);
  CHECK(lives(pid) == lives_on);
  must(rig.io.run(rig.direct->stop(k_unit)));
  CHECK_FALSE(lives(pid));
  CHECK(status_of(rig, k_unit).active == UnitActivity::inactive);
  CHECK_FALSE(std::filesystem::exists(record));
  for (const char* folder : {"enabled", "log"}) CHECK_FALSE(std::filesystem::exists(rig.dir / folder));
  rig.open();
}

TEST_CASE("direct supervisor: a program that is not there", "[supervisor][direct]") {
  DirectRig rig;
  UnitSpec spec = script(k_unit, "");
  spec.exec = {"/nowhere/program"};
  spec.restart.when = RestartWhen::never;
  spec.type = UnitType::exec;
  rig.install(spec);
  const Status started = rig.io.run(rig.direct->start(k_unit));
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("could not be executed") != std::string::npos);
  CHECK(status_of(rig, k_unit).active == UnitActivity::failed);
}

TEST_CASE("direct supervisor: the process gets what its unit says", "[supervisor][direct]") {
  DirectRig rig;
  std::ofstream(rig.dir / "env") << "# a comment\nFROM_FILE=\"yes\"\nB=over\n";
  UnitSpec spec = script(k_unit, "pwd; umask; ulimit -n; cat /proc/self/oom_score_adj; env; exec sleep 1000");
  spec.environment = {{"A", "50% of $HOME"}, {"B", "first"}};
  spec.environment_files = {rig.dir / "env", "-" + rig.dir / "missing"};
  spec.exec_pre = {{"/bin/sh", "-c", "echo before $A"}};
  spec.working_directory = "/usr";
  spec.umask = "0027";
  spec.limit_nofile = 321;
  spec.oom_score_adjust = 123;
  rig.install(spec);
  must(rig.io.run(rig.direct->start(k_unit)));
  const std::string path = rig.dir / "log" + "/" + k_unit + ".log";
  for (int i = 0; i < 500 && text_of(path).find("INVOCATION_ID=") == std::string::npos; ++i) rig.io.run(nap());
  const std::string text = text_of(path);
  CHECK(text.starts_with("before 50% of $HOME\n/usr\n0027\n321\n123\n"));
  CHECK(text.find("\nB=over\n") != std::string::npos);
  CHECK(text.find("\nFROM_FILE=yes\n") != std::string::npos);
  CHECK(text.find("\nINVOCATION_ID=" + status_of(rig, k_unit).invocation + "\n") != std::string::npos);
}

TEST_CASE("direct supervisor: what comes before the program must do well", "[supervisor][direct]") {
  DirectRig rig;
  UnitSpec spec = script(k_unit, "exec sleep 1000");
  spec.exec_pre = {{"/bin/sh", "-c", "exit 4"}};
  spec.restart.when = RestartWhen::never;
  rig.install(spec);
  const Status started = rig.io.run(rig.direct->start(k_unit));
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("exited with code 4") != std::string::npos);
  CHECK(status_of(rig, k_unit).main_pid == 0);
}

// The program of the next test: this one, called anew.
TEST_CASE("a program that says it is ready", "[.ready]") {
  if (std::getenv("PID_FILE") == nullptr || std::getenv("GO_FILE") == nullptr) return;  // called by hand
  std::ofstream(std::getenv("PID_FILE")) << ::getpid() << "\n";
  while (::access(std::getenv("GO_FILE"), F_OK) != 0) ::usleep(10'000);
  systemd::ready();
  for (;;) ::pause();
}

TEST_CASE("direct supervisor: a notify unit is started when it says so", "[supervisor][direct]") {
  DirectRig rig;
  UnitSpec spec;
  spec.name = k_unit;
  spec.type = UnitType::notify;
  spec.exec = {"/proc/self/exe", "[.ready]"};
  spec.environment = {{"PID_FILE", rig.dir / "pid"}, {"GO_FILE", rig.dir / "go"}};
  rig.install(spec);
  const auto starting = rig.io.start(rig.direct->start(k_unit));
  const pid_t pid = pid_in(rig, rig.dir / "pid");
  CHECK_FALSE(starting->done);
  CHECK(status_of(rig, k_unit).active == UnitActivity::activating);
  CHECK(status_of(rig, k_unit).main_pid == pid);
  std::ofstream(rig.dir / "go") << "";
  for (int i = 0; i < 500 && !starting->done; ++i) rig.io.run(nap());
  REQUIRE(starting->done);
  must(*starting->value);
  CHECK(status_of(rig, k_unit).running());
}

TEST_CASE("direct supervisor: a notify unit that never says so fails in time", "[supervisor][direct]") {
  DirectRig rig;
  UnitSpec spec = script(k_unit, "exec sleep 1000");
  spec.type = UnitType::notify;
  spec.timeout_start = std::chrono::seconds(1);
  spec.restart.when = RestartWhen::never;
  rig.install(spec);
  const Status started = rig.io.run(rig.direct->start(k_unit));
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("in time") != std::string::npos);
  CHECK(status_of(rig, k_unit).result == "timeout");
}

TEST_CASE("direct supervisor: a kill for want of memory is told from others", "[supervisor][direct]") {
  const CgroupMounts mounts = cgroup_mounts(text_of("/proc/mounts"));
  DirectRig rig;
  UnitSpec spec = script(k_unit, "exec tail /dev/zero");  // keeps all that it reads
  spec.restart.when = RestartWhen::never;
  const std::string group = mounts.memory + "/" + rig.options().cgroup + "/" + k_unit;
  std::error_code ec;
  std::filesystem::create_directories(group, ec);
  const bool v2 = std::filesystem::exists(group + "/memory.max", ec);
  std::ofstream limit(group + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  limit << "33554432" << std::flush;
  if (mounts.memory.empty() || !limit) {
    WARN("SKIPPED: no memory cgroup that can be written");
    return;
  }
  rig.install(spec);
  must(rig.io.run(rig.direct->start(k_unit)));
  const UnitStatus status = status_when(rig, k_unit, [](const UnitStatus& s) { return s.active == UnitActivity::failed; });
  CHECK(status.result == "oom-kill");
  CHECK(exit_reason(status) == "oom-kill");
}

TEST_CASE("direct supervisor: enabled units start in their order, once after each boot", "[supervisor][direct]") {
  DirectRig rig;
  const std::string order = rig.dir / "order";
  UnitSpec first = script("slipway-test-z.service", "echo z >> " + order + "; exec sleep 1000");
  first.type = UnitType::exec;
  UnitSpec second = script("slipway-test-a.service", "echo a >> " + order + "; exec sleep 1000");
  second.after = {"slipway-test-z.service"};
  // Ready once it has written: else only the order of the starts would be known.
  first.type = UnitType::oneshot;
  first.exec = {"/bin/sh", "-c", "echo z >> " + order};
  first.restart.when = RestartWhen::never;
  rig.install(first);
  rig.install(second);
  must(rig.io.run(rig.direct->enable({first.name, second.name})));
  must(rig.io.run(rig.direct->start_enabled()));
  for (int i = 0; i < 500 && text_of(order).size() < 4; ++i) rig.io.run(nap());
  CHECK(text_of(order) == "z\na\n");
  must(rig.io.run(rig.direct->stop(second.name)));
  rig.open();
  must(rig.io.run(rig.direct->start_enabled()));
  CHECK_FALSE(status_of(rig, second.name).running());
}
