// The ProcessSupervisor port: the same cases against the fake, against our own supervisor with real processes, against the
// systemd adapter speaking to a stand-in service on a private bus, and, with SLIPWAY_TEST_SYSTEMD=1 as root on a host that runs systemd,
// against the real manager.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "agent/process/unit_properties.hpp"
#include "tests/support/supervisor_rigs.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

void for_each_rig(const std::function<void(Rig&)>& run) {
  SECTION("fake") {
    FakeRig rig;
    run(rig);
  }
  SECTION("our own, with real processes") {
    DirectRig rig;
    run(rig);
  }
  SECTION("systemd adapter on a private bus") {
    if (!PrivateBus::available()) {
      WARN("SKIPPED: no /usr/bin/dbus-daemon");
      return;
    }
    ProtocolRig rig;
    run(rig);
  }
  SECTION("systemd of this host") {
    const char* wanted = std::getenv("SLIPWAY_TEST_SYSTEMD");
    if (wanted == nullptr || std::string(wanted) != "1") {
      WARN(
          "SKIPPED: the real systemd is asked only with SLIPWAY_TEST_SYSTEMD=1, as root on a host that runs "
          "it");
      return;
    }
    RealRig rig;
    run(rig);
  }
}

}  // namespace

TEST_CASE("supervisor contract: a unit that is not there", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    const UnitStatus status = status_of(rig, k_missing);
    CHECK(status.name == k_missing);
    CHECK(status.load == UnitLoad::not_found);
    CHECK_FALSE(status.running());
    CHECK(rig.io.run(rig.supervisor().start(k_missing)).error().code == Errc::not_found);
    CHECK(rig.io.run(rig.supervisor().restart(k_missing)).error().code == Errc::not_found);
    const Status enabled = rig.io.run(rig.supervisor().enable({k_missing}));
    REQUIRE_FALSE(enabled);
    INFO(enabled.error().message);
    CHECK(enabled.error().code == Errc::not_found);
    CHECK(rig.io.run(rig.supervisor().stop(k_missing)));
    CHECK(rig.io.run(rig.supervisor().disable({k_missing})));
  });
}

TEST_CASE("supervisor contract: start, restart and stop", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    CHECK(status_of(rig, k_good).load == UnitLoad::loaded);
    CHECK_FALSE(status_of(rig, k_good).running());

    must(rig.io.run(rig.supervisor().start(k_good)));
    const UnitStatus first = status_of(rig, k_good);
    CHECK(first.running());
    CHECK(first.sub_state == "running");
    CHECK(first.main_pid > 0);
    CHECK(first.restarts == 0);
    CHECK(first.started);
    CHECK_FALSE(first.invocation.empty());
    CHECK(first.unit_file == rig.unit_path(k_good));

    must(rig.io.run(rig.supervisor().start(k_good)));  // runs already: nothing changes
    CHECK(status_of(rig, k_good).invocation == first.invocation);
    must(rig.io.run(rig.supervisor().restart(k_good)));
    CHECK(status_of(rig, k_good).invocation != first.invocation);
    CHECK(status_of(rig, k_good).main_pid != first.main_pid);

    must(rig.io.run(rig.supervisor().stop(k_good)));
    CHECK(status_of(rig, k_good).active == UnitActivity::inactive);
    CHECK(status_of(rig, k_good).main_pid == 0);
    must(rig.io.run(rig.supervisor().stop(k_good)));
  });
}

TEST_CASE("supervisor contract: a unit that fails says why, and may be started again",
          "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    const Status started = rig.io.run(rig.supervisor().start(k_bad));
    REQUIRE_FALSE(started);
    CHECK(started.error().code == Errc::internal);
    CHECK(started.error().message.find("exited with code 3") != std::string::npos);
    const UnitStatus status = status_of(rig, k_bad);
    CHECK(status.active == UnitActivity::failed);
    CHECK(status.exit_kind == ExitKind::exited);
    CHECK(status.exit_status == 3);
    CHECK(status.result == "exit-code");
    rig.mend_bad();
    must(rig.io.run(rig.supervisor().reload()));
    must(rig.io.run(rig.supervisor().start(k_bad)));
    CHECK(status_of(rig, k_bad).active != UnitActivity::failed);
  });
}

