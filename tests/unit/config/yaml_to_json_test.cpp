#include "common/config/yaml_to_json.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

std::string json(const std::string& yaml) {
  const Result<std::string> result = yaml_to_json(yaml, "t.yaml");
  return result ? *result : "error " + result.error().message;
}

}  // namespace

TEST_CASE("config: scalars follow the core rules of YAML 1.2") {
  const std::pair<const char*, const char*> rows[] = {
      {"null", "null"},     {"~", "null"},         {"", "null"},           {"true", "true"},      {"FALSE", "false"},
      {"yes", "\"yes\""},   {"on", "\"on\""},      {"n", "\"n\""},         {"12", "12"},          {"-7", "-7"},
      {"+7", "7"},          {"0x1F", "31"},        {"0o17", "15"},         {"017", "17"},         {"1.5", "1.5"},
      {".5", "0.5"},        {"1e3", "1000.0"},     {"-2.5e-1", "-0.25"},   {"1.20.2", "\"1.20.2\""}, {"12:30", "\"12:30\""},
      {"'12'", "\"12\""},   {"\"true\"", "\"true\""}, {"10.0.0.0/16", "\"10.0.0.0/16\""}, {"24h", "\"24h\""},
      {"18446744073709551615", "18446744073709551615"}, {"-", "[null]"}, {"2026-11-22", "\"2026-11-22\""},
      {"0x", "\"0x\""}, {".", "\".\""}, {"1e", "\"1e\""}, {"1_000", "\"1_000\""},
  };
  for (const auto& [yaml, expected] : rows) {
    INFO(yaml);
    CHECK(json(yaml) == expected);
  }
}

TEST_CASE("config: maps, lists and aliases become JSON") {
  CHECK(json("a: {b: [1, x]}\nc:\n- d: 1\n  e:\n- 'f'\n") == R"({"a":{"b":[1,"x"]},"c":[{"d":1,"e":null},"f"]})");
  CHECK(json("a: &x {k: 1}\nb: *x\n") == R"({"a":{"k":1},"b":{"k":1}})");
  CHECK(json("1: a\ntrue: b\n") == R"({"1":"a","true":"b"})");
  CHECK(json("---\na: 1\n...\n") == R"({"a":1})");
  CHECK(json("text: |\n  one\n  two\n") == R"({"text":"one\ntwo\n"})");
}

TEST_CASE("config: errors name the file and the line") {
  const std::pair<const char*, const char*> rows[] = {
      {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: key a is there twice"},
      {"a:\n  b: 1\n  b: 2\n", "t.yaml:3:3: key b is there twice"},
      {"a: 1\n\"a\": 2\n", "t.yaml:2:1: key a is there twice"},
      {"a: [1\nb: 2\n", "t.yaml:2:"},
      {"a: !!python/object x\n", "t.yaml:1:4: tags are not supported"},
      {"? [a]\n: b\n", "t.yaml:1:3: a key must be a scalar"},
      {"a: 1\n---\nb: 2\n", "a second document"},
      {"a: &x 1\nb:\n  <<: *x\n", "t.yaml:3:3: merge keys"},
      {"a: *nothing\n", "t.yaml:1:"},
      {"a: &x [*x]\n", "within the very value"},
      {"a: .inf\n", "t.yaml:1:4: .inf is no number"},
      {"a: 99999999999999999999\n", "t.yaml:1:4: number 99999999999999999999 is too large"},
      {"a: 1e999\n", "t.yaml:1:4: number 1e999 is out of range"},
      {"a: \"\xff\xfe\"\n", "UTF-8"},
      {"\ta: 1\n", "t.yaml:1:"},
  };
  for (const auto& [yaml, expected] : rows) {
    INFO(yaml);
    const Result<std::string> result = yaml_to_json(yaml, "t.yaml");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::invalid);
    CHECK_THAT(result.error().message, Catch::Contains(expected));
  }
  CHECK_FALSE(yaml_to_json(std::string("a: \0b", 5), "t.yaml"));
}

TEST_CASE("config: every field and entry has a place") {
  const auto text = read_yaml("a: 1\nb:\n  c: [x, {d: 1}]\n  e/f: 2\ng:\n  - h\n  - i: 1\nj: &k {l: 1}\nm: [*k]\n", "t.yaml");
  REQUIRE(text);
  const Places& places = text->places;
  CHECK(places.of("/a") == "t.yaml:1:1");
  CHECK(places.of("/b") == "t.yaml:2:1");
  CHECK(places.of("/b/c") == "t.yaml:3:3");
  CHECK(places.of("/b/c/0") == "t.yaml:3:7");
  CHECK(places.of("/b/c/1") == "t.yaml:3:10");
  CHECK(places.of("/b/c/1/d") == "t.yaml:3:11");
  CHECK(places.of("/b/e~1f") == "t.yaml:4:3");
  CHECK(places.of("/g/0") == "t.yaml:6:5");
  CHECK(places.of("/g/1/i") == "t.yaml:7:5");
  CHECK(places.of("/m/0/l") == "t.yaml:9:5");
  // What is missing has the place of what it would stand in.
  CHECK(places.of("/b/none/deeper") == "t.yaml:2:1");
  CHECK(places.of("/none") == "t.yaml");
  CHECK(places.of("") == "t.yaml");
}

