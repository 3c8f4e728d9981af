// The fast reader of stored records: what it accepts it reads as the general reader does, and what is not of its form it leaves alone.
#include "coordinator/store/flat_json.hpp"

#include <catch2/catch.hpp>

namespace slipway {
namespace {

struct Sample {
  std::string name, other;
  std::uint64_t number = 7;
  std::map<std::string, std::string> texts;
  bool truth = false;
};
template <class V>
void fields(V& v, Sample& x) {
  v("name", x.name);
  v("number", x.number);
  v.optional("other", x.other);
  v.optional("texts", x.texts);
  v.optional("truth", x.truth);
}

bool reads(std::string_view text, Sample& sample) {
  FlatJson flat;
  if (!flat.parse(text)) return false;
  fields(flat, sample);
  return flat.ok();
}

TEST_CASE("a flat record is read, fields in any order", "[flat_json]") {
  Sample sample;
  REQUIRE(reads(R"({"number":18446744073709551615,"name":"a b","texts":{"k":"v","l":""},"unknown":"x","other":"o"})", sample));
  CHECK(sample.name == "a b");
  CHECK(sample.number == UINT64_MAX);
  CHECK(sample.other == "o");
  CHECK(sample.texts == std::map<std::string, std::string>{{"k", "v"}, {"l", ""}});
  Sample least;
  REQUIRE(reads(R"({"name":"","number":0,"texts":{}})", least));
  CHECK(least.name.empty());
  CHECK(least.number == 0);
  CHECK(least.other.empty());
  CHECK(least.texts.empty());
  CHECK_FALSE(least.truth);
  Sample yes;
  REQUIRE(reads(R"({"name":"","number":0,"truth":true})", yes));
  CHECK(yes.truth);
  REQUIRE(reads(R"({"name":"","number":0,"truth":false})", yes));
  CHECK_FALSE(yes.truth);
}

TEST_CASE("what is not of the flat form is left to the general reader", "[flat_json]") {
  for (const std::string_view text :
       {R"()", R"({})", R"({"name":"a"})", R"({"number":1})", R"({"name":"a","number":1}x)", R"({"name":"a","number":1)",
        R"({"name":"a","number":"1"})", R"({"name":1,"number":1})", R"({"name":"a","number":-1})", R"({"name":"a","number":1.5})",
        R"({"name":"a","number":01})", R"({"name":"a","number":18446744073709551616})", R"({"name":"a\n","number":1})",
        R"({"name":"ä","number":1})", R"({"name":"a","name":"b","number":1})", R"({"name":"a", "number":1})",
        R"({"name":"a","number":1,})", R"({"name":"a","number":1,"texts":{"k":1}})", R"({"name":"a","number":1,"texts":{"k":"v",}})",
        R"({"name":"a","number":1,"texts":{"k":"v","k":"w"}})", R"({"name":"a","number":1,"texts":["k"]})", R"({"name":"a","number":null})",
        R"({"name":"a","number":1,"other":null})", R"({"name":"a","number":true})", R"({"name":"a","number":1,"truth":1})",
        R"({"name":"a","number":1,"truth":"true"})", R"({"name":"a","number":1,"truth":tru})", R"({"name":"a","number":1,"truth":truex})", R"(["name"])", R"({"name)", R"({"name":"a","number":1,"other":"})"}) {
    Sample sample;
    INFO(text);
    CHECK_FALSE(reads(text, sample));
  }
}

TEST_CASE("a record with very many fields is left to the general reader", "[flat_json]") {
  std::string text = R"({"name":"a","number":1)";
  for (int i = 0; i < 40; ++i) text += ",\"f" + std::to_string(i) + "\":\"\"";
  Sample sample;
  CHECK_FALSE(reads(text + "}", sample));
}

}  // namespace
}  // namespace slipway
