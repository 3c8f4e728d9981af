// The pure parts of supervision.
#include <catch2/catch.hpp>

#include "agent/domain/log_lines.hpp"
#include "agent/domain/pod_cgroup.hpp"
#include "agent/domain/reconcile_plan.hpp"
#include "agent/domain/restart_policy.hpp"
#include "agent/domain/run_record.hpp"
#include "agent/domain/unit_order.hpp"
#include "agent/process/child_cgroup.hpp"
#include "agent/process/unit_properties.hpp"
#include "proto/component_text.hpp"

using namespace slipway;

namespace {

using Instant = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

constexpr WallTime k_wall{Seconds(1'800'000'000)};

// A unit whose process comes and goes, and the watcher with a clock of its own.
struct Looper {
  UnitStatus status;
  RestartBackoff backoff;
  std::chrono::seconds passed{0};
  int runs = 0;

  std::chrono::seconds look() {
    return backoff.observe(status, Instant(1000000s + passed), k_wall + passed);
  }
  std::chrono::seconds run() {
    status.active = UnitActivity::active;
    status.sub_state = "running";
    status.invocation = "run" + std::to_string(++runs);
    status.started = k_wall + passed;
    return look();
  }
  std::chrono::seconds end() {
    status.active = UnitActivity::activating;
    status.sub_state = "auto-restart";
    return look();
  }
  std::chrono::seconds come_back() {
    ++status.restarts;
    return run();
  }
  std::chrono::seconds crash_at_once() {
    const auto pause = end();
    passed += pause;
    come_back();
    return pause;
  }
};

}  // namespace

TEST_CASE("the first ends are answered at once, the next with pauses that double up to five minutes", "[supervision]") {
  Looper unit;
  CHECK(unit.run() == 0s);
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 14; ++i) pauses.push_back(unit.crash_at_once().count());
  CHECK(pauses == std::vector<std::int64_t>{0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300});
}

TEST_CASE("a stable run ends the pauses, a shorter one does not", "[supervision]") {
  Looper unit;
  unit.run();
  for (int i = 0; i < 6; ++i) unit.crash_at_once();
  unit.passed += 119s;
  CHECK(unit.look() == 8s);
  CHECK(unit.end() == 16s);
  unit.come_back();
  unit.passed += 121s;
  CHECK(unit.look() == 0s);
  CHECK(unit.end() == 0s);
}

TEST_CASE("a stable run counts also when its end is the first that is seen of it", "[supervision]") {
  Looper unit;
  unit.run();
  for (int i = 0; i < 6; ++i) unit.crash_at_once();
  unit.passed += 1h;
  CHECK(unit.end() == 0s);
}

TEST_CASE("ends that nobody saw singly count as many as they were", "[supervision]") {
  Looper unit;
  unit.run();
  unit.status.restarts = 4;
  CHECK(unit.run() == 2s);
}

TEST_CASE("a watcher that begins in the middle of trouble does not begin with short pauses", "[supervision]") {
  Looper unit;
  unit.status.restarts = 50;
  CHECK(unit.end() == 4s);
  Looper well;
  well.status.restarts = 50;
  well.status.active = UnitActivity::active;
  well.status.started = k_wall - 1h;
  CHECK(well.look() == 0s);
  Looper fresh;
  fresh.status.restarts = 50;
  fresh.status.active = UnitActivity::active;
  fresh.status.started = k_wall - 10s;
  CHECK(fresh.look() == 4s);
}

TEST_CASE("who starts a unit by hand begins anew", "[supervision]") {
  Looper unit;
  unit.run();
  for (int i = 0; i < 8; ++i) unit.crash_at_once();
  unit.status.restarts = 0;
  CHECK(unit.run() == 0s);
  CHECK(unit.end() == 0s);
}

TEST_CASE("a crash loop stays one while the pauses are longer than its window", "[supervision]") {
  CrashWatch watch;
  UnitStatus status;
  status.exit_kind = ExitKind::exited;
  status.exit_status = 1;
  status.active = UnitActivity::active;
  CHECK_FALSE(watch.observe(status, Instant(0s)));
  status.restarts = 3;
  CHECK(watch.observe(status, Instant(1s)));
  for (int i = 1; i <= 10; ++i) {
    status.restarts = 3 + static_cast<std::uint32_t>(i);
    status.active = UnitActivity::activating;
    const auto loop = watch.observe(status, Instant(std::chrono::seconds(i * 300)));
    REQUIRE(loop);
    CHECK(loop->restarts == status.restarts);
  }
  status.active = UnitActivity::active;
  CHECK(watch.observe(status, Instant(3010s)));
  CHECK_FALSE(watch.observe(status, Instant(3200s)));
}

TEST_CASE("an end has one word for programs", "[supervision]") {
  UnitStatus status;
  CHECK(exit_reason(status).empty());
  CHECK(exit_signal(status).empty());
  status.exit_kind = ExitKind::exited;
  CHECK(exit_reason(status) == "exited");
  status.exit_kind = ExitKind::killed;
  status.exit_status = 9;
  CHECK(exit_reason(status) == "signal");
  CHECK(exit_signal(status) == "SIGKILL");
  status.exit_kind = ExitKind::dumped;
  CHECK(exit_reason(status) == "core-dump");
  status.result = "oom-kill";
  CHECK(exit_reason(status) == "oom-kill");
  status.result = "start-limit-hit";
  CHECK(exit_reason(status) == "start-limit");
}

TEST_CASE("systemd's news of an end is kept for when it has forgotten it", "[supervision]") {
  using systemd::BusValue;
  const auto entry = [](const char* key, auto value) {
    BusValue name, data, pair;
    name.data = std::string(key);
    data.data = value;
    pair.data = BusValue::List{name, data};
    return pair;
  };
  BusValue news;
  news.data = BusValue::List{entry("MainPID", std::uint64_t{7})};
  CHECK_FALSE(unit_end_from(news));
  news.data = BusValue::List{entry("ExecMainCode", std::int64_t{2}), entry("ExecMainStatus", std::int64_t{9}),
                             entry("Result", std::string("oom-kill")), entry("ExecMainExitTimestamp", std::uint64_t{5'000'000})};
  const auto end = unit_end_from(news);
  REQUIRE(end);
  UnitStatus status;
  status.result = "success";
  put_end(status, *end);
  CHECK(describe_exit(status) == "killed by the kernel: out of memory");
  CHECK(status.ended == WallTime(Seconds(5)));
  CHECK(end_of(status).status == 9);
}

TEST_CASE("a unit held back starts at once when what it starts with changed", "[supervision]") {
  SeenUnit seen;
  seen.status.load = UnitLoad::loaded;
  seen.status.active = UnitActivity::activating;
  seen.status.sub_state = "auto-restart";
  CHECK(plan_unit({"x.service", "a", false}, seen).action == UnitAction::none);
  CHECK(plan_unit({"x.service", "a", true}, seen).action == UnitAction::start);
  seen.status.sub_state = "start";
  CHECK(plan_unit({"x.service", "a", true}, seen).action == UnitAction::none);
}

TEST_CASE("a record of a run is read back, and nothing else is", "[supervision]") {
  RunRecord record;
  record.pid = 4711;
  record.start_time = 123456789;
  record.invocation = "00112233445566778899aabbccddeeff";
  record.restarts = 3;
  record.started = 1'800'000'000;
  record.pause_seconds = 8;
  const auto read = parse_run_record(to_text(record));
  REQUIRE(read);
  CHECK(*read == record);
  for (const char* text : {"", "pid=1", "pid=1\nstartTime=2\ninvocation=zz\nrestarts=0\nstarted=0\npause=0\n"}) CHECK_FALSE(parse_run_record(text));
  std::string negative = to_text(record);
  negative.replace(negative.find("4711"), 4, "-711");
  CHECK_FALSE(parse_run_record(negative));
}

TEST_CASE("a process is the recorded one by number, start and mark together", "[supervision]") {
  RunRecord record;
  record.pid = 42;
  record.start_time = 777;
  record.invocation = "00112233445566778899aabbccddeeff";
  const std::string stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1 18446744073709551615 0";
  using namespace std::string_literals;
  const std::string environment = "PATH=/bin\0INVOCATION_ID=00112233445566778899aabbccddeeff\0"s;
  CHECK(is_recorded(record, stat, environment));
  CHECK_FALSE(is_recorded(record, stat, "PATH=/bin\0"s));
  CHECK_FALSE(is_recorded(record, stat, "X_INVOCATION_ID=00112233445566778899aabbccddeeff\0"s));
  CHECK_FALSE(is_recorded(record, "", environment));
  std::string zombie = stat;
  zombie.replace(zombie.find(") S"), 3, ") Z");
  CHECK_FALSE(is_recorded(record, zombie, environment));
  record.start_time = 778;
  CHECK_FALSE(is_recorded(record, stat, environment));
}

TEST_CASE("units start after those they name, and those that name them", "[supervision]") {
  const auto unit = [](const char* name, std::vector<std::string> after, std::vector<std::string> before) {
    UnitSpec spec;
    spec.name = name;
    spec.after = std::move(after);
    spec.before = std::move(before);
    return spec;
  };
  const auto order = [](std::vector<UnitSpec> units) {
    std::string out;
    for (const UnitSpec& spec : in_start_order(std::move(units))) out += spec.name + " ";
    return out;
  };
  CHECK(order({unit("a", {"c", "elsewhere"}, {}), unit("b", {}, {"c"}), unit("c", {}, {}), unit("d", {}, {})}) == "b c a d ");
  CHECK(order({unit("a", {"b"}, {}), unit("b", {"a"}, {})}) == "a b ");
  CHECK(order({unit("a", {"a"}, {})}) == "a ");
  CHECK(order({}).empty());
}

TEST_CASE("lines of logs are cut and cleaned", "[supervision]") {
  CHECK(clean_log_line("plain caf\xc3\xa9 \xf0\x9f\x9a\xa2") == "plain caf\xc3\xa9 \xf0\x9f\x9a\xa2");
  CHECK(clean_log_line("a\tb\x1b[0m\x7f\xff\xc3") == "a b\\x1b[0m\\x7f\\xff\\xc3");
  CHECK(clean_log_line("\xc0\xaf\xed\xa0\x80\xc2\x9b") == "\\xc0\\xaf\\xed\\xa0\\x80\\xc2\\x9b");
  CHECK(clean_log_line(std::string(300, 'x')) == std::string(300, 'x'));
  CHECK(clean_log_line(std::string(301, 'x')) == std::string(297, 'x') + "...");
  for (std::size_t size = 250; size < 310; ++size) CHECK(clean_log_line(std::string(size, '\x1b')).size() <= k_log_line_bytes);
  CHECK(last_log_lines("ut\na\r\n\n  \nb", true) == std::vector<std::string>{"a", "b"});
  CHECK(last_log_lines("", false).empty());
}

TEST_CASE("the reason of a Go program is not buried under the stacks of its goroutines", "[supervision]") {
  std::string stacks;
  for (int i = 0; i < 40; ++i)
    stacks += "goroutine " + std::to_string(i) + " [select, 3 minutes]:\nmain.wait(0x0?, {0x46, 0xc0})\n\t/go/src/wait.go:167 +0x135\n"
              "created by main.init.0\n\t/go/src/worker.go:32 +0x85\n\n";
  const std::string text = "Flags:\n  --v int\nF1129 12:28:11.1 1 server.go:157] unknown flag: --no-such-flag\n" + stacks;
  CHECK(last_log_lines(text, false) ==
        std::vector<std::string>{"Flags:", "  --v int", "F1129 12:28:11.1 1 server.go:157] unknown flag: --no-such-flag"});
  // What is said in between or after them stays, and what only looks like one.
  CHECK(last_log_lines(stacks + "exit status 2\ngoroutine pool is full\n\tat a.go", false) ==
        std::vector<std::string>{"exit status 2", "goroutine pool is full", " at a.go"});
  // Nothing else is better than nothing.
  CHECK(last_log_lines(stacks, true).size() == k_log_lines);
}

TEST_CASE("cgroup hierarchies are found in both versions, and read-only ones are none", "[supervision]") {
  const CgroupMounts v2 = cgroup_mounts("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n");
  CHECK(v2 == CgroupMounts{"/sys/fs/cgroup", "/sys/fs/cgroup", "/sys/fs/cgroup"});
  const CgroupMounts v1 = cgroup_mounts(
      "cgroup /c/cpu cgroup rw,cpu 0 0\ncgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/pids cgroup rw,pids 0 0\n"
      "cgroup /c/systemd cgroup rw,name=systemd 0 0\n");
  CHECK(v1 == CgroupMounts{"/c/systemd", "/c/pids", "/c/memory"});
  CHECK(cgroup_mounts("cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0\n") == CgroupMounts{});
  CHECK(counter_in("low 0\noom 3\noom_kill 2\n", "oom_kill") == 2);
  CHECK_FALSE(counter_in("oom 3\n", "oom_kill"));
}

TEST_CASE("processes of pods are known by their cgroup", "[supervision]") {
  CHECK(in_pod("0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podX.slice/docker-00ff.scope\n"));
  CHECK(in_pod("9:pids:/kubepods/burstable/podX/00ff\n0::/\n"));
  CHECK(in_pod("4:memory:/docker/00ff\n"));
  CHECK(in_pod("0::/system.slice/docker-00ff.scope\n"));
  CHECK(in_pod("0::/system.slice/cri-containerd-00ff.scope\n"));
  CHECK_FALSE(in_pod("0::/system.slice/docker.service\n"));
  CHECK_FALSE(in_pod("0::/system.slice/containerd.service\n"));
  CHECK_FALSE(in_pod("0::/user.slice/session-1.scope\n"));
  CHECK_FALSE(in_pod("0::/slipway/docker.service\n"));
  CHECK_FALSE(in_pod("0::/\n"));
  CHECK_FALSE(in_pod(""));
}

TEST_CASE("what became of a component is told in words", "[supervision]") {
  proto::ComponentStatus kubelet;
  kubelet.name = "kubelet";
  kubelet.state = "crash-loop";
  kubelet.starts = 5;
  kubelet.pause_seconds = 8;
  kubelet.ends = {{to_rfc3339(k_wall - 12s), "exited", 255, "", {"cannot load", "exiting"}}};
  const std::vector<std::string> lines = proto::component_ends({kubelet}, k_wall);
  CHECK(lines == std::vector<std::string>{"kubelet: exited with code 255 12s ago, started 5 times, waits 8s before each start", "  | cannot load",
                                          "  | exiting"});
  kubelet.state = "running";
  CHECK(proto::component_ends({kubelet}, k_wall).size() == 1);
  kubelet.ends.clear();
  CHECK(proto::component_ends({kubelet}, k_wall).empty());
  CHECK(proto::end_text({"", "oom-kill", {}, "SIGKILL", {}}) == "killed by the kernel: out of memory");
  CHECK(proto::end_text({"", "core-dump", {}, "SIGABRT", {}}) == "killed by SIGABRT, core dumped");
  CHECK(proto::end_text({"", "", {}, "", {}}) == "ended");
}
