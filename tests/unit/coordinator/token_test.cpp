#include <catch2/catch.hpp>

#include "coordinator/domain/join_token.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using test::fake_hash;
using test::k_start;

TEST_CASE("a token's wish is checked") {
  const std::string hash = fake_hash("x");
  const auto make = [&](TokenSpec spec) { return make_token(spec, "abc123", hash, k_start); };
  const auto good = make({Seconds(3600), 3, NodeRole::master, "m0"});
  REQUIRE(good);
  CHECK(good->expires_at == k_start + Seconds(3600));
  CHECK(good->role == NodeRole::master);
  CHECK(good->uses == 0);
  CHECK(make({Seconds(7 * 86400), 1, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(7 * 86400 + 1), 1, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(59), 1, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(-1), 1, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(3600), 0, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(3600), k_max_token_uses + 1, NodeRole::node, ""}));
  CHECK_FALSE(make({Seconds(3600), 1, NodeRole::node, "Not A Name"}));
  CHECK_FALSE(make_token({}, "ABC123", hash, k_start));
  CHECK_FALSE(make_token({}, "abc12", hash, k_start));
  CHECK_FALSE(make_token({}, "abc123", "short", k_start));
}

TEST_CASE("a token's text is split by its form") {
  const std::string secret = token_secret_text(std::string(k_token_secret_bytes, '\x5a'));
  CHECK(secret.size() == 32);
  const std::string text = "abc123." + secret;
  const auto parts = split_token(text);
  REQUIRE(parts);
  CHECK(parts->id == "abc123");
  CHECK(parts->secret == secret);
  for (const char* bad : {"", ".", "abc123", "abc123.", "ABC123.x", "abc12.x", "abc1234.x", "äbc12.x"}) {
    CHECK_FALSE(split_token(bad));
  }
  CHECK_FALSE(split_token("abc123." + std::string(200, 'a')));
}

TEST_CASE("each reason to refuse a token is told apart for operators") {
  JoinToken token{"abc123", fake_hash("s"), NodeRole::node, "n1", 0, 2, k_start, k_start + Seconds(60)};
  const PresentedToken right{"abc123", fake_hash("s")};
  const PresentedToken wrong{"abc123", fake_hash("t")};
  const auto verdict = [&](const JoinToken* known, const PresentedToken& shown, const char* node, NodeRole role, int after) {
    return check_token(known, shown, {node, role, IpAddress::v4(0x0a4d0015)}, k_start + Seconds(after));
  };
  CHECK(verdict(&token, right, "n1", NodeRole::node, 59) == TokenVerdict::valid);
  CHECK(verdict(&token, right, "n1", NodeRole::node, 60) == TokenVerdict::expired);
  CHECK(verdict(&token, right, "n2", NodeRole::node, 0) == TokenVerdict::wrong_node);
  CHECK(verdict(&token, right, "n1", NodeRole::master, 0) == TokenVerdict::wrong_role);
  CHECK(verdict(&token, wrong, "n1", NodeRole::node, 0) == TokenVerdict::wrong_secret);
  CHECK(verdict(&token, {"abc123", ""}, "n1", NodeRole::node, 0) == TokenVerdict::wrong_secret);
  CHECK(verdict(nullptr, right, "n1", NodeRole::node, 0) == TokenVerdict::unknown);
  CHECK(verdict(nullptr, {"abc123", std::string(64, '0')}, "n1", NodeRole::node, 0) == TokenVerdict::unknown);
  // Who does not know the secret learns nothing of the rest.
  token.uses = 2;
  CHECK(verdict(&token, wrong, "n1", NodeRole::node, 0) == TokenVerdict::wrong_secret);
  CHECK(verdict(&token, right, "n1", NodeRole::node, 0) == TokenVerdict::used_up);
  CHECK(token_state(token, k_start) == "used-up");
  token.uses = 1;
  CHECK(token_state(token, k_start) == "valid");
  CHECK(token_state(token, k_start + Seconds(60)) == "expired");
}

TEST_CASE("a name pattern of a token must stand for names that nodes can have") {
  const auto make = [](const std::string& node) {
    TokenSpec spec;
    spec.node = node;
    return make_token(spec, "abc123", fake_hash("x"), k_start);
  };
  CHECK(make("web-*"));
  CHECK(make("*-db"));
  for (const char* bad : {"*", "**", "-*", "Web-*", "web_*", "web-*-", "*.", "a..*"}) {
    INFO(bad);
    CHECK_FALSE(make(bad));
  }
  CHECK_FALSE(make(std::string(63, 'a') + "*"));
}

TEST_CASE("a token may be bound to a pattern, a pool and source ranges") {
  TokenSpec spec;
  spec.node = "web-*";
  spec.pool = "gpu";
  spec.sources = {*Cidr::parse("10.77.1.0/24"), *Cidr::parse("10.77.2.5/32")};
  const auto token = make_token(spec, "abc123", fake_hash("s"), k_start);
  REQUIRE(token);
  CHECK(token->pool == "gpu");
  const auto verdict = [&](const char* name, const char* from) {
    return check_token(&*token, {"abc123", fake_hash("s")}, {name, NodeRole::node, *IpAddress::parse(from)}, k_start);
  };
  CHECK(verdict("web-1", "10.77.1.200") == TokenVerdict::valid);
  CHECK(verdict("web-1", "10.77.2.5") == TokenVerdict::valid);
  CHECK(verdict("web-1", "10.77.2.6") == TokenVerdict::wrong_source);
  CHECK(verdict("db-1", "10.77.1.200") == TokenVerdict::wrong_node);
  CHECK_FALSE(cure_of(TokenVerdict::wrong_source).empty());
  CHECK(knows_secret(TokenVerdict::wrong_source));
  CHECK_FALSE(knows_secret(TokenVerdict::wrong_secret));
  CHECK_FALSE(knows_secret(TokenVerdict::unknown));
  spec.pool = "Not A Pool";
  CHECK_FALSE(make_token(spec, "abc123", fake_hash("s"), k_start));
  spec.pool.clear();
  spec.sources.assign(k_max_token_sources + 1, *Cidr::parse("10.0.0.0/8"));
  CHECK_FALSE(make_token(spec, "abc123", fake_hash("s"), k_start));
}

}  // namespace
}  // namespace slipway
