#include "agent/host/file_watch.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "common/files/atomic_file.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;
namespace fs = std::filesystem;

namespace {

struct WatchWorld {
  WatchWorld() {
    fs::create_directory(dir / "etc");
    put_file(file, "as written");
    REQUIRE(watch.watch({file}));
  }
  void hear() { REQUIRE(io.run(watch.changed())); }
  TempDir dir;
  std::string file = dir / "etc/config.yaml";
  IoTest io;
  FileWatch watch = FileWatch::open(io.executor()).value();
};

}  // namespace

TEST_CASE("every way of changing a watched file is told", "[agent][watch]") {
  WatchWorld w;
  put_file(w.file, "other");
  w.hear();
  REQUIRE(write_file_atomically(w.file, "replaced", 0644));
  w.hear();
  REQUIRE(::chmod(w.file.c_str(), 0600) == 0);
  w.hear();
  fs::rename(w.file, w.dir / "etc/elsewhere");
  w.hear();
  fs::create_symlink("elsewhere", w.file);
  w.hear();
  fs::remove(w.file);
  w.hear();
}

TEST_CASE("its folder going away is told, and it is watched again when it is back", "[agent][watch]") {
  WatchWorld w;
  fs::remove_all(w.dir / "etc");
  w.hear();
  REQUIRE(w.watch.watch({w.file}));
  fs::create_directory(w.dir / "etc");
  REQUIRE(w.watch.watch({w.file}));
  put_file(w.file, "new");
  w.hear();
}

TEST_CASE("other files of the folder are nobody's business", "[agent][watch]") {
  WatchWorld w;
  const auto waiting = w.io.start(w.watch.changed());
  put_file(w.dir / "etc/other", "x");
  REQUIRE(w.watch.watch({w.file, w.dir / "no/such/folder"}));
  w.io.poll();
  CHECK_FALSE(waiting->done);
  put_file(w.file, "other");
  w.io.poll();
  CHECK(waiting->done);
}
