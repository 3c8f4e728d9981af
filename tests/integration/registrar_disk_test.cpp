// The registrar over the real store on a disk that fails, or is full: what was answered is kept, and nothing is answered after.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "coordinator/service/registrar.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/private_tmpfs.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

using namespace test;

// One life of the coordinator's state over the store in `dir`.
struct Life {
  IoTest io;
  std::unique_ptr<SqliteStore> sqlite;
  std::unique_ptr<RecordStore> records;
  std::optional<Error> broken;  // why it did not start
  std::vector<Error> failures;
  std::unique_ptr<Registrar> registrar;
  Workers workers{1};  // ends first: its jobs use the store

  explicit Life(const std::string& dir, bool create) {
    auto opened = SqliteStore::open(dir + "/state.db", create);
    if (!opened) {
      broken = opened.error();
      return;
    }
    sqlite = std::move(*opened);
    records = std::make_unique<RecordStore>(*sqlite);
    auto state = records->load();
    if (!state) {
      broken = state.error();
      return;
    }
    registrar = std::make_unique<Registrar>(
        std::move(*state),
        Registrar::Deps{io.executor(), workers, *records, [this](const Error& error) { failures.push_back(error); }});
  }
  Result<Outcome> submit(Operation operation) { return io.run(registrar->submit(std::move(operation))); }
  Result<Outcome> join(int number) {
    const std::string name = "n" + std::to_string(number);
    const auto request = demo_request(name, 20 + number, "key of " + name, "many00");
    return submit(demo_admit(registrar->state(), request, "uid-" + name, "serial-" + name));
  }
};

constexpr int k_steps = 6;

Result<Outcome> step(Life& life, int number) {
  if (number == 0) return life.submit(demo_init());
  if (number == 1) return life.submit(CreateToken{demo_token("many00", 1000)});
  if (number == 4) return life.submit(DeleteNode{"n2", k_start + Seconds(50)});
  return life.join(number);
}

// A first life with the fault and a second one on what it left. True: the fault came to pass.
bool survive(const DiskFault& fault, Leftover leftover) {
  const TempDir dir(memory_folder());
  FaultDisk disk(dir.path());
  disk.fail(fault);
  std::vector<State> seen(1);  // after each step that was asked for
  std::size_t acknowledged = 0;
  std::size_t end = 0;
  bool opened = false;
  {
    Life life(dir.path(), true);
    opened = !life.broken;
    for (int number = 0; opened && number < k_steps; ++number) {
      const Result<Outcome> done = step(life, number);
      if (done) {
        REQUIRE(life.failures.empty());
        acknowledged = seen.size();
        seen.push_back(life.registrar->state());
        continue;
      }
      REQUIRE(done.error().code == Errc::unavailable);
      REQUIRE(life.failures.size() == 1);  // the daemon ends here
      seen.push_back(life.registrar->state());
      REQUIRE(life.submit(CreateToken{demo_token("after0")}).error().code == Errc::unavailable);
      break;
    }
    end = disk.position();
  }
  disk.unplug();
  if (!disk.failed()) return false;
  INFO("operation " << fault.at << " failed (" << disk.failed_what() << "), lasting " << fault.lasting << ", leftover "
                    << static_cast<int>(leftover));
  const TempDir left(memory_folder());
  disk.lay_down(left.path(), end, leftover);
  Life next(left.path(), !opened);
  INFO((next.broken ? next.broken->message : std::string()));
  REQUIRE_FALSE(next.broken);
  const State& state = next.registrar->state();
  const auto found = std::find(seen.begin() + static_cast<std::ptrdiff_t>(acknowledged), seen.end(), state);
  INFO("acknowledged " << acknowledged << ", revision found " << state.revision());
  REQUIRE(found != seen.end());
  for (auto number = static_cast<int>(found - seen.begin()); number < k_steps; ++number) REQUIRE(step(next, number));
  REQUIRE(next.registrar->state().nodes().size() == 2);
  return true;
}

}  // namespace

TEST_CASE("a coordinator whose disk fails at any point ends, and the next one knows all that was answered", "[store][fault]") {
  for (const bool lasting : {false, true}) {
    for (const Leftover leftover : {Leftover::everything, Leftover::nothing, Leftover::some}) {
      std::size_t at = 1;
      while (survive({at, false, lasting, lasting}, leftover)) ++at;
      CHECK(at > 60);
    }
  }
}

namespace {

// Takes up all space that is left.
void fill_up(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  REQUIRE(fd);
  const std::string block(4096, 'x');
  while (::write(fd.get(), block.data(), block.size()) > 0) {}
  REQUIRE(errno == ENOSPC);
}

}  // namespace

TEST_CASE("a full disk loses nothing, is named, and is good again when there is space", "[store][fault]") {
  if (::geteuid() != 0) {
    WARN("SKIPPED: a small file system of one's own needs root");
    return;
  }
  const TempDir dir;
  const PrivateTmpfs disk(dir.path(), "size=1m,mode=0700");  // gone before its log is as long as a checkpoint wants
  // Room that is found when it is needed.
  put_file(dir / "ballast", std::string(256 * 1024, 'x'));
  State acknowledged;
  Life full(dir.path(), true);
  REQUIRE_FALSE(full.broken);
  REQUIRE(full.submit(demo_init()));
  REQUIRE(full.submit(CreateToken{demo_token("many00", 1000)}));
  int joined = 0;
  Result<Outcome> last = make_error(Errc::internal, "nothing was tried");
  for (last = full.join(joined); last; last = full.join(joined)) {
    acknowledged = full.registrar->state();
    REQUIRE(++joined < 200);
  }
  CHECK(joined > 10);
  CHECK(last.error().code == Errc::unavailable);
  REQUIRE(full.failures.size() == 1);
  INFO(full.failures[0].message);
  CHECK(full.failures[0].message.find("disk is full") != std::string::npos);
  CHECK(full.failures[0].message.find("state.db") != std::string::npos);

  // systemd starts it again and again, and each start writes a little; `full` will not be asked any more, like a killed process.
  fill_up(dir / "filler");
  std::optional<Error> refused;
  for (int starts = 0; !refused; ++starts) {
    REQUIRE(starts < 20);
    Life still(dir.path(), false);
    refused = still.broken;
    if (refused) break;
    REQUIRE(still.registrar->state() == acknowledged);
    REQUIRE_FALSE(still.join(joined));
  }
  INFO(refused->message);
  CHECK(refused->message.find("disk is full") != std::string::npos);

  REQUIRE(::unlink((dir / "ballast").c_str()) == 0);
  Life again(dir.path(), false);
  INFO((again.broken ? again.broken->message : std::string()));
  REQUIRE_FALSE(again.broken);
  CHECK(again.registrar->state() == acknowledged);
  CHECK(again.join(joined));
}

}  // namespace slipway
