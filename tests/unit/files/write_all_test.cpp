#include "common/files/write_all.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "common/core/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::test {

TEST_CASE("files: all bytes are written, and an error says of what") {
  TempDir dir;
  const UniqueFd file(::open((dir / "a").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(write_all(file.get(), std::string(100'000, 'x'), "a"));
  REQUIRE(write_all(file.get(), "", "a"));
  CHECK(get_file(dir / "a") == std::string(100'000, 'x'));

  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Status refused = write_all(full.get(), "x", "the download");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "write the download: no space left on device");
}

}  // namespace slipway::test
