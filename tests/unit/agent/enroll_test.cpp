#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "agent/service/status.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "tests/support/service_fixture.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {
WallTime wall(std::int64_t seconds) {
  return WallTime(Seconds(seconds));
}
const std::string k_pin(64, 'a');
}  // namespace

TEST_CASE("a join token is taken apart, and a damaged one named", "[agent][enroll]") {
  const auto token = parse_pinned_token("  slipway1" + k_pin + "::abc123.abcdefghijklmnopqrstuvwxyz234567\n");
  REQUIRE(token);
  CHECK(token->ca_sha256 == k_pin);
  CHECK(token->id == "abc123");
  CHECK(token->credential.reveal() == "abc123.abcdefghijklmnopqrstuvwxyz234567");

  const std::vector<std::string> bad = {"",
                                        "slipway2" + k_pin + "::abc123.abcdefghijklmnopqrst",
                                        "slipway1" + k_pin + ":abc123.abcdefghijklmnopqrst",
                                        "slipway1" + k_pin.substr(1) + "::abc123.abcdefghijklmnopqrst",
                                        "slipway1" + k_pin + "::abc12.abcdefghijklmnopqrst",
                                        "slipway1" + k_pin + "::abc123.short",
                                        "slipway1" + k_pin + "::abc123.abcdefghij klmnopqrst"};
  for (const std::string& text : bad) {
    const auto refused = parse_pinned_token(text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
    CHECK(refused.error().message.find("abcdefghij") == std::string::npos);
  }
}

TEST_CASE("the way in: certificate, then key, then token, then waiting", "[agent][enroll]") {
  EnrollmentFacts facts;
  CHECK(first_step(facts, wall(100)) == EnrollmentStep::use_token);
  CHECK(step_without_token(facts) == EnrollmentStep::wait);
  facts.identity = facts.agent_key = facts.fabric_ca = true;
  facts.agent_not_after = wall(200);
  CHECK(first_step(facts, wall(199)) == EnrollmentStep::use_identity);
  CHECK(first_step(facts, wall(200)) == EnrollmentStep::prove_key);
  facts.identity = false;  // killed before the join was written down
  CHECK(first_step(facts, wall(100)) == EnrollmentStep::use_token);
  CHECK(step_without_token(facts) == EnrollmentStep::prove_key);
}

TEST_CASE("joining by token, and never reading it again", "[agent][enroll]") {
  ServiceFixture world;
  AgentLife first(world);
  REQUIRE(first.attempt());
  CHECK(world.token_reads == 1);
  CHECK(world.coordinator.last_trust->ca_sha256 == world.coordinator.pin);
  CHECK(world.coordinator.last_join->csrs.size() == 4);
  CHECK(first.state.identity->pod_cidr == "10.10.3.0/24");
  CHECK_FALSE(world.coordinator.used_chain.empty());

  world.token_text = make_error(Errc::invalid, "garbage");
  AgentLife second(world);
  REQUIRE(second.attempt());
  CHECK(world.token_reads == 1);
  CHECK(world.coordinator.joins == 1);
  CHECK(second.state.identity == first.state.identity);
}

TEST_CASE("an expired certificate is replaced by proof of the stored key, without the token",
          "[agent][enroll]") {
  ServiceFixture world;
  AgentLife first(world);
  REQUIRE(first.attempt());
  world.clock.advance(std::chrono::hours(48));
  world.token_text = make_error(Errc::not_found, "no token");
  AgentLife second(world);
  REQUIRE(second.attempt());
  CHECK(world.token_reads == 1);
  CHECK(world.coordinator.last_join->token.empty());
  CHECK(world.coordinator.last_trust->ca_sha256.empty());
  CHECK_FALSE(world.coordinator.last_trust->ca_pem.empty());
  CHECK(world.coordinator.agent_keys.size() == 1);
}

TEST_CASE("the token's file goes when the token has done its work, and only then", "[agent][enroll]") {
  ServiceFixture world;
  AgentLife first(world);
  world.coordinator.refusal = make_error(Errc::denied, "not now");
  CHECK_FALSE(first.attempt());
  CHECK(world.token_deletions == 0);
  world.coordinator.refusal.reset();
  REQUIRE(first.attempt());
  CHECK(world.token_deletions == 1);
  world.clock.advance(std::chrono::hours(48));
  AgentLife second(world);  // comes back by its key
  REQUIRE(second.attempt());
  CHECK(world.token_deletions == 1);
}

TEST_CASE("a token that cannot be deleted does not keep a host from joining", "[agent][enroll]") {
  ServiceFixture world;
  world.deleting_token = make_error(Errc::internal, "read-only file system");
  AgentLife life(world);
  REQUIRE(life.attempt());
  CHECK(world.token_deletions == 1);
}

TEST_CASE("a master asks for the control plane's certificates as well", "[agent][enroll]") {
  ServiceFixture world;
  world.coordinator.role = "master";
  world.coordinator.address = "10.77.0.10";
  AgentLife life(world);
  const Status joined = life.attempt();
  INFO((joined ? std::string() : joined.error().message));
  REQUIRE(joined);
  CHECK(world.coordinator.last_join->csrs.size() == 12);
}

TEST_CASE("killed at any write, the next life joins with the same key and one token use", "[agent][enroll]") {
  int kills = 0;
  for (int writes = 0; writes < 40; ++writes) {
    ServiceFixture world;
    AgentLife doomed(world, writes);
    const Status first = doomed.attempt();
    if (first) break;  // it no longer dies
    ++kills;
    INFO("killed at write " << writes);
    REQUIRE(doomed.store.dead());
    AgentLife next(world);
    const Status second = next.attempt();
    INFO((second ? std::string() : second.error().message));
    REQUIRE(second);
    CHECK(world.coordinator.agent_keys.size() == 1);
    CHECK(world.coordinator.token_uses == 0);
    AgentLife third(world);
    const int joins = world.coordinator.joins;
    REQUIRE(third.attempt());
    CHECK(world.coordinator.joins == joins);
    CHECK_FALSE(world.token_text);  // no life leaves the token behind
  }
  CHECK(kills >= 13);  // 4 keys, 4 bundles, 4 certificates, the identity
}

TEST_CASE("a lost answer is asked for again with the same keys", "[agent][enroll]") {
  ServiceFixture world;
  world.coordinator.lose_answers = 2;
  AgentLife life(world);
  CHECK_FALSE(life.attempt());
  const auto keys = world.coordinator.agent_keys;
  CHECK_FALSE(life.attempt());
  REQUIRE(life.attempt());
  CHECK(world.coordinator.agent_keys == keys);
  CHECK(world.coordinator.token_uses == 0);
}

TEST_CASE("refusals are tried again slowly, failures quickly, and a missing token is looked for",
          "[agent][enroll]") {
  ServiceFixture world;
  AgentLife life(world);
  world.token_text = make_error(Errc::not_found, "no token in /etc/slipway/join.token");
  Status tried = life.attempt();
  REQUIRE_FALSE(tried);
  CHECK(tried.error().message.find("no join token to use") != std::string::npos);
  CHECK(life.enroller.wait_after(tried.error()) == Millis(10'000));

  world.token_text = world.coordinator.token();
  world.coordinator.refusal = make_error(Errc::denied, "the join was refused");
  Millis longest{};
  for (int i = 0; i < 12; ++i) {
    tried = life.attempt();
    REQUIRE_FALSE(tried);
    const Millis wait = life.enroller.wait_after(tried.error());
    CHECK(wait <= Millis(300'000));
    if (i == 0) CHECK(wait <= Millis(5'000));
    longest = std::max(longest, wait);
  }
  CHECK(longest >= Millis(150'000));
  CHECK(join_cure(tried.error(), EnrollmentStep::use_token, "node1", "/etc/slipway/join.token")
            .find("slipwayctl token create") != std::string::npos);

  world.coordinator.refusal = make_error(Errc::unavailable, "connection refused");
  for (int i = 0; i < 12; ++i) {
    tried = life.attempt();
    CHECK(life.enroller.wait_after(tried.error()) <= Millis(60'000));
  }
  world.coordinator.refusal.reset();
  REQUIRE(life.attempt());
}

TEST_CASE("a wait is never shorter than the coordinator asks", "[agent][enroll]") {
  Error error = make_error(Errc::too_many, "slow down");
  CHECK(polite_wait(Millis(1'234), error) == Millis(1'234));
  error.retry_after = 10;
  CHECK(polite_wait(Millis(30'000), error) == Millis(30'000));
  std::set<Millis> waits;
  for (int own = 500; own < 1'000; own += 7) {
    const Millis wait = polite_wait(Millis(own), error);
    CHECK(wait >= Millis(10'000));
    CHECK(wait < Millis(12'500));
    waits.insert(wait);
  }
  CHECK(waits.size() > 50);  // hosts do not come back in step
}

TEST_CASE("an operator's no is known by its code, whatever it says and however the host asked", "[agent][enroll]") {
  const auto cure = [](Cause cause, EnrollmentStep step) {
    return join_cure(make_error(Errc::denied, cause, "slipwayctl node approve node1"), step, "node1", "/etc/slipway/join.token");
  };
  for (const EnrollmentStep step : {EnrollmentStep::use_token, EnrollmentStep::prove_key}) CHECK(cure(Cause::host_denied, step).empty());
  CHECK(cure(Cause::none, EnrollmentStep::use_token).find("token create") != std::string::npos);
  CHECK(cure(Cause::none, EnrollmentStep::prove_key).find("does not know") != std::string::npos);
  CHECK(cure(Cause::none, EnrollmentStep::prove_key).ends_with(k_join_anew));
}

TEST_CASE("the agent waits for an operator's approval and says so", "[agent][enroll]") {
  ServiceFixture world;
  AgentLife life(world);
  world.coordinator.refusal = make_error(Errc::pending, "waiting for approval: slipwayctl node approve node1");
  world.coordinator.refusal->retry_after = 10;
  const auto running = world.io.start(life.enroller.run());
  const auto sleep_once = [&] {
    while (world.clock.sleeper_count() == 0) world.io.poll();
    const Millis wait = *world.clock.next_wake();
    const int joins = world.coordinator.joins;
    world.clock.advance(wait);
    while (world.coordinator.joins == joins) world.io.poll();
    return wait;
  };
  for (int i = 0; i < 8; ++i) {
    const Millis wait = sleep_once();
    CHECK(wait >= Millis(10'000));
    CHECK(wait <= Millis(60'000));
    CHECK(life.state.join_state == "pending");
    CHECK(life.state.join_message == "waiting for approval: slipwayctl node approve node1");
  }
  while (world.clock.sleeper_count() == 0) world.io.poll();
  CHECK(build_local_status(life.state, world.clock.wall()).join_state == "pending");
  world.coordinator.refusal = make_error(Errc::denied, Cause::host_denied, "an operator refused node node1: no");
  sleep_once();
  while (world.clock.sleeper_count() == 0) world.io.poll();
  CHECK(life.state.join_state == "refused");
  CHECK(life.state.join_message.find("token create") == std::string::npos);
  world.coordinator.refusal.reset();
  sleep_once();
  while (!running->done) world.io.poll();
  CHECK(*running->value);
  CHECK(life.state.join_state.empty());
  CHECK(world.coordinator.token_uses == 0);
}

TEST_CASE("an answer for another node, another key or from another CA is not kept", "[agent][enroll]") {
  ServiceFixture world;
  SECTION("another node") {
    auto other = world.settings();
    world.coordinator.node_name = "node2";  // certificates say node2, the answer repeats what was asked
    AgentLife life(world);
    Enroller enroller(other, life.deps(), 1);
    const Status tried = world.io.run(enroller.attempt());
    REQUIRE_FALSE(tried);
    CHECK(tried.error().code == Errc::corrupt);
    CHECK(tried.error().message.find("names another node") != std::string::npos);
    CHECK_FALSE(life.store.pair("kubeletClient")->has_value());
  }
  SECTION("already over") {
    world.coordinator.life = Seconds(-100);
    AgentLife life(world);
    const Status tried = life.attempt();
    REQUIRE_FALSE(tried);
    CHECK(tried.error().message.find("compare the clocks") != std::string::npos);
    CHECK_FALSE(life.store.identity()->has_value());
  }
  SECTION("another key") {
    AgentLife life(world);
    const std::vector<std::string> usages = {"agent"};
    auto mine = prepare_keys(life.store, usages, KeyChoice::new_key).value();
    auto other = PrivateKey::generate_p256().value();
    IssuedCertificates issued;
    proto::JoinRequest request;
    request.token = world.coordinator.credential;
    request.node_name = "node1";
    request.csrs["agent"] = make_csr(other).value();
    issued.certificates = world.io.run(world.coordinator.join(request, {world.coordinator.pin, ""})).value().certificates;
    issued.ca_bundles["fabric"] = service_authority().ca(CaKind::fabric).pem;
    const Status checked = check_issued(issued, usages_of_role("node"), mine,
                                        {"node1", world.coordinator.node_uid}, world.clock.wall());
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message.find("another key") != std::string::npos);
  }
}
