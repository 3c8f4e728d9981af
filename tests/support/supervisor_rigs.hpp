#pragma once
// Supervisors to run the same tests against: the fake, systemd's adapter with a stand-in for systemd, the real systemd of the
// host, and our own.
#include <signal.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "agent/domain/unit_spec.hpp"
#include "agent/process/child_cgroup.hpp"
#include "agent/process/direct_supervisor.hpp"
#include "agent/process/systemd_supervisor.hpp"
#include "tests/support/fake_supervisor.hpp"
#include "tests/support/fake_systemd.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

inline constexpr char k_good[] = "slipway-test-good.service";
inline constexpr char k_bad[] = "slipway-test-bad.service";  // exits with 3
inline constexpr char k_missing[] = "slipway-test-missing.service";

// Units for supervisors that run real processes.
inline UnitSpec good_unit() {
  UnitSpec good;
  good.name = k_good;
  good.description = "100% \"test\" of $HOME; sleeps";
  good.exec = {"/bin/sh", "-c", "test \"$1\" = '50% of $HOME; \"x\"' && exec sleep 1000", "sh", "50% of $HOME; \"x\""};
  good.restart.delay = std::chrono::milliseconds(50);
  return good;
}
inline UnitSpec bad_unit(const std::string& script) {
  UnitSpec bad;
  bad.name = k_bad;
  bad.description = "test";
  bad.type = UnitType::oneshot;
  bad.restart.when = RestartWhen::never;
  bad.exec = {"/bin/sh", "-c", script};
  return bad;
}
inline void write_unit(const std::string& path, const UnitSpec& spec) {
  const auto text = render(spec);
  if (!text) throw std::runtime_error(text.error().message);
  std::ofstream(path) << *text;
}

struct Rig {
  virtual ~Rig() = default;
  virtual ProcessSupervisor& supervisor() = 0;
  virtual void install_units() = 0;
  virtual void mend_bad() = 0;
  // The main process ends by SIGKILL and the supervisor starts it again.
  virtual void kill_good(std::int32_t pid) = 0;
  virtual std::string unit_path(const std::string& name) { return "/etc/systemd/system/" + name; }
  IoTest io;
};

struct FakeRig final : Rig {
  FakeSupervisor fake;
  ProcessSupervisor& supervisor() override { return fake; }
  void install_units() override {
    fake.install(k_good);
    fake.install(k_bad, {3});
  }
  void mend_bad() override { fake.install(k_bad); }
  void kill_good(std::int32_t) override { fake.crash(k_good, ExitKind::killed, SIGKILL); }
};

struct ProtocolRig final : Rig {
  PrivateBus bus;
  std::unique_ptr<FakeSystemd> systemd = std::make_unique<FakeSystemd>(bus.address());
  TempDir run_dir;
  SystemdOptions options() const {
    SystemdOptions options;
    options.bus_address = bus.address();
    options.run_dir = run_dir.path();
    return options;
  }
  ProtocolRig() { systemd->run_dir = run_dir.path(); }
  SystemdSupervisor adapter{io.executor(), options()};

  ProcessSupervisor& supervisor() override { return adapter; }
  void install_units() override {
    systemd->install(k_good, {});
    mend_or_break(3);
  }
  void mend_bad() override { mend_or_break(0); }
  void mend_or_break(int fails_with) {
    FakeSystemd::Unit unit;
    unit.fails_with = fails_with;
    systemd->install(k_bad, unit);
  }
  void kill_good(std::int32_t) override { systemd->crash(k_good, 2, SIGKILL); }
};

struct RealRig final : Rig {
  SystemdSupervisor adapter{io.executor()};

  ~RealRig() override {
    for (const char* name : {k_good, k_bad}) {
      (void)io.run(adapter.stop(name));
      (void)io.run(adapter.disable({name}));
      ::unlink(path(name).c_str());
    }
    (void)io.run(adapter.reload());
  }
  static std::string path(const std::string& name) { return "/etc/systemd/system/" + name; }
  void install_units() override {
    write_unit(path(k_good), good_unit());
    write_unit(path(k_bad), bad_unit("exit 3"));
  }
  void mend_bad() override { write_unit(path(k_bad), bad_unit("exit 0")); }
  ProcessSupervisor& supervisor() override { return adapter; }
  void kill_good(std::int32_t pid) override {
    if (pid > 0) ::kill(pid, SIGKILL);  // 0 would be the test itself
  }
};

struct DirectRig final : Rig {
  TempDir dir;
  std::string group = "slipway-test-" + std::to_string(::getpid());  // also in processes that a test forks
  std::unique_ptr<DirectSupervisor> direct;

  DirectRig() { open(); }
  ~DirectRig() override {
    for (const std::string& name : installed) (void)io.run(direct->stop(name));
    direct.reset();
    io.poll();
    ChildCgroups(options().cgroup).remove("");
  }
  DirectOptions options() const {
    DirectOptions options;
    options.unit_dir = dir.path();
    options.enabled_dir = dir / "enabled";
    options.run_dir = dir / "run";
    options.log_dir = dir / "log";
    options.cgroup = group;
    return options;
  }
  // Anew, as after a restart of the agent.
  void open() {
    direct.reset();
    io.poll();
    auto opened = DirectSupervisor::open(io.executor(), options());
    if (!opened) throw std::runtime_error(opened.error().message);
    direct = std::move(*opened);
  }
  void install(const UnitSpec& spec) {
    write_unit(unit_path(spec.name), spec);
    installed.insert(spec.name);
  }
  ProcessSupervisor& supervisor() override { return *direct; }
  std::string unit_path(const std::string& name) override { return dir / name; }
  void install_units() override {
    install(good_unit());
    install(bad_unit("exit 3"));
  }
  void mend_bad() override { install(bad_unit("exit 0")); }
  void kill_good(std::int32_t pid) override {
    if (pid > 0) ::kill(pid, SIGKILL);  // 0 would be the test itself
  }
  std::set<std::string> installed;
};

inline UnitStatus status_of(Rig& rig, const std::string& name) {
  auto status = rig.io.run(rig.supervisor().status(name));
  if (!status) throw std::runtime_error(status.error().message);
  return *status;
}

inline void must(const Status& status) {
  if (!status) FAIL(status.error().message);
}

inline boost::asio::awaitable<void> nap() {
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer(executor, std::chrono::milliseconds(20));
  co_await timer.async_wait(boost::asio::use_awaitable);
}

// Looks again until the status is as `wanted`, at most ten seconds; the last one.
inline UnitStatus status_when(Rig& rig, const std::string& name, const std::function<bool(const UnitStatus&)>& wanted) {
  UnitStatus status = status_of(rig, name);
  for (int i = 0; i < 500 && !wanted(status); ++i) {
    rig.io.run(nap());
    status = status_of(rig, name);
  }
  return status;
}

}  // namespace slipway::test
