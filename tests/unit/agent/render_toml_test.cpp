#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/render/toml.hpp"

using slipway::render_parts::json_to_toml;
using Json = nlohmann::json;

namespace {

std::string toml(const char* json) {
  const auto text = json_to_toml(Json::parse(json));
  return text ? *text : "refused: " + text.error().message;
}

}  // namespace

TEST_CASE("toml: values first, then tables, each under its full name") {
  struct Row {
    const char* json;
    const char* toml;
  };
  const Row rows[] = {
      {"{}", ""},
      {R"({"version": 2, "root": "/x", "on": true, "f": 0.5})",
       "f = 0.5\non = true\nroot = \"/x\"\nversion = 2\n"},
      {R"({"z": 1, "a": {"b": 2}})", "z = 1\n\n[a]\nb = 2\n"},
      {R"({"a": {"b": {"c": 1}}})", "[a.b]\nc = 1\n"},
      {R"({"a": {"b": {}}})", "[a.b]\n"},
      {R"({"a": {"x": 1, "b": {"c": -1}}})", "[a]\nx = 1\n\n[a.b]\nc = -1\n"},
      {R"({"plugins": {"io.containerd.grpc.v1.cri": {"sandbox_image": "p:1"}}})",
       "[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"p:1\"\n"},
      {R"({"l": [], "m": [1, "a", [true]], "n": [{"a": 1, "b": {}}]})",
       "l = []\nm = [1, \"a\", [true]]\nn = [{ a = 1, b = {} }]\n"},
      {R"({"": 1, "a b": 2, "ü": 3})", "\"\" = 1\n\"a b\" = 2\n\"ü\" = 3\n"},
      {R"({"s": "a\"b\\c\n\t\r\u0001\u007f"})", "s = \"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007F\"\n"},
      {R"({"big": 1e30, "max": 9223372036854775807})", "big = 1e+30\nmax = 9223372036854775807\n"},
      {R"({"n": null})", "refused: n: write TOML: it has no null"},
      {R"({"l": [null]})", "refused: l: write TOML: it has no null"},
      {R"({"n": 9223372036854775808})", "refused: n: write TOML: 9223372036854775808 is too large a number"},
      {"[]", "refused: write TOML: only a map can be a document"},
  };
  for (const Row& row : rows) {
    INFO(row.json);
    CHECK(toml(row.json) == row.toml);
  }
}

TEST_CASE("toml: depth has an end") {
  Json deep = 1;
  for (int i = 0; i < 100; ++i) deep = Json{{"a", deep}};
  CHECK_FALSE(json_to_toml(deep));
  Json list = 1;
  for (int i = 0; i < 100; ++i) list = Json::array({list});
  CHECK_FALSE(json_to_toml(Json{{"l", list}}));
}
