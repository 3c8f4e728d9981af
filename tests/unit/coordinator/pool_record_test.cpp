#include "coordinator/domain/pool_record.hpp"

#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "coordinator/domain/pool_forecast.hpp"

namespace slipway {
namespace {

PoolRecord record(const std::vector<std::string>& ranges, int length = 24) {
  PoolRecord pool;
  pool.name = "blue";
  for (const std::string& range : ranges) pool.ranges.push_back(Cidr::parse(range).value());
  pool.node_prefix_length = length;
  return pool;
}
std::string problems(const PoolRecord& pool) { return join(pool_problems(pool, "").lines(), "\n"); }

TEST_CASE("a selector matches when all its criteria do", "[ledger][pools]") {
  CHECK(selects({}, "n1", NodeRole::node));
  CHECK(selects({NodeRole::master, "", false}, "m1", NodeRole::master));
  CHECK_FALSE(selects({NodeRole::master, "", false}, "m1", NodeRole::node));
  CHECK_FALSE(selects({NodeRole::master, "x*", false}, "m1", NodeRole::master));
  CHECK(specificity({NodeRole::node, "x*", false}) > specificity({std::nullopt, "x*", false}));
  CHECK(specificity({std::nullopt, "x*", false}) > specificity({NodeRole::node, "", false}));
  CHECK(specificity({NodeRole::node, "", false}) > specificity({}));
}

TEST_CASE("what is wrong with a pool is told field by field", "[ledger][pools]") {
  CHECK(problems(record({"10.20.0.0/16", "10.30.0.0/16"})).empty());
  CHECK(problems(record({"fd00:20::/48"}, 64)).empty());
  CHECK(problems(record({})).find("/ranges: is empty") != std::string::npos);
  CHECK(problems(record({"10.20.0.0/16", "fd00::/48"})).find("/ranges/1: fd00::/48 is of another family than 10.20.0.0/16") != std::string::npos);
  CHECK(problems(record({"10.20.0.0/16", "10.20.4.0/22"})).find("overlaps 10.20.0.0/16 of the same pool") != std::string::npos);
  CHECK(problems(record({"127.0.0.0/16"})).find("127.0.0.0/8 (loopback)") != std::string::npos);
  CHECK(problems(record({"2001:db8::/48"}, 64)).find("documentation") != std::string::npos);
  CHECK(problems(record({"fe80::/16"}, 32)).find("link-local") != std::string::npos);
  CHECK(problems(record({"10.20.0.0/25"})).find("cannot be cut") != std::string::npos);
  CHECK(problems(record({"10.20.0.0/16"}, 30)).find("nodePrefixLength: 30 is out of bounds") != std::string::npos);
  CHECK(problems(record({"fd00::/16"}, 64)).find("more than 2^24 blocks") != std::string::npos);
  PoolRecord pool = record({"10.20.0.0/16"});
  pool.selector.name_pattern = "n\n";
  pool.name = "Blue";
  CHECK(problems(pool).find("/name: ") != std::string::npos);
  CHECK(problems(pool).find("/namePattern: ") != std::string::npos);
}

TEST_CASE("an overlap names the owner", "[ledger][pools]") {
  const std::vector<OccupiedRange> occupied = {{Cidr::parse("172.17.0.0/16").value(), "docker0 of node n1"},
                                               {Cidr::parse("10.0.0.0/16").value(), "network.serviceCIDR"}};
  const auto found = overlap_problems({Cidr::parse("172.16.0.0/12").value(), Cidr::parse("10.20.0.0/16").value()}, occupied);
  CHECK(found == std::vector<std::string>{"172.16.0.0/12 overlaps 172.17.0.0/16 of docker0 of node n1: choose another range"});
}

TEST_CASE("levels of a pool", "[ledger][pools]") {
  CHECK(pool_level(0.7999) == PoolLevel::ok);
  CHECK(pool_level(0.80) == PoolLevel::warning);
  CHECK(pool_level(0.9499) == PoolLevel::warning);
  CHECK(pool_level(0.95) == PoolLevel::critical);
  CHECK(pool_level(1.0) == PoolLevel::critical);
}

WallTime hour(int hours) { return WallTime(Seconds(1'790'000'000 + hours * 3600)); }

TEST_CASE("samples come every four hours and a week of them is kept", "[ledger][pools]") {
  std::vector<PoolSample> history;
  CHECK(add_sample(history, {hour(0), 1}));
  CHECK_FALSE(add_sample(history, {hour(3), 2}));
  CHECK_FALSE(add_sample(history, {hour(-9), 2}));
  for (int i = 1; i <= 100; ++i) CHECK(add_sample(history, {hour(4 * i), static_cast<std::uint64_t>(i)}));
  CHECK(history.size() == k_sample_limit);
  CHECK(history.front().used == 58);
}

TEST_CASE("the forecast goes on as the last days went", "[ledger][pools]") {
  std::vector<PoolSample> history;
  CHECK_FALSE(exhaustion(history, {hour(0), 10}, 100));  // nothing is known
  for (int i = 0; i < 12; ++i) history.push_back({hour(4 * i), static_cast<std::uint64_t>(10 + 4 * i)});  // one an hour
  const auto when = exhaustion(history, {hour(48), 58}, 100);
  REQUIRE(when);
  CHECK(*when == hour(148));
  CHECK(exhaustion(history, {hour(48), 58}, 0) == hour(48));
  CHECK(exhaustion(history, {hour(48), 58}, 1'000'000) == std::nullopt);  // in more than ten years
  history.clear();
  for (int i = 0; i < 12; ++i) history.push_back({hour(4 * i), static_cast<std::uint64_t>(40 - i)});
  CHECK_FALSE(exhaustion(history, {hour(48), 28}, 100));  // it empties
  // Steady for days, then a rush: the last day counts.
  history.clear();
  for (int i = 0; i < 36; ++i) history.push_back({hour(4 * i), static_cast<std::uint64_t>(i < 30 ? 100 : 100 + (i - 30) * 40)});
  const auto soon = exhaustion(history, {hour(144), 340}, 100);
  REQUIRE(soon);
  CHECK(*soon < hour(144 + 13));
  CHECK(*soon > hour(144 + 8));
}

}  // namespace
}  // namespace slipway
