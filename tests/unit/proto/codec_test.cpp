#include "proto/codec.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace slipway::proto {
namespace {

std::string refusal(const std::string& json) {
  const auto value = decode<TokenRequest>(json);
  return value ? "taken" : value.error().message;
}

// Reading it took minutes when each end of a map was a search through all maps before it.
TEST_CASE("a list of very many small maps is read", "[codec]") {
  std::string list = "[";
  for (int i = 0; i < 200'000; ++i) list += "{},";
  list.back() = ']';
  CHECK(refusal(R"({"unknown":)" + list + "}") == refusal(R"({"unknown":[]})"));
  CHECK(refusal(R"({"unknown":[{"b":1,"b":2}]})").find("stands twice") != std::string::npos);
}

TEST_CASE("decode names the field that is wrong", "[proto]") {
  CHECK(refusal(R"({"ttl": 5})") == "/ttl must be text");
  CHECK(refusal(R"({"maxUses": "5"})") == "/maxUses must be a whole number, not negative");
  CHECK(refusal(R"({"maxUses": -1})") == "/maxUses must be a whole number, not negative");
  CHECK(refusal(R"({"maxUses": 1.5})") == "/maxUses must be a whole number, not negative");
  CHECK(refusal("[]") == "the document must be a map");
  CHECK(refusal("") == "not valid JSON");
  CHECK(refusal("{} {}") == "not valid JSON");
  const auto reply = decode<TokenReply>(R"({"id": "abcdef"})");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == Errc::invalid);
  CHECK(reply.error().message == "/token is missing");
}

TEST_CASE("decode names the item in a list and the key in a map", "[proto]") {
  const auto nodes = decode<NodeStatusReport>(
      R"({"phase": "Running", "appliedRevision": 1, "conditions": [{"type": "A", "ok": 1}]})");
  REQUIRE_FALSE(nodes);
  CHECK(nodes.error().message == "/conditions/0/ok must be true or false");
  const auto renew = decode<RenewRequest>(R"({"csrs": {"agent": 7}})");
  REQUIRE_FALSE(renew);
  CHECK(renew.error().message == "/csrs/agent must be text");
  CHECK(renew.error().pointer == "/csrs/agent");
  CHECK(decode<RenewRequest>(R"({"csrs": {"a/b": 7}})").error().pointer == "/csrs/a~1b");
  CHECK(decode<RenewRequest>("{}").error().pointer == "/csrs");
  CHECK(decode<RenewRequest>("[]").error().pointer.empty());
}

TEST_CASE("decode ignores what newer peers send, decode_strict does not", "[proto]") {
  const std::string newer = R"({"ttl": "1h", "flavour": "gpu"})";
  REQUIRE(decode<TokenRequest>(newer));
  const auto strict = decode_strict<TokenRequest>(newer);
  REQUIRE_FALSE(strict);
  CHECK(strict.error().message == "/flavour is not a field that is known here: there are ttl, maxUses, role, node, pool, sources");
  const auto deep = decode_strict<NodeStatusReport>(
      R"({"phase": "x", "appliedRevision": 0, "conditions": [{"type": "A", "ok": true, "okay": true}]})");
  REQUIRE_FALSE(deep);
  CHECK(deep.error().message.starts_with("/conditions/0/okay is not a field that is known here"));
  CHECK(deep.error().pointer == "/conditions/0/okay");
  CHECK(decode_strict<TokenRequest>(R"({"flavour": null})").error().pointer == "/flavour");
  CHECK(decode_strict<TokenRequest>(R"({"a/b~c": 1})").error().pointer == "/a~1b~0c");
}

TEST_CASE("decode_strict tells all that is wrong, and what was probably meant", "[proto]") {
  const auto strict = decode_strict<TokenRequest>(R"({"tll": "1h", "maxUses": "ten", "role": 7, "sources": ["a", 1, 2]})");
  REQUIRE_FALSE(strict);
  CHECK(strict.error().message ==
        "/maxUses must be a whole number, not negative\n/role must be text\n/sources/1 must be text\n/sources/2 must be text\n"
        "/tll is not a field that is known here; did you mean ttl?");
  CHECK(strict.error().pointer == "/maxUses");
  const auto loose = decode<TokenRequest>(R"({"maxUses": "ten", "role": 7})");
  REQUIRE_FALSE(loose);
  CHECK(loose.error().message == "/maxUses must be a whole number, not negative");
  std::string many = R"({"sources": [1)";
  for (int i = 0; i < 500; ++i) many += ",1";
  const std::string text = decode_strict<TokenRequest>(many + "]}").error().message;
  CHECK(std::count(text.begin(), text.end(), '\n') == 49);
}

TEST_CASE("settings of other programs pass through unread", "[proto]") {
  const std::string text = R"({"config":{"evictionHard":{"memory.available":"100Mi"},"list":[1,2,null]}})";
  const auto value = decode_strict<RawConfig>(text);
  REQUIRE(value);
  CHECK(encode(*value) == text);
  const auto wrong = decode<RawConfig>(R"({"config": []})");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message == "/config must be a map");
}

