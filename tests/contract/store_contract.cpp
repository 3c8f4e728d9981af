// What every Store must do. The same cases run on the fake that other tests use and on SQLite.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "coordinator/store/sqlite_store.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

// One medium, opened as often as the test likes.
struct MemoryMedium {
  std::shared_ptr<test::MemoryStore::Disk> disk = std::make_shared<test::MemoryStore::Disk>();
  std::unique_ptr<Store> open() { return std::make_unique<test::MemoryStore>(disk); }
};
struct SqliteMedium {
  test::TempDir dir;
  std::string path() const { return dir.path() + "/store.db"; }
  std::unique_ptr<Store> open() {
    auto store = SqliteStore::open(path(), true);
    INFO((store ? std::string() : store.error().message));
    REQUIRE(store);
    return std::move(*store);
  }
};

std::vector<std::string> keys(Store& store, std::string_view prefix) {
  const auto pairs = store.load(prefix);
  REQUIRE(pairs);
  std::vector<std::string> found;
  for (const auto& pair : *pairs) found.push_back(pair.key);
  return found;
}

TEMPLATE_TEST_CASE("a store keeps what was committed", "[store]", MemoryMedium, SqliteMedium) {
  TestType medium;
  const std::string bytes("\0\xff\n'x", 5);
  {
    const auto store = medium.open();
    CHECK(keys(*store, "").empty());
    REQUIRE(store->commit({{{"a/1", "one"}, {"a/2", bytes}, {"b", ""}}, {}}));
    REQUIRE(store->commit({{{"a/1", "uno"}, {"a/3", "three"}}, {"b", "not there"}}));
  }
  const auto store = medium.open();
  CHECK(keys(*store, "") == std::vector<std::string>{"a/1", "a/2", "a/3"});
  CHECK(*store->read("a/1") == "uno");
  CHECK(*store->read("a/2") == bytes);
  CHECK(*store->read("b") == std::nullopt);
}

TEMPLATE_TEST_CASE("a scan gives what load gives and ends with the first error", "[store]", MemoryMedium, SqliteMedium) {
  TestType medium;
  const auto store = medium.open();
  REQUIRE(store->commit({{{"a/1", "one"}, {"a/2", ""}, {"a/3", "three"}, {"b", "else"}}, {}}));
  std::vector<KeyValue> seen;
  const auto collect = [&seen](std::string_view key, std::string_view value) -> Status {
    seen.push_back({std::string(key), std::string(value)});
    if (seen.size() == 5) return make_error(Errc::corrupt, "enough");
    return {};
  };
  REQUIRE(store->scan("a/", collect));
  CHECK(seen == *store->load("a/"));
  CHECK(store->scan("a/", collect).error().code == Errc::corrupt);
  CHECK(seen.size() == 5);
  // An ended scan holds nothing.
  REQUIRE(store->commit({{{"a/4", "four"}}, {}}));
  CHECK(*store->read("a/4") == "four");
}

TEMPLATE_TEST_CASE("a store finds keys by prefix in byte order", "[store]", MemoryMedium, SqliteMedium) {
  TestType medium;
  const auto store = medium.open();
  const std::string high("p\xff\xff", 3);
  REQUIRE(store->commit({{{"p0", ""}, {"p/b", ""}, {"p/", ""}, {"p", ""}, {"P", ""}, {high, "x"}, {"q", ""}, {"p/a/c", ""}}, {}}));
  CHECK(keys(*store, "p/") == std::vector<std::string>{"p/", "p/a/c", "p/b"});
  CHECK(keys(*store, "p") == std::vector<std::string>{"p", "p/", "p/a/c", "p/b", "p0", high});
  CHECK(keys(*store, high) == std::vector<std::string>{high});
  CHECK(keys(*store, "\xff").empty());
  CHECK(keys(*store, "nothing").empty());
  CHECK(*store->read("p") == "");
}

TEMPLATE_TEST_CASE("the store of an owner that was replaced commits nothing more", "[store]", MemoryMedium, SqliteMedium) {
  TestType medium;
  const auto old_owner = medium.open();
  REQUIRE(old_owner->commit({{{"k", "old"}}, {}}));
  const auto new_owner = medium.open();
  REQUIRE(new_owner->commit({{{"k", "new"}}, {}}));
  const auto refused = old_owner->commit({{{"k", "stale"}, {"k2", "stale"}}, {}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK_FALSE(old_owner->commit({{{"k3", "stale"}}, {}}));  // not by a second try either
  CHECK(*new_owner->read("k") == "new");
  CHECK(keys(*new_owner, "") == std::vector<std::string>{"k"});
  REQUIRE(new_owner->commit({{{"k", "newer"}}, {}}));
}

TEMPLATE_TEST_CASE("an empty batch is no error", "[store]", MemoryMedium, SqliteMedium) {
  TestType medium;
  const auto store = medium.open();
  CHECK(store->commit({}));
  CHECK(keys(*store, "").empty());
}

TEST_CASE("a SQLite store is private and marked as ours", "[store]") {
  SqliteMedium medium;
  const auto store = medium.open();
  REQUIRE(store->commit({{{"k", "v"}}, {}}));
  for (const char* suffix : {"", "-wal"}) {
    struct stat info {};
    REQUIRE(stat((medium.path() + suffix).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a SQLite store says what is wrong with a file", "[store]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/store.db";
  const auto missing = SqliteStore::open(path, false);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::not_found);

  std::ofstream(path) << std::string(8192, 'x');
  const auto garbage = SqliteStore::open(path, true);
  REQUIRE_FALSE(garbage);
  CHECK(garbage.error().code == Errc::corrupt);

  REQUIRE(symlink("store.db", (dir.path() + "/link.db").c_str()) == 0);
  CHECK_FALSE(SqliteStore::open(dir.path() + "/link.db", true));
  CHECK_FALSE(SqliteStore::open(dir.path() + "/no/such/folder.db", true));
}

// user_version is the big-endian number at offset 60, application_id at 68 (SQLite file format 1.3).
void patch(const std::string& path, int offset, char last_byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offset + 3);
  file.put(last_byte);
}

TEST_CASE("a SQLite store of a newer version or another program is left alone", "[store]") {
  SqliteMedium medium;
  medium.open().reset();
  patch(medium.path(), 60, 2);
  const auto newer = SqliteStore::open(medium.path(), true);
  REQUIRE_FALSE(newer);
  CHECK(newer.error().code == Errc::invalid);
  CHECK(newer.error().message.find("made by a newer version") != std::string::npos);
  patch(medium.path(), 60, 1);
  CHECK(SqliteStore::open(medium.path(), true));
  patch(medium.path(), 68, 0);
  const auto foreign = SqliteStore::open(medium.path(), true);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == Errc::corrupt);
}

TEST_CASE("an interrupted first start is made good", "[store]") {
  SqliteMedium medium;
  std::ofstream(medium.path()).close();  // the file was made, then the power went
  const auto store = medium.open();
  CHECK(store->commit({{{"k", "v"}}, {}}));
}

}  // namespace
}  // namespace slipway
