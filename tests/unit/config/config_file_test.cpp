#include "common/config/config_file.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

TEST_CASE("config: JSON settings merge") {
  CHECK(merge_json(R"({"a":{"b":1,"c":2},"l":[1]})", R"({"a":{"b":null,"d":3},"l":[2]})").value() == R"({"a":{"c":2,"d":3},"l":[2]})");
  CHECK_FALSE(merge_json("[]", "{}"));
  CHECK_FALSE(merge_json("{}", "{"));
}
