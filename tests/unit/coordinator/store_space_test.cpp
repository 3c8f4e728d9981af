#include "coordinator/store/store_space.hpp"

#include <catch2/catch.hpp>

#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

TEST_CASE("a store's size and room are read, its log counted in", "[store]") {
  const test::TempDir dir;
  const std::string file = dir / "state.db";
  CHECK(space_of_store(file).error().code == Errc::not_found);
  test::put_file(file, std::string(1000, 'x'));
  test::put_file(file + "-wal", std::string(500, 'x'));
  const auto space = space_of_store(file);
  REQUIRE(space);
  CHECK(space->place == file);
  CHECK(space->size == 1500);
  CHECK(space->free > 0);
  CHECK(space->writable);
}

}  // namespace
}  // namespace slipway
