// What agents are told and when, on a clock that moves by hand.
#include "coordinator/service/feed.hpp"

#include <catch2/catch.hpp>

#include "coordinator/domain/feed_pace.hpp"
#include "coordinator/domain/operations.hpp"
#include "proto/codec.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

using namespace test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

asio::awaitable<Status> at_once(std::uint64_t) { co_return Status{}; }

struct Rig {
  ManualClock clock;  // outlives the feed's rests, which end with the reactor
  IoTest io;
  Workers workers{1};
  State state;
  std::vector<Change> changes;
  std::optional<Feed> feed;
  int joined = 0;

  Rig() {
    run(demo_init());
    run(CreateToken{demo_token("many00", 1000)});
    feed.emplace(Feed::Deps{io.executor(), workers, state, &clock, at_once});
  }
  ~Rig() { workers.join(); }
  void run(const Operation& operation) {
    changes.clear();
    const auto done = apply(state, operation, changes);
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done);
  }
  // One more node, durable.
  std::uint64_t join() {
    const std::string n = std::to_string(++joined);
    run(demo_admit(state, demo_request("n" + n, 20 + joined, "k" + n, "many00"), "uid-" + n, "s" + n));
    feed->committed(state.desired_revision());
    io.poll();
    return state.desired_revision();
  }
  void pass(Millis time) {
    io.poll();
    clock.advance(time);
    io.poll();
  }
  proto::DesiredDelta delta(std::uint64_t since) {
    const auto made = feed->delta(since);
    REQUIRE(made);
    return proto::decode<proto::DesiredDelta>(made->json).value();
  }
};

