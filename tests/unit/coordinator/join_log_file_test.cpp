#include "coordinator/service/join_log_file.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/async/runtime.hpp"
#include "common/files/atomic_file.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {
namespace {

proto::JoinAttempt refused(const std::string& node) {
  proto::JoinAttempt attempt;
  attempt.time = "2026-11-29T06:00:00Z";
  attempt.node_name = node;
  attempt.address = "10.77.0.21";
  attempt.stage = "token";
  attempt.reason = "the token has expired";
  attempt.cure = "slipwayctl token create";
  return attempt;
}

struct Rig {
  TempDir dir;
  ManualClock clock;
  IoTest io;
  Workers workers{1};
  JoinLog log{3};
  std::string path = dir / "joins.json";

  JoinLogFileDeps deps() { return {log, workers, clock, path, Millis(5000)}; }
};

}  // namespace

TEST_CASE("join attempts outlive the coordinator's process") {
  Rig rig;
  Cancelable<void> keeping(rig.io, keep_join_log(rig.deps()));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  for (const char* node : {"web-1", "web-2", "web-3", "web-4"}) rig.log.note(refused(node));
  REQUIRE_FALSE(std::filesystem::exists(rig.path));
  // A stop in good order writes what the last seconds brought.
  CHECK_FALSE(keeping.cancel());
  JoinLog after(3);
  REQUIRE(load_join_log(after, rig.path));
  const proto::JoinAttemptList list = after.list();
  REQUIRE(list.items.size() == 3);
  CHECK(list.items[0].node_name == "web-4");
  CHECK(list.items[2].node_name == "web-2");
  CHECK(list.items[0].cure == "slipwayctl token create");
}

TEST_CASE("a flood of refused joins writes the list once each five seconds") {
  Rig rig;
  Cancelable<void> keeping(rig.io, keep_join_log(rig.deps()));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  for (int i = 0; i < 500; ++i) rig.log.note(refused("web-" + std::to_string(i)));
  rig.io.poll();
  REQUIRE_FALSE(std::filesystem::exists(rig.path));
  rig.clock.advance(Millis(5000));
  poll_until(rig.io, [&] { return std::filesystem::exists(rig.path) && rig.clock.sleeper_count() == 1; });
  JoinLog there(3);
  REQUIRE(load_join_log(there, rig.path));
  CHECK(there.list().items.size() == 3);
  // Nothing new: the file is left alone.
  std::filesystem::remove(rig.path);
  rig.clock.advance(Millis(5000));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  CHECK_FALSE(keeping.cancel());
  CHECK_FALSE(std::filesystem::exists(rig.path));
}

TEST_CASE("a stop that meets the end of a write still writes what came meanwhile") {
  Rig rig;
  Cancelable<void> keeping(rig.io, keep_join_log(rig.deps()));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  rig.log.note(refused("web-1"));
  rig.clock.advance(Millis(5000));
  rig.io.poll();
  rig.workers.join();  // written, and the news of it not heard yet
  REQUIRE(std::filesystem::exists(rig.path));
  rig.log.note(refused("web-2"));
  CHECK_FALSE(keeping.cancel());
  JoinLog there(3);
  REQUIRE(load_join_log(there, rig.path));
  CHECK(there.list().items.size() == 2);
}

TEST_CASE("a list of join attempts that is not there, or broken, keeps nobody from starting") {
  Rig rig;
  REQUIRE(load_join_log(rig.log, rig.path));
  REQUIRE(write_file_atomically(rig.path, "{\"items\": [{\"time\":", 0600));
  const Status loaded = load_join_log(rig.log, rig.path);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.find(rig.path) != std::string::npos);
  CHECK(rig.log.list().items.empty());
}

TEST_CASE("a disk that refuses the list of join attempts stops nothing") {
  Rig rig;
  rig.path = rig.dir / "missing/joins.json";
  Cancelable<void> keeping(rig.io, keep_join_log(rig.deps()));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  rig.log.note(refused("web-1"));
  rig.clock.advance(Millis(5000));
  poll_until(rig.io, [&] { return rig.clock.sleeper_count() == 1; });
  REQUIRE_FALSE(keeping.ended());
  std::filesystem::create_directory(rig.dir / "missing");
  rig.clock.advance(Millis(5000));
  poll_until(rig.io, [&] { return std::filesystem::exists(rig.path); });
  CHECK_FALSE(keeping.cancel());
}

}  // namespace slipway::test
