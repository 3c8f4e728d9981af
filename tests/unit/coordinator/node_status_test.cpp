#include "coordinator/service/node_status.hpp"

#include <catch2/catch.hpp>

#include "coordinator/service/join_limiter.hpp"
#include "coordinator/service/nat_sources.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

using namespace test;
using namespace std::chrono_literals;

State two_nodes() {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  REQUIRE(apply(state, CreateToken{demo_token("many00", 10)}, changes));
  for (int i = 1; i <= 2; ++i) {
    const std::string n = std::to_string(i);
    REQUIRE(apply(state, demo_admit(state, demo_request("n" + n, 20 + i, "k" + n, "many00"), "uid-" + n, "s" + n), changes));
  }
  return state;
}

TEST_CASE("what all live nodes have applied is the least of them") {
  ManualClock clock;
  NodeStatusBoard board(clock, 10min);
  const State state = two_nodes();
  CHECK(board.acknowledged(state) == 0);  // not heard of since our start: they count
  board.contact("uid-1", 4);
  board.set_pod_cidr_published("uid-2", true);  // is no word of the node
  CHECK(board.acknowledged(state) == 0);
  board.contact("uid-2", 3);
  CHECK(board.acknowledged(state) == 3);
  clock.advance(9min);
  board.contact("uid-1", state.desired_revision() + 7);
  CHECK(board.acknowledged(state) == 3);
  clock.advance(1min);  // uid-2 is silent for too long
  CHECK(board.acknowledged(state) == state.desired_revision());
  clock.advance(10min);
  CHECK(board.acknowledged(state) == state.desired_revision());
}

TEST_CASE("a node's word is cut to size and shown") {
  ManualClock clock;
  NodeStatusBoard board(clock);
  const State state = two_nodes();
  const Node& node = *state.node("n1");
  CHECK(node_view(state, node, board.find("uid-1")).phase == "Joining");
  CHECK(node_view(state, node, nullptr).certificates.size() == usages_of_node().size());
  proto::NodeStatusReport report;
  report.phase = "Running";
  report.applied_revision = 4;
  report.last_error = std::string(100'000, 'x');
  report.conditions.resize(1000, {"Type", true, "", std::string(10'000, 'y')});
  board.report("uid-1", report);
  const auto view = node_view(state, node, board.find("uid-1"));
  CHECK(view.phase == "Running");
  CHECK(view.applied_revision == 4);
  CHECK(view.last_contact == to_rfc3339(clock.wall()));
  CHECK(view.conditions.size() == 32);
  CHECK(view.conditions[0].message.size() == 512);
  CHECK(view.last_error.size() == 2048);
  board.contact("uid-gone", 1);
  board.prune(state);
  CHECK(board.size() == 1);
}

TEST_CASE("the last report again is a sign of life and is not read") {
  ManualClock clock;
  NodeStatusBoard board(clock);
  proto::NodeStatusReport report;
  report.phase = "Running";
  report.applied_revision = 4;
  const std::uint64_t mark = report_mark("the bytes");
  CHECK(mark != report_mark("other bytes"));
  CHECK_FALSE(board.repeat("uid-1", mark));  // nothing was said yet
  board.report("uid-1", report, Origin::home, mark);
  board.contact("uid-1", 9);
  clock.advance(1min);
  const std::uint64_t before = board.change_count();
  CHECK_FALSE(board.repeat("uid-1", report_mark("other bytes")));
  CHECK(board.find("uid-1")->last_contact < clock.wall());
  CHECK(board.repeat("uid-1", mark));
  CHECK(board.find("uid-1")->last_contact == clock.wall());
  CHECK(board.find("uid-1")->applied_revision == 4);  // what that report says
  CHECK(board.change_count() == before);
  CHECK_FALSE(board.repeat("uid-2", mark));  // another node's words
  board.report("uid-1", report);             // without a mark nothing is known to be the same
  CHECK_FALSE(board.repeat("uid-1", 0));
  board.forget("uid-1");
  CHECK_FALSE(board.repeat("uid-1", mark));
}

TEST_CASE("failed joins of one address slow it, not others") {
  ManualClock clock;
  JoinLimiter limiter(clock, {3, 0.5, 100, 10, 100});
  const IpAddress bad = *IpAddress::parse("10.77.0.66");
  const IpAddress good = *IpAddress::parse("10.77.0.20");
  for (int i = 0; i < 3; ++i) {
    CHECK(limiter.ask(bad) == JoinLimiter::Decision::go);
    limiter.failed(bad);
  }
  CHECK(limiter.ask(bad) == JoinLimiter::Decision::show_token_first);
  CHECK(limiter.ask(good) == JoinLimiter::Decision::go);
  CHECK(limiter.retry_after(bad) == Seconds(3));
  clock.advance(2s);
  CHECK(limiter.ask(bad) == JoinLimiter::Decision::go);
  limiter.failed(bad);
  CHECK(limiter.ask(bad) == JoinLimiter::Decision::show_token_first);
}

TEST_CASE("a fleet behind one listed address fails as a fleet, and leaves others their half") {
  ManualClock clock;
  NatSources nat;
  nat.set({*Cidr::parse("203.0.113.7/32")});
  JoinLimiter limiter(clock, {3, 0.5, 100, 10, 100}, &nat);
  const IpAddress fleet = *IpAddress::parse("203.0.113.7");
  const IpAddress other = *IpAddress::parse("203.0.113.8");
  for (int i = 0; i < 50; ++i) {
    CHECK(limiter.ask(fleet) == JoinLimiter::Decision::go);
    limiter.failed(fleet);
  }
  // A neighbour has used up what a fleet may fail: the others there stand as all do when the total is used up, and the total is not.
  CHECK(limiter.ask(fleet) == JoinLimiter::Decision::show_token_first);
  CHECK(limiter.ask(other) == JoinLimiter::Decision::go);
  CHECK(limiter.retry_after(fleet) == Seconds(2));
  clock.advance(200ms);  // a fleet is forgiven five failures a second
  CHECK(limiter.ask(fleet) == JoinLimiter::Decision::go);
  for (int i = 0; i < 3; ++i) limiter.failed(other);
  CHECK(limiter.ask(other) == JoinLimiter::Decision::show_token_first);
  // What is taken off the list is one address again, with all that it has failed.
  nat.set({});
  CHECK(limiter.ask(fleet) == JoinLimiter::Decision::show_token_first);
}

TEST_CASE("when all together fail too often the token must be shown first, and memory stays bounded") {
  ManualClock clock;
  JoinLimiter limiter(clock, {3, 0.5, 100, 10, 50});
  for (std::uint32_t i = 0; i < 500; ++i) limiter.failed(IpAddress::v4(0x0a000000 + i));
  CHECK(limiter.ask(*IpAddress::parse("10.77.0.20")) == JoinLimiter::Decision::show_token_first);
  clock.advance(1s);
  CHECK(limiter.ask(*IpAddress::parse("10.77.0.20")) == JoinLimiter::Decision::go);
  // All of one IPv6 subnet are one.
  for (int i = 0; i < 3; ++i) limiter.failed(*IpAddress::parse("2001:db8::" + std::to_string(i)));
  CHECK(limiter.ask(*IpAddress::parse("2001:db8::ffff")) == JoinLimiter::Decision::show_token_first);
  CHECK(limiter.ask(*IpAddress::parse("2001:db8:0:1::ffff")) == JoinLimiter::Decision::go);
}

}  // namespace
}  // namespace slipway