TEST_CASE("supervisor contract: enabling and disabling", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    CHECK_FALSE(status_of(rig, k_good).enabled);
    for (int i = 0; i < 2; ++i) {
      must(rig.io.run(rig.supervisor().enable({k_good})));
      CHECK(status_of(rig, k_good).enabled);
    }
    for (int i = 0; i < 2; ++i) {
      must(rig.io.run(rig.supervisor().disable({k_good})));
      CHECK_FALSE(status_of(rig, k_good).enabled);
    }
  });
}

TEST_CASE("supervisor contract: a killed process comes back and is counted", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    must(rig.io.run(rig.supervisor().start(k_good)));
    const UnitStatus before = status_of(rig, k_good);
    rig.kill_good(before.main_pid);
    const UnitStatus after =
        status_when(rig, k_good, [](const UnitStatus& status) { return status.restarts > 0 && status.running(); });
    CHECK(after.running());
    CHECK(after.restarts == 1);
    CHECK(after.main_pid != before.main_pid);
    // Also now that it runs again.
    CHECK(after.exit_kind == ExitKind::killed);
    CHECK(after.exit_status == SIGKILL);
    CHECK(after.result == "signal");
    must(rig.io.run(rig.supervisor().start(k_good)));
  });
}

TEST_CASE("supervisor contract: an end is news at once", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    must(rig.io.run(rig.supervisor().start(k_good)));
    const UnitStatus before = status_of(rig, k_good);
    auto news = rig.io.start(rig.supervisor().changed());
    for (int quiet = 0; quiet < 3; ++quiet) {
      rig.io.run(nap());
      if (!news->done) continue;
      news = rig.io.start(rig.supervisor().changed());  // that was about the start
      quiet = 0;
    }
    rig.kill_good(before.main_pid);
    for (int i = 0; i < 500 && !news->done; ++i) rig.io.run(nap());
    REQUIRE(news->done);
    REQUIRE(*news->value);
    CHECK(**news->value == std::vector<std::string>{k_good});
  });
}

TEST_CASE("supervisor contract: a pause holds the next start back until it is taken away", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    must(rig.io.run(rig.supervisor().start(k_good)));
    const UnitStatus before = status_of(rig, k_good);
    for (int i = 0; i < 2; ++i) must(rig.io.run(rig.supervisor().set_pause(k_good, std::chrono::hours(1))));
    CHECK(status_of(rig, k_good).invocation == before.invocation);  // who runs is left alone
    rig.kill_good(before.main_pid);
    const UnitStatus held = status_when(rig, k_good, [](const UnitStatus& status) { return status.waiting(); });
    CHECK(held.waiting());
    CHECK(held.main_pid == 0);
    for (int i = 0; i < 5; ++i) rig.io.run(nap());  // longer than the unit's own pause
    CHECK(status_of(rig, k_good).waiting());
    must(rig.io.run(rig.supervisor().set_pause(k_good, std::chrono::seconds(0))));
    const UnitStatus after = status_when(rig, k_good, [](const UnitStatus& status) { return status.running(); });
    CHECK(after.running());
    CHECK(after.restarts == 1);
  });
}

TEST_CASE("of a pause that is taken away nothing is left, and what others have beside it stays", "[supervisor][contract]") {
  if (!PrivateBus::available()) {
    WARN("SKIPPED: no /usr/bin/dbus-daemon");
    return;
  }
  ProtocolRig rig;
  rig.install_units();
  const std::string dir = rig.run_dir.path() + "/" + std::string(k_good) + ".d";
  must(rig.io.run(rig.adapter.set_pause(k_good, std::chrono::hours(1))));
  CHECK(::access((dir + "/50-slipway-backoff.conf").c_str(), F_OK) == 0);
  must(rig.io.run(rig.adapter.set_pause(k_good, std::chrono::seconds(0))));
  CHECK(::access(dir.c_str(), F_OK) != 0);
  must(rig.io.run(rig.adapter.set_pause(k_good, std::chrono::hours(1))));
  std::ofstream(dir + "/override.conf") << "[Service]\n";
  must(rig.io.run(rig.adapter.set_pause(k_good, std::chrono::seconds(0))));
  CHECK(::access((dir + "/override.conf").c_str(), F_OK) == 0);
  CHECK(::access((dir + "/50-slipway-backoff.conf").c_str(), F_OK) != 0);
}

