#include "common/config/config_file.hpp"

#include <catch2/catch.hpp>

#include "common/files/atomic_file.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using test::TempDir;

TEST_CASE("config: drop-ins merge over the file in name order") {
  TempDir dir;
  REQUIRE(make_dirs(dir / "d", 0755));
  test::put_file(dir / "c.yaml", "role: node\ncoordinators: [a, b]\nlog: {level: info, file: x}\n");
  test::put_file(dir / "d/20-b.yaml", "log: {level: debug}\n");
  test::put_file(dir / "d/10-a.yaml", "log: {level: warn, json: true}\ncoordinators: [c]\n");
  test::put_file(dir / "d/30-c.yaml", "role: null\n");
  test::put_file(dir / "d/40-empty.yaml", "# nothing\n");
  test::put_file(dir / "d/.hidden.yaml", "role: [\n");
  test::put_file(dir / "d/50.yaml.dpkg-old", "role: [\n");
  CHECK(load_config(dir / "c.yaml", dir / "d").value() ==
        R"({"coordinators":["c"],"log":{"file":"x","json":true,"level":"debug"}})");
  CHECK(load_config(dir / "c.yaml", dir / "none").value() ==
        R"({"coordinators":["a","b"],"log":{"file":"x","level":"info"},"role":"node"})");
}

TEST_CASE("config: a missing file is an error unless drop-ins are there") {
  TempDir dir;
  CHECK(load_config(dir / "c.yaml", "").error().code == Errc::not_found);
  REQUIRE(make_dirs(dir / "d", 0755));
  CHECK(load_config(dir / "c.yaml", dir / "d").error().code == Errc::not_found);
  test::put_file(dir / "d/a.yaml", "a: 1\n");
  CHECK(load_config(dir / "c.yaml", dir / "d").value() == R"({"a":1})");
}

TEST_CASE("config: errors name the drop-in and its line") {
  TempDir dir;
  REQUIRE(make_dirs(dir / "d", 0755));
  test::put_file(dir / "c.yaml", "a: 1\n");
  test::put_file(dir / "d/x.yaml", "a: 1\na: 2\n");
  CHECK_THAT(load_config(dir / "c.yaml", dir / "d").error().message, Catch::Contains(dir / "d/x.yaml:2: key a is there twice"));
  test::put_file(dir / "d/x.yaml", "- a\n");
  CHECK_THAT(load_config(dir / "c.yaml", dir / "d").error().message, Catch::Contains("must be a map"));
}

TEST_CASE("config: JSON settings merge") {
  CHECK(merge_json(R"({"a":{"b":1,"c":2},"l":[1]})", R"({"a":{"b":null,"d":3},"l":[2]})").value() == R"({"a":{"c":2,"d":3},"l":[2]})");
  CHECK_FALSE(merge_json("[]", "{}"));
  CHECK_FALSE(merge_json("{}", "{"));
}
