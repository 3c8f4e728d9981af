#include "common/files/tree.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/files/atomic_file.hpp"
#include "common/files/dir_lock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using test::TempDir;

TEST_CASE("files: remove_tree takes the folder and no link's target") {
  TempDir dir;
  REQUIRE(make_dirs(dir / "tree/a/b", 0755));
  REQUIRE(make_dirs(dir / "other", 0755));
  test::put_file(dir / "other/keep", "x");
  test::put_file(dir / "tree/a/f", "x");
  REQUIRE(::symlink("../../other", (dir / "tree/a/link").c_str()) == 0);
  REQUIRE(remove_tree(dir / "tree"));
  CHECK_FALSE(path_exists(dir / "tree"));
  CHECK(path_exists(dir / "other/keep"));
  CHECK(remove_tree(dir / "tree"));

  REQUIRE(::symlink("other", (dir / "link").c_str()) == 0);
  REQUIRE(remove_tree(dir / "link"));
  CHECK(path_exists(dir / "other/keep"));
}

TEST_CASE("files: sync_tree passes over links that lead nowhere") {
  TempDir dir;
  REQUIRE(make_dirs(dir / "a/b", 0755));
  test::put_file(dir / "a/f", "x");
  REQUIRE(::symlink("nowhere", (dir / "a/link").c_str()) == 0);
  CHECK(sync_tree(dir / "a"));
  CHECK_FALSE(sync_tree(dir / "none"));
}

TEST_CASE("files: links switch in one step and only links") {
  TempDir dir;
  const std::string link = dir / "current";
  CHECK(read_link(link).error().code == Errc::not_found);
  CHECK(switch_link(link, "1").value());
  CHECK_FALSE(switch_link(link, "1").value());
  CHECK(switch_link(link, "2").value());
  CHECK(read_link(link).value() == "2");
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"current"});

  test::put_file(dir / "file", "x");
  CHECK(switch_link(dir / "file", "1").error().code == Errc::conflict);
  CHECK(read_link(dir / "file").error().code == Errc::invalid);
  CHECK(test::get_file(dir / "file") == "x");
}

TEST_CASE("files: a left-over of a switch does not stand in the way") {
  TempDir dir;
  REQUIRE(::symlink("old", (dir / ("current.tmp-" + std::to_string(::getpid()))).c_str()) == 0);
  CHECK(switch_link(dir / "current", "1").value());
  CHECK(list_dir(dir.path()).value() == std::vector<std::string>{"current"});
}

TEST_CASE("files: one holder a directory") {
  TempDir dir;
  {
    Result<DirLock> first = DirLock::acquire(dir.path());
    REQUIRE(first);
    const Result<DirLock> second = DirLock::acquire(dir.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::conflict);
    CHECK_THAT(second.error().message, Catch::Contains("process " + std::to_string(::getpid())));
    const DirLock moved = std::move(*first);
    CHECK_FALSE(DirLock::acquire(dir.path()));
  }
  CHECK(DirLock::acquire(dir.path()));
  CHECK(DirLock::acquire(dir / "none").error().code == Errc::not_found);
}