TEST_CASE("hostile documents are refused before they cost anything", "[proto]") {
  CHECK(refusal(std::string(100'000, '[')) == "the document is nested too deeply");
  std::string nested = R"({"a":)";
  for (int i = 0; i < 40; ++i) nested += R"({"a":)";
  CHECK(refusal(nested) == "the document is nested too deeply");
  CHECK(refusal(R"({"ttl": "1h", "ttl": "2h"})") == "the key \"ttl\" stands twice in one map");
  CHECK(refusal("{\"ttl\": \"\xff\"}") == "not valid JSON");
  CHECK(refusal(R"({"maxUses": 1e400})") != "taken");
  CHECK(refusal(R"({"maxUses": 99999999999999999999999})") ==
        "/maxUses must be a whole number, not negative");
}

TEST_CASE("what cannot be said in UTF-8 is replaced, not thrown at", "[proto]") {
  TokenRequest request;
  request.node = "a\xff";
  CHECK(encode(request).find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("every text comes out as the library would write it, in values and in keys", "[proto]") {
  const std::vector<std::string> texts = {
      "", "plain", "two\nlines\n", "\"", "back\\slash", "tab\t", std::string("nul\0byte", 8), "\x1f", "\x7f", "\xC3\xA4\n\"", "\xff\n"};
  for (const std::string& text : texts) {
    const std::string expected = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    RenewRequest request;
    request.csrs[text] = text;
    CHECK(encode(request) == R"({"csrs":{)" + expected + ":" + expected + "}}");
  }
}

TEST_CASE("lists, maps, numbers and truths are read back as they were written", "[proto]") {
  NodeStatusReport report;
  report.phase = "Running";
  report.applied_revision = 18446744073709551615ULL;
  report.conditions = {{"A", true, "", ""}, {"B", false, "", "because"}};
  const auto back = decode_strict<NodeStatusReport>(encode(report));
  REQUIRE(back);
  CHECK(back->applied_revision == report.applied_revision);
  REQUIRE(back->conditions.size() == 2);
  CHECK(back->conditions[0].ok);
  CHECK(back->conditions[1].type == "B");
  CHECK_FALSE(back->conditions[1].ok);
  CHECK(encode(RenewRequest{}) == R"({"csrs":{}})");
}

TEST_CASE("pretty leaves alone what is not JSON", "[proto]") {
  CHECK(pretty("{\"b\":1,\"a\":[]}") == "{\n  \"a\": [],\n  \"b\": 1\n}");
  CHECK(pretty("ok") == "ok");
}

TEST_CASE("absent artifacts stay absent", "[proto]") {
  const auto component = decode<ComponentRef>(R"({"name":"kubelet","version":"1.20.2","role":"node"})");
  REQUIRE(component);
  CHECK_FALSE(component->artifact.has_value());
  CHECK(encode(*component) == R"({"name":"kubelet","version":"1.20.2","role":"node"})");
}

}  // namespace
}  // namespace slipway::proto