TEST_CASE("the rest between two answers grows with the agents, within bounds", "[feed]") {
  CHECK(feed_window(0) == 20ms);
  CHECK(feed_window(100) == 20ms);
  CHECK(feed_window(1'000) == 75ms);
  CHECK(feed_window(5'000) == 375ms);
  CHECK(feed_window(50'000) == 1'000ms);
}

TEST_CASE("the first change after a quiet time is told at once, those that follow together", "[feed]") {
  Rig rig;
  const std::uint64_t begin = rig.feed->revision();
  const auto woken = rig.io.start(rig.feed->changed().wait(std::chrono::minutes(1)));
  rig.io.poll();
  const std::uint64_t first = rig.join();
  CHECK(rig.feed->revision() == first);
  rig.io.poll();
  CHECK(woken->done);
  rig.join();
  rig.pass(10ms);
  const std::uint64_t third = rig.join();
  CHECK(rig.feed->revision() == first);
  rig.pass(9ms);
  CHECK(rig.feed->revision() == first);
  rig.pass(1ms);
  CHECK(rig.feed->revision() == third);
  CHECK(rig.delta(first).up.size() == 2);
  CHECK(rig.delta(begin).up.size() == 3);
  // That was told, so the next one waits again; after a quiet time none does.
  const std::uint64_t fourth = rig.join();
  CHECK(rig.feed->revision() == third);
  rig.pass(20ms);
  CHECK(rig.feed->revision() == fourth);
  rig.pass(20ms);
  const std::uint64_t fifth = rig.join();
  CHECK(rig.feed->revision() == fifth);
  rig.join();
  rig.feed->hurry();
  CHECK(rig.feed->revision() == rig.state.desired_revision());
}

TEST_CASE("who lacks the same is told one and the same text", "[feed]") {
  Rig rig;
  const std::uint64_t begin = rig.feed->revision();
  const std::uint64_t one = rig.join();
  const auto first = rig.feed->delta(begin);
  CHECK(rig.feed->delta(begin) == first);
  CHECK(first->to == one);
  CHECK(rig.delta(begin).pace_ms == 20);
  CHECK(rig.feed->counts().deltas == 1);
  rig.pass(20ms);
  const std::uint64_t two = rig.join();
  const auto second = rig.feed->delta(begin);
  CHECK(second != first);
  CHECK(second->to == two);
  CHECK(rig.feed->delta(one) != second);
  CHECK(rig.delta(begin).up.size() == 2);
  CHECK(rig.delta(one).up.size() == 1);
  CHECK(rig.feed->counts().deltas == 3);
}

TEST_CASE("a delta is of the state as it is and says what must be on the disk before it is told", "[feed]") {
  Rig rig;
  const std::uint64_t begin = rig.feed->revision();
  const std::uint64_t durable = rig.join();
  rig.run(DeleteNode{"n1", rig.clock.wall()});  // not on the disk yet
  const auto delta = rig.feed->delta(begin);
  REQUIRE(delta);
  CHECK(delta->to == rig.state.desired_revision());
  CHECK(delta->to > durable);
  CHECK(delta->rests == rig.state.revision());
  CHECK(rig.delta(begin).up.empty());
  CHECK(rig.delta(begin).del.size() == 1);
  CHECK(rig.delta(begin).node_count == 0);
}

TEST_CASE("changes that are as much as the whole are told as the whole", "[feed]") {
  Rig rig;
  const std::uint64_t begin = rig.feed->revision();
  for (int i = 0; i < 64; ++i) rig.join();
  const std::uint64_t middle = rig.state.desired_revision();
  rig.feed->hurry();
  CHECK(rig.feed->delta(begin));
  rig.join();
  rig.feed->hurry();
  CHECK_FALSE(rig.feed->delta(begin));
  CHECK(rig.feed->delta(middle));
}

TEST_CASE("what all agents have, or what was told an hour ago, is forgotten", "[feed]") {
  Rig rig;
  const std::uint64_t begin = rig.feed->revision();
  const std::uint64_t one = rig.join();
  rig.feed->trim(begin);
  rig.pass(20ms);
  CHECK(rig.feed->delta(begin));
  const std::uint64_t two = rig.join();
  rig.feed->trim(one);
  rig.pass(20ms);
  const std::uint64_t three = rig.join();
  CHECK_FALSE(rig.feed->delta(begin));
  CHECK(rig.feed->delta(one));
  // Somebody does not answer.
  rig.feed->trim(one);
  rig.pass(59min);
  rig.feed->trim(one);
  rig.join();
  CHECK(rig.feed->delta(two));
  rig.pass(1min);
  rig.feed->trim(one);
  rig.join();
  CHECK_FALSE(rig.feed->delta(two));
  CHECK(rig.feed->delta(three));
  // Nobody is told less than what was told.
  rig.feed->trim(rig.state.desired_revision() + 100);
  CHECK(rig.state.history().floor() == rig.feed->revision());
}

TEST_CASE("the whole is encoded once for all who ask meanwhile, and forgotten when nobody does", "[feed]") {
  Rig rig;
  rig.join();
  const std::uint64_t revision = rig.feed->revision();
  const auto first = rig.io.start(rig.feed->document(revision));
  const auto second = rig.io.start(rig.feed->document(revision));
  while (!first->done || !second->done) rig.io.run(rig.feed->changed().wait(1ms));
  REQUIRE(*first->value);
  CHECK(**first->value == **second->value);
  CHECK(rig.feed->counts().documents == 1);
  const auto state = proto::decode<proto::DesiredState>((**first->value)->json).value();
  CHECK(state.revision == revision);
  CHECK(state.form == proto::k_desired_form);
  CHECK(state.node_count == 1);
  CHECK(state.nodes_hash == rig.state.history().mark().hash());
  std::weak_ptr<const Document> kept = **first->value;
  first->value.reset();
  second->value.reset();
  rig.pass(30s);
  CHECK_FALSE(kept.expired());
  rig.pass(30s);
  CHECK(kept.expired());
  CHECK(rig.io.run(rig.feed->document(revision)));
  CHECK(rig.feed->counts().documents == 2);
}

}  // namespace
}  // namespace slipway
