// SQLite's files on a disk that fails or loses power, at every operation on it: creation, commits, the checkpoint, the close. Whatever
// happens, a store opened on what is left has every acknowledged commit, none in part, and nothing that was not asked for.
#include <sqlite3.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "coordinator/store/sqlite_store.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

using test::DiskFault;
using test::FaultDisk;
using test::Leftover;
using Contents = std::map<std::string, std::string>;

constexpr char k_file[] = "state.db";
constexpr int k_checkpoint_pages = 40;

// The commits of a run, one like a join and its end, every third as large as a burst of them.
Batch batch_of(int number) {
  const std::string text = std::to_string(number);
  const char letter = static_cast<char>('a' + number % 26);
  Batch batch;
  batch.puts.push_back({"counters/revision", text});
  batch.puts.push_back({"node/" + text, std::string(300, letter)});
  if (number % 3 == 0) batch.puts.push_back({"burst", std::string(40'000, letter)});
  if (number > 2) batch.erases.push_back("node/" + std::to_string(number - 2));
  return batch;
}

Contents after(int commits) {
  Contents contents;
  for (int i = 1; i <= commits; ++i) {
    const Batch batch = batch_of(i);
    for (const std::string& key : batch.erases) contents.erase(key);
    for (const KeyValue& pair : batch.puts) contents[pair.key] = pair.value;
  }
  return contents;
}

// What was asked of a store and when it answered, by positions in the disk's log.
struct History {
  int before = 0;  // commits that were there at the beginning
  struct Point {
    std::size_t position;
    bool ok;
  };
  std::vector<std::size_t> asked;
  std::vector<Point> answered;
  std::vector<std::size_t> opened;
  int acknowledged(std::size_t position) const {
    int count = before;
    for (const Point& point : answered) count += point.ok && point.position <= position ? 1 : 0;
    return count;
  }
  int most(std::size_t position) const {
    int count = before;
    for (const std::size_t at : asked) count += at <= position ? 1 : 0;
    return count;
  }
  std::int64_t owners(std::size_t position) const {
    return std::count_if(opened.begin(), opened.end(), [&](std::size_t at) { return at <= position; });
  }
};

std::int64_t ask_number(const std::string& path, const char* sql, std::string* text = nullptr) {
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::int64_t number = -1;
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    number = sqlite3_column_int64(statement, 0);
    if (text != nullptr) *text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return number;
}

// Opens what a fault left as the restarted coordinator does, and judges it.
void judge(const FaultDisk& disk, const History& history, std::size_t position, Leftover leftover) {
  const test::TempDir left(test::memory_folder());
  disk.lay_down(left.path(), position, leftover);
  const std::string path = left / k_file;
  const FaultDisk sound(left.path());
  const int acknowledged = history.acknowledged(position);
  const int most = history.most(position);
  auto store = SqliteStore::open(path, history.owners(position) == 0, k_checkpoint_pages);
  INFO((store ? std::string() : store.error().message));
  REQUIRE(store);
  const auto pairs = (*store)->load("");
  REQUIRE(pairs);
  Contents found;
  for (const KeyValue& pair : *pairs) found[pair.key] = pair.value;
  const int number = found.empty() ? 0 : std::stoi(found["counters/revision"]);
  INFO("acknowledged " << acknowledged << ", asked for " << most << ", found " << number);
  REQUIRE(number >= acknowledged);
  REQUIRE(number <= most);
  REQUIRE(found == after(number));
  REQUIRE((*store)->commit(batch_of(number + 1)));
  store->reset();
  REQUIRE(ask_number(path, "SELECT owner FROM fence") > history.owners(position));
  std::string verdict;
  ask_number(path, "PRAGMA integrity_check", &verdict);
  REQUIRE(verdict == "ok");
}

// A life of the store: opened, `commits` commits, closed as at a graceful end. Goes on after errors, as no coordinator does.
struct Life {
  History history;
  bool open_failed = false;
  std::size_t before_close = 0;
  std::vector<std::string> errors;

  void live(FaultDisk& disk, const std::string& dir, bool create, int commits) {
    auto store = SqliteStore::open(dir + "/" + k_file, create, k_checkpoint_pages);
    before_close = disk.position();
    open_failed = !store;
    if (!store) {
      errors.push_back(store.error().message);
      return;
    }
    history.opened.push_back(disk.position());
    for (int i = 1; i <= commits; ++i) {
      history.asked.push_back(disk.position());
      // The number of the next one depends on the outcome: what failed is not there, or nothing is committed any more.
      const Status done = (*store)->commit(batch_of(history.acknowledged(disk.position()) + 1));
      if (!done) errors.push_back(done.error().message);
      history.answered.push_back({disk.position(), done.has_value()});
    }
    before_close = disk.position();
  }
};

// Where a run begins: nothing there yet, or a cluster whose coordinator was killed with its log nearly full.
struct Start {
  const char* name;
  bool create;
  int before;
  int commits;
};
constexpr Start k_starts[] = {{"first start", true, 0, 4}, {"restart, then a checkpoint", false, 8, 7}};

// The files of a killed coordinator after `commits` commits.
void prepare(const std::string& dir, int commits) {
  if (commits == 0) return;
  const test::TempDir making(test::memory_folder());
  FaultDisk disk(making.path());
  Life life;
  life.live(disk, making.path(), true, commits);
  REQUIRE(life.errors.empty());
  disk.lay_down(dir, life.before_close, Leftover::everything);
}

History history_of(const Start& start) {
  History history;
  history.before = start.before;
  if (start.before > 0) history.opened.push_back(0);
  return history;
}

}  // namespace

TEST_CASE("a power cut at any point leaves every acknowledged commit and none in part", "[store][fault]") {
  for (const Start& start : k_starts) {
    const test::TempDir world(test::memory_folder());
    prepare(world.path(), start.before);
    Life life;
    life.history = history_of(start);
    FaultDisk disk(world.path());
    life.live(disk, world.path(), start.create, start.commits);
    disk.unplug();
    REQUIRE(life.errors.empty());
    CHECK(disk.wrote_to(k_file, life.before_close));  // when there is a checkpoint, too
    CHECK(disk.position() > 60);
    for (std::size_t at = 0; at <= disk.position(); ++at) {
      for (const Leftover leftover : test::k_leftovers) {
        INFO(start.name << ": power cut before operation " << at << " of " << disk.position() << ", leftover "
                        << static_cast<int>(leftover));
        judge(disk, life.history, at, leftover);
      }
    }
  }
}

namespace {

// One run with a fault; false: the run was over before it came.
bool run_with(const DiskFault& fault, const Start& start, const std::string& from) {
  const test::TempDir world(test::memory_folder());
  const std::string dir = world / "disk";
  std::filesystem::copy(from, dir);
  Life life;
  life.history = history_of(start);
  FaultDisk disk(dir);
  disk.fail(fault);
  life.live(disk, dir, start.create, start.commits);
  disk.unplug();
  INFO(start.name << ": operation " << fault.at << " failed (" << disk.failed_what() << "), full " << fault.full << ", lasting "
                  << fault.lasting << ", torn " << fault.torn);
  if (disk.failed() && disk.failed_position() < life.before_close && disk.failed_what() != "sync folder .") {
    CHECK_FALSE(life.errors.empty());
    CHECK(life.history.acknowledged(disk.position()) == life.history.acknowledged(disk.failed_position()));
  }
  // The process ends at once, or gracefully; or the power goes after either.
  const std::pair<std::size_t, Leftover> ends[] = {{life.before_close, Leftover::everything}, {life.before_close, Leftover::nothing},
                                                   {disk.position(), Leftover::everything}, {disk.position(), Leftover::some}};
  for (const auto& [at, leftover] : ends) {
    INFO("left at " << at << ", leftover " << static_cast<int>(leftover));
    judge(disk, life.history, at, leftover);
  }
  return disk.operations() >= fault.at;
}

}  // namespace

TEST_CASE("a failed operation on the disk is reported, and after it nothing is acknowledged", "[store][fault]") {
  const DiskFault faults[] = {{0, false, false, false}, {0, false, true, true}, {0, true, true, false}, {0, true, false, true}};
  for (const Start& start : k_starts) {
    const test::TempDir base(test::memory_folder());
    prepare(base.path(), start.before);
    for (DiskFault fault : faults) {
      for (fault.at = 1; run_with(fault, start, base.path()); ++fault.at) {}
      CHECK(fault.at > 20);
    }
  }
}

}  // namespace slipway
