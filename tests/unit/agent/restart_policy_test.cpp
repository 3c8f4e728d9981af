#include "agent/domain/restart_policy.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

using Instant = std::chrono::steady_clock::time_point;

Instant at(int seconds) {
  return Instant(std::chrono::seconds(seconds));
}

UnitStatus after_restarts(std::uint32_t restarts, UnitActivity active = UnitActivity::active) {
  UnitStatus status;
  status.active = active;
  status.restarts = restarts;
  status.exit_kind = ExitKind::exited;
  status.exit_status = 1;
  status.result = "exit-code";
  return status;
}

}  // namespace

TEST_CASE("the end of a process is told in words", "[restart_policy]") {
  UnitStatus status;
  CHECK(describe_exit(status).empty());
  status.exit_kind = ExitKind::exited;
  status.exit_status = 2;
  CHECK(describe_exit(status) == "exited with code 2");
  status.exit_status = 203;
  CHECK(describe_exit(status) == "exited with code 203 (the program could not be executed)");
  status.exit_kind = ExitKind::killed;
  status.exit_status = 9;
  CHECK(describe_exit(status) == "killed by signal 9 (SIGKILL)");
  status.exit_kind = ExitKind::dumped;
  status.exit_status = 6;
  CHECK(describe_exit(status) == "killed by signal 6 (SIGABRT), core dumped");
  status.result = "oom-kill";
  CHECK(describe_exit(status) == "killed by the kernel: out of memory");
}

TEST_CASE("three restarts within the window are a crash loop", "[restart_policy]") {
  CrashWatch watch;
  CHECK_FALSE(watch.observe(after_restarts(0), at(0)));
  CHECK_FALSE(watch.observe(after_restarts(1), at(10)));
  CHECK_FALSE(watch.observe(after_restarts(2), at(20)));
  const auto loop = watch.observe(after_restarts(3), at(30));
  REQUIRE(loop);
  CHECK(loop->restarts == 3);
  CHECK(loop->reason == "exited with code 1");
  // It lasts while the process comes and goes, and ends when it has stayed up.
  CHECK(watch.observe(after_restarts(3), at(100)));
  CHECK_FALSE(watch.observe(after_restarts(3), at(151)));
}

TEST_CASE("restarts before the first look and slow ones do not count", "[restart_policy]") {
  CrashWatch watch;
  CHECK_FALSE(watch.observe(after_restarts(200), at(0)));
  for (int i = 1; i <= 10; ++i) {
    CAPTURE(i);
    CHECK_FALSE(watch.observe(after_restarts(200 + static_cast<std::uint32_t>(i), UnitActivity::activating),
                              at(i * 400)));
  }
}

TEST_CASE("a start by hand sets the count back without a loop", "[restart_policy]") {
  CrashWatch watch;
  CHECK_FALSE(watch.observe(after_restarts(2), at(0)));
  CHECK_FALSE(watch.observe(after_restarts(0), at(1)));
  CHECK_FALSE(watch.observe(after_restarts(2), at(2)));
  CHECK(watch.observe(after_restarts(5), at(3)));
}

TEST_CASE("a unit that systemd gave up on is a crash loop at once", "[restart_policy]") {
  CrashWatch watch;
  UnitStatus status = after_restarts(5, UnitActivity::failed);
  status.result = "start-limit-hit";
  const auto loop = watch.observe(status, at(0));
  REQUIRE(loop);
  CHECK(loop->restarts == 5);
}
