#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "common/crypto/digest.hpp"
#include "common/files/tree.hpp"
#include "coordinator/api/blob_store.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;

TEST_CASE("artifact blobs: only what nothing names and nobody touched lately is collected") {
  test::TempDir dir;
  const auto store = api::BlobStore::open(dir.path());
  REQUIRE(store);
  const auto put = [&](const std::string& text, std::int64_t mtime) {
    test::put_file(store->spool_dir() + "/up", text);
    const std::string digest = sha256_hex(text);
    REQUIRE(store->take(store->spool_dir() + "/up", digest));
    const timespec times[2] = {{mtime, 0}, {mtime, 0}};
    REQUIRE(::utimensat(AT_FDCWD, store->path_of(digest).c_str(), times, 0) == 0);
    return digest;
  };
  const std::string named = put("named", 100);
  const std::string loose = put("loose", 100);
  const std::string young = put("young", 900);
  const std::string touched = put("touched", 100);
  REQUIRE(store->touch(touched));
  CHECK(store->touch(std::string(64, '0')).error().code == Errc::not_found);
  const WallTime limit{Seconds(500)};
  const auto dry = store->collect({named}, limit, true);
  REQUIRE(dry);
  REQUIRE(dry->size() == 1);
  CHECK(store->size_of(loose));
  const auto removed = store->collect({named}, limit, false);
  REQUIRE(removed);
  REQUIRE(removed->size() == 1);
  CHECK(removed->front().sha256 == loose);
  CHECK(removed->front().size == 5);
  CHECK_FALSE(store->size_of(loose));
  CHECK(store->size_of(named));
  CHECK(store->size_of(young));
  CHECK(store->size_of(touched));
  CHECK(list_dir(store->spool_dir()).value().empty());
}