TEST_CASE("config: problems get their places, and a drop-in's fields its own") {
  Places places = read_yaml("a: 1\nb: {c: 1, d: 2}\n", "main.yaml")->places;
  places.lay_over(read_yaml("b:\n  d: 3\n", "more.yaml")->places);
  CHECK(places.located("/a: is wrong") == "main.yaml:1:1: /a: is wrong");
  CHECK(places.located("refused:\n  /b/d is too large\n  /b/c: no") ==
        "refused:\n  more.yaml:2:3: /b/d is too large\n  main.yaml:2:5: /b/c: no");
  CHECK(places.located("no field") == "no field");
}

TEST_CASE("config: documents made to exhaust are refused") {
  SECTION("long keys above many entries") {
    std::string yaml = std::string(800, 'k') + ":\n";
    for (int i = 0; i < 50'000; ++i) yaml += "- x\n";
    const auto text = read_yaml(yaml, "t.yaml");
    REQUIRE(text);
    CHECK(text->places.of("/" + std::string(800, 'k') + "/7") == "t.yaml");
  }
  SECTION("nesting") {
    CHECK_FALSE(yaml_to_json(std::string(65, '[') + std::string(65, ']'), "t.yaml"));
    CHECK_FALSE(yaml_to_json(std::string(100'000, '['), "t.yaml"));
    CHECK(yaml_to_json(std::string(60, '[') + std::string(60, ']'), "t.yaml"));
  }
  SECTION("aliases of aliases") {
    std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
      const std::string name = std::to_string(i);
      const std::string before = "*a" + std::to_string(i - 1);
      yaml += "a" + name + ": &a" + name + " [" + before;
      for (int k = 0; k < 9; ++k) yaml += ", " + before;
      yaml += "]\n";
    }
    const Result<std::string> result = yaml_to_json(yaml, "t.yaml");
    REQUIRE_FALSE(result);
    CHECK_THAT(result.error().message, Catch::Contains("more than 100000 values"));
  }
  SECTION("aliases that nest") {
    std::string yaml = "a0: &a0 []\n";
    for (int i = 1; i < 80; ++i) yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    CHECK_FALSE(yaml_to_json(yaml, "t.yaml"));
  }
  SECTION("a long text many times") {
    std::string yaml = "a: &a " + std::string(500'000, 'x') + "\nb:\n";
    for (int i = 0; i < 1000; ++i) yaml += "- *a\n";
    CHECK_FALSE(yaml_to_json(yaml, "t.yaml"));
  }
  SECTION("size") { CHECK_FALSE(yaml_to_json(std::string(1024 * 1024 + 1, ' '), "t.yaml")); }
}

TEST_CASE("config: JSON as YAML for people") {
  CHECK(json_to_yaml(R"({"z":1,"a":{"list":["x",{"k":"v","l":[]}],"empty":{}},"x":null,"b":true})").value() ==
        "z: 1\na:\n  list:\n  - x\n  - k: v\n    l: []\n  empty: {}\nx: null\nb: true\n");
  CHECK(json_to_yaml("[1,[2,3]]").value() == "- 1\n-\n  - 2\n  - 3\n");
  CHECK(json_to_yaml("{}").value() == "{}\n");
  CHECK(json_to_yaml(R"({"pem":"-----BEGIN\nabc\n"})").value() == "pem: |\n  -----BEGIN\n  abc\n");
  CHECK_FALSE(json_to_yaml("{"));
  CHECK_FALSE(json_to_yaml(std::string(1000, '[')));
}

TEST_CASE("config: what is written as YAML reads back the same") {
  const std::string values[] = {
      R"(["true","null","~","","12","1.5","0x1f","yes","no","on","y","12:30","2026-11-22","2026-11-22T10:00:00Z","1_000"])",
      R"(["a: b","a #b","# a","- a","a:","*a","&a","!a","%a","@a","`a","{a}","[a]","|","> ","'","\"","a'b","  a","a  ","-","?",": "])",
      R"(["line\nline","line\nline\n","line\n\n","\nline"," line\nx","tab\there","\u0001","ü","\u2028","a\nb \nc"])",
      R"({"":1,"true":2,"a b":3,"a: b":4,"12":5,"- x":{"n":[[],[[1]],{}]}})",
      R"([[["a"],[{"b":["x\ny"]}]],{"deep":{"er":"p\nq\n"}}])",
      R"([-1,0,1.25,18446744073709551615,-9223372036854775808,true,false,null])",
      R"("just\ntext")",
      R"(["...","... a","---","--- a"])",
      R"("... ends a document where it begins a line")",
  };
  for (const std::string& value : values) {
    const Result<std::string> yaml = json_to_yaml(value);
    REQUIRE(yaml);
    INFO(*yaml);
    const Result<std::string> back = yaml_to_json(*yaml, "back");
    REQUIRE(back);
    CHECK(yaml_to_json(value, "json is yaml").value() == *back);
  }
}