TEST_CASE("supervisor contract: who waits for a restart can be started at once, or stopped", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    must(rig.io.run(rig.supervisor().start(k_good)));
    must(rig.io.run(rig.supervisor().set_pause(k_good, std::chrono::hours(1))));
    rig.kill_good(status_of(rig, k_good).main_pid);
    CHECK(status_when(rig, k_good, [](const UnitStatus& status) { return status.waiting(); }).waiting());
    must(rig.io.run(rig.supervisor().start(k_good)));
    CHECK(status_of(rig, k_good).running());
    rig.kill_good(status_of(rig, k_good).main_pid);
    CHECK(status_when(rig, k_good, [](const UnitStatus& status) { return status.waiting(); }).waiting());
    must(rig.io.run(rig.supervisor().stop(k_good)));
    CHECK(status_of(rig, k_good).active == UnitActivity::inactive);
    must(rig.io.run(rig.supervisor().set_pause(k_good, std::chrono::seconds(0))));
  });
}

TEST_CASE("supervisor contract: many at once", "[supervisor][contract]") {
  for_each_rig([](Rig& rig) {
    rig.install_units();
    must(rig.io.run(rig.supervisor().reload()));
    std::vector<std::shared_ptr<IoTest::Outcome<Status>>> waiting;
    for (int i = 0; i < 20; ++i) waiting.push_back(rig.io.start(rig.supervisor().start(k_good)));
    must(rig.io.run(rig.supervisor().start(k_good)));
    for (int i = 0; i < 200; ++i) {
      if (std::all_of(waiting.begin(), waiting.end(), [](const auto& one) { return one->done; })) break;
      rig.io.run(nap());
    }
    for (const auto& one : waiting) {
      REQUIRE(one->done);
      must(*one->value);
    }
    CHECK(status_of(rig, k_good).running());
  });
}

// Below: the adapter's own affairs with the bus.

TEST_CASE("systemd adapter: a job that never ends has a deadline", "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  ProtocolRig rig;
  FakeSystemd::Unit unit;
  unit.hangs = true;
  rig.systemd->install(k_good, unit);
  SystemdOptions options = rig.options();
  options.job_limit = Millis(50);
  SystemdSupervisor supervisor(rig.io.executor(), options);
  must(rig.io.run(supervisor.reload()));
  const Status started = rig.io.run(supervisor.start(k_good));
  REQUIRE_FALSE(started);
  CHECK(started.error().code == Errc::timeout);
}

TEST_CASE("systemd adapter: without a bus calls fail, and work once it is there", "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  ProtocolRig rig;
  rig.install_units();
  must(rig.io.run(rig.adapter.reload()));

  rig.bus.stop();
  rig.systemd.reset();
  // Some calls may still fail on the old connection, none may hang or succeed.
  for (int i = 0; i < 3; ++i) CHECK(rig.io.run(rig.adapter.reload()).error().code == Errc::unavailable);

  rig.bus.start();
  rig.systemd = std::make_unique<FakeSystemd>(rig.bus.address());
  rig.install_units();
  must(rig.io.run(rig.adapter.reload()));
  must(rig.io.run(rig.adapter.start(k_good)));
}

TEST_CASE("systemd adapter: a bus lost while a job runs ends the wait", "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  ProtocolRig rig;
  FakeSystemd::Unit unit;
  unit.hangs = true;
  rig.systemd->install(k_good, unit);
  must(rig.io.run(rig.adapter.reload()));
  const auto waiting = rig.io.start(rig.adapter.start(k_good));
  for (int i = 0; i < 4; ++i) must(rig.io.run(rig.adapter.reload()));  // the start has been asked for by now
  REQUIRE_FALSE(waiting->done);
  rig.bus.stop();
  for (int i = 0; i < 200 && !waiting->done; ++i) rig.io.run(nap());
  REQUIRE(waiting->done);
  CHECK(waiting->value->error().code == Errc::unavailable);
}

