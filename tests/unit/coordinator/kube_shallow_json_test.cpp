// JSON read to a depth: what is there, what is left out, and that it takes no more time than there are letters.
#include "coordinator/kube/shallow_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using slipway::kube::parse_shallow;
using Json = nlohmann::json;

namespace {

std::string nested(int depth) { return std::string(static_cast<std::size_t>(depth), '[') + "1" + std::string(static_cast<std::size_t>(depth), ']'); }

}  // namespace

TEST_CASE("within its depth a document is what any reader makes of it", "[kube]") {
  for (const char* text : {"{}", "[]", "null", "1", "-1", "1.5", "true", "\"a\"", R"({"a":[1,{"b":null},[]],"c":{"d":{"e":"f"}},"g":false})",
                           R"([{"a":1},{"a":2},[[3]],"x"])", R"({"a":{"b":1},"a":2})"}) {
    CAPTURE(text);
    CHECK(parse_shallow(text, 8) == Json::parse(text));
  }
}

TEST_CASE("what is no JSON is discarded", "[kube]") {
  for (const char* text : {"", "{", "[1,", "{\"a\"}", "nul", "[1] 2", "\xff"}) {
    CAPTURE(text);
    CHECK(parse_shallow(text, 8).is_discarded());
  }
}

TEST_CASE("what is deeper is left out, and what stands beside it stays", "[kube]") {
  CHECK(parse_shallow(nested(3), 3) == Json::parse("[[[1]]]"));
  CHECK(parse_shallow(nested(4), 3) == Json::parse("[[[]]]"));
  CHECK(parse_shallow(R"({"a":{"b":{"c":{"d":1},"e":2}},"f":3})", 3) == Json::parse(R"({"a":{"b":{"e":2}},"f":3})"));
  CHECK(parse_shallow(R"([[[[1],2],3],4])", 2) == Json::parse("[[3],4]"));
  CHECK(parse_shallow(nested(1'000'000), 3) == Json::parse("[[[]]]"));
}

TEST_CASE("a list of very many small maps takes no time with their square", "[kube]") {
  std::string text = "[{}";
  for (int i = 0; i < 300'000; ++i) text += ",{}";
  text += ']';
  // With the library's callback this takes minutes: the limit of the test would end it.
  CHECK(parse_shallow(text, 3).size() == 300'001);
}