TEST_CASE("systemd adapter: nobody answers for systemd", "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  ProtocolRig rig;
  rig.systemd.reset();
  const auto status = rig.io.run(rig.adapter.status(k_good));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::unavailable);
}

TEST_CASE("systemd adapter: a cancelled wait leaves nothing behind", "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  ProtocolRig rig;
  FakeSystemd::Unit unit;
  unit.hangs = true;
  rig.systemd->install(k_good, unit);
  must(rig.io.run(rig.adapter.reload()));
  for (const int rounds : {0, 4}) {  // while the question is open, and while the job is
    boost::asio::cancellation_signal signal;
    std::optional<Status> ended;
    // Between two waits Asio throws instead; spawn() makes a cancellation of it, and so does this.
    const auto done = [&ended](std::exception_ptr thrown, Status status) {
      ended = thrown ? Status(make_error(Errc::canceled, "thrown")) : std::move(status);
      if (thrown) CHECK_THROWS_AS(std::rethrow_exception(thrown), boost::system::system_error);
    };
    boost::asio::co_spawn(rig.io.executor(), rig.adapter.start(k_good),
                          boost::asio::bind_cancellation_slot(signal.slot(), done));
    rig.io.poll();
    for (int i = 0; i < rounds; ++i) must(rig.io.run(rig.adapter.reload()));
    REQUIRE_FALSE(ended);
    signal.emit(boost::asio::cancellation_type::terminal);
    for (int i = 0; i < 200 && !ended; ++i) rig.io.run(nap());
    REQUIRE(ended);
    CHECK(ended->error().code == Errc::canceled);
    must(rig.io.run(rig.adapter.reload()));
  }
}

TEST_CASE("systemd adapter: a coroutine frame may be destroyed in the middle of a call",
          "[supervisor][bus]") {
  if (!PrivateBus::available()) return;
  PrivateBus bus;
  FakeSystemd systemd(bus.address());
  FakeSystemd::Unit unit;
  unit.hangs = true;
  systemd.install(k_good, unit);
  SystemdOptions options;
  options.bus_address = bus.address();
  IoTest io;
  {
    SystemdSupervisor supervisor(io.executor(), options);
    must(io.run(supervisor.reload()));
    (void)io.start(supervisor.start(k_good));
    for (int i = 0; i < 4; ++i) must(io.run(supervisor.reload()));
    (void)io.start(supervisor.status(k_good));
    io.poll();
  }
  // The supervisor is gone; the frames end with the context, without running on. The sanitizers judge.
}

TEST_CASE("unit properties of any kind become a status", "[supervisor]") {
  using systemd::BusValue;
  const BusValue nothing;
  const UnitStatus none = unit_status_from("a.service", nothing, nothing);
  CHECK(none.load == UnitLoad::not_found);
  CHECK(none.exit_kind == ExitKind::none);
  CHECK_FALSE(none.started);

  const auto entry = [](const char* key, auto value) {
    BusValue name, data, pair;
    name.data = std::string(key);
    data.data = value;
    pair.data = BusValue::List{name, data};
    return pair;
  };
  BusValue unit, service;
  unit.data = BusValue::List{entry("LoadState", std::string("masked")),
                             entry("ActiveState", std::string("activating")),
                             entry("UnitFileState", std::string("enabled-runtime"))};
  service.data = BusValue::List{entry("ExecMainCode", std::int64_t{3}), entry("MainPID", std::uint64_t{7}),
                                entry("NRestarts", std::string("not a number"))};
  const UnitStatus status = unit_status_from("a.service", unit, service);
  CHECK(status.load == UnitLoad::masked);
  CHECK(status.active == UnitActivity::activating);
  CHECK(status.enabled);
  CHECK(status.exit_kind == ExitKind::dumped);
  CHECK(status.main_pid == 7);
  CHECK(status.restarts == 0);
}
