#include "coordinator/service/registrar.hpp"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "coordinator/service/sweeper.hpp"
#include "coordinator/store/records.hpp"
#include "proto/codec.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/gate_store.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

using namespace test;
namespace asio = boost::asio;
using Submitted = std::shared_ptr<IoTest::Outcome<Result<Outcome>>>;

std::string token_id(int number) {
  std::string id = "t00000";
  for (std::size_t at = 5; number > 0; --at, number /= 10) id[at] = static_cast<char>('0' + number % 10);
  return id;
}

struct Fixture {
  IoTest io;
  GateStore store;
  RecordStore records{store};
  std::vector<Error> failures;
  std::unique_ptr<Registrar> registrar;
  Workers workers{2};  // ends first: its jobs use the store

  Fixture() {
    auto loaded = records.load();
    REQUIRE(loaded);
    registrar = std::make_unique<Registrar>(std::move(*loaded), Registrar::Deps{io.executor(), workers, records,
                                                                               [this](const Error& error) { failures.push_back(error); }});
  }
  void init() {
    REQUIRE(io.run(registrar->submit(demo_init())));
    REQUIRE(io.run(registrar->drained()));
  }
  // The desired state as agents get it.
  std::shared_ptr<const Document> document() {
    auto document = io.run(registrar->feed().document(registrar->feed().revision()));
    REQUIRE(document);
    return std::move(*document);
  }
  State stored() {
    auto state = records.load();
    REQUIRE(state);
    return std::move(*state);
  }
};

TEST_CASE("the registrar tells how the store keeps up and how long allocations take") {
  ManualClock clock;  // outlives the feed's rest, which ends with the reactor
  IoTest io;
  GateStore store;
  RecordStore records(store);
  Workers workers{2};
  Registrar registrar(State{}, Registrar::Deps{io.executor(), workers, records, [](const Error&) {}, nullptr, &clock});
  CHECK(registrar.commit_state().last == WallTime{});
  REQUIRE(io.run(registrar.submit(demo_init())));
  CHECK(registrar.commit_state().last == clock.wall());
  CHECK_FALSE(registrar.commit_state().under_way);
  REQUIRE(io.run(registrar.submit(CreateToken{demo_token()})));
  store.close();
  const auto admission = demo_admit(registrar.state(), demo_request("n1", 21, "k1"), "u1", "s1");
  const auto joining = io.start(registrar.submit(admission));
  io.poll();
  store.wait_for_commits(3);
  clock.advance(Millis(12'000));
  REQUIRE(registrar.commit_state().under_way);
  CHECK(*registrar.commit_state().under_way == Millis(12'000));
  store.open();
  REQUIRE(io.run(registrar.drained()));
  CHECK_FALSE(registrar.commit_state().under_way);
  CHECK(registrar.allocation_times().count == 1);
  CHECK(registrar.allocation_times().within[0] == 1);
}

TEST_CASE("an operation is answered when it is durable, and published") {
  Fixture f;
  CHECK(f.registrar->feed().revision() == 0);
  const auto outcome = f.io.run(f.registrar->submit(demo_init()));
  REQUIRE(outcome);
  CHECK(outcome->revision == 1);
  CHECK(f.stored() == f.registrar->state());
  REQUIRE(f.io.run(f.registrar->drained()));
  CHECK(f.registrar->feed().revision() == 1);
  const auto published = f.document();
  CHECK(published->revision == 1);
  CHECK(published->epoch == demo_init().identity.epoch);
  const auto desired = proto::decode<proto::DesiredState>(published->json);
  REQUIRE(desired);
  CHECK(desired->cluster.metadata.name == "demo");
  CHECK(desired->components.size() == 8);
  CHECK(f.registrar->idle());
}

TEST_CASE("what comes while the disk is busy is committed together") {
  Fixture f;
  f.init();
  f.store.close();
  const std::size_t before = f.store.inner().disk()->commits;
  std::vector<Submitted> submitted{f.io.start(f.registrar->submit(CreateToken{demo_token(token_id(0))}))};
  f.io.poll();
  f.store.wait_for_commits(before + 1);
  for (int i = 1; i < 50; ++i) submitted.push_back(f.io.start(f.registrar->submit(CreateToken{demo_token(token_id(i))})));
  f.io.poll();
  CHECK(f.registrar->state().tokens().size() == 50);  // applied at once
  for (const auto& one : submitted) CHECK_FALSE(one->done);
  auto seen = f.io.start(f.registrar->durable(f.registrar->state().revision()));
  f.io.poll();
  CHECK_FALSE(seen->done);
  f.store.open();
  REQUIRE(f.io.run(f.registrar->drained()));
  f.io.poll();
  for (const auto& one : submitted) {
    REQUIRE(one->done);
    CHECK(*one->value);
  }
  CHECK(seen->done);
  CHECK(f.store.inner().disk()->commits == before + 2);
  CHECK(f.stored() == f.registrar->state());
}

TEST_CASE("a refusal, too, is told only when what it rests on is durable") {
  Fixture f;
  f.init();
  f.store.close();
  const auto first = f.io.start(f.registrar->submit(CreateToken{demo_token()}));
  f.io.poll();
  const auto second = f.io.start(f.registrar->submit(CreateToken{demo_token()}));
  f.io.poll();
  CHECK_FALSE(second->done);
  f.store.open();
  REQUIRE(f.io.run(f.registrar->drained()));
  f.io.poll();
  REQUIRE(second->done);
  CHECK(second->value->error().code == Errc::conflict);
  CHECK(*first->value);
}

TEST_CASE("only what agents must see is published, and waiters are told") {
  Fixture f;
  f.init();
  const std::uint64_t before = f.registrar->feed().revision();
  const auto waiting = f.io.start(f.registrar->feed().changed().wait(std::chrono::minutes(1)));
  REQUIRE(f.io.run(f.registrar->submit(CreateToken{demo_token()})));
  REQUIRE(f.io.run(f.registrar->drained()));
  CHECK(f.registrar->feed().revision() == before);
  CHECK_FALSE(waiting->done);
  const auto join = demo_admit(f.registrar->state(), demo_request("n1", 21, "k1"), "uid-1", "s1");
  REQUIRE(f.io.run(f.registrar->submit(join)));
  REQUIRE(f.io.run(f.registrar->drained()));
  f.io.poll();
  REQUIRE(waiting->done);
  CHECK(*waiting->value);
  const auto desired = proto::decode<proto::DesiredState>(f.document()->json);
  REQUIRE(desired);
  REQUIRE(desired->nodes.size() == 1);
  CHECK(desired->nodes[0].pod_cidr == "10.10.0.0/24");
  CHECK(desired->revision == f.registrar->state().desired_revision());
  CHECK(f.registrar->feed().revision() == f.registrar->state().desired_revision());
}

TEST_CASE("nothing is published that is not durable") {
  Fixture f;
  f.init();
  f.store.close();
  const std::size_t before = f.store.inner().disk()->commits;
  auto spec = f.registrar->state().cluster().spec;
  std::vector<Submitted> submitted;
  for (const char* version : {"20.10.1", "20.10.2", "20.10.3"}) {
    spec.versions.docker = version;
    submitted.push_back(f.io.start(f.registrar->submit(ApplyCluster{spec})));
    f.io.poll();
  }
  f.store.wait_for_commits(before + 1);
  f.store.pass_one();
  const auto first_done = f.io.start(f.registrar->durable(2));
  Feed& feed = f.registrar->feed();
  while (!first_done->done || feed.revision() == 1) f.io.run(feed.changed().wait(std::chrono::milliseconds(20)));
  CHECK(feed.revision() == 2);
  // Both are of the state as it is, which is ahead of the disk: they are made, and told when it has them.
  const auto delta = feed.delta(1);
  REQUIRE(delta);
  CHECK(delta->to == 4);
  CHECK(delta->rests == f.registrar->state().revision());
  const auto document = f.io.start(feed.document(2));
  for (int i = 0; i < 3; ++i) f.io.run(feed.changed().wait(std::chrono::milliseconds(20)));
  CHECK_FALSE(document->done);
  CHECK_FALSE(submitted[2]->done);
  f.store.open();
  REQUIRE(f.io.run(f.registrar->drained()));
  CHECK(feed.revision() == 4);
  while (!document->done) f.io.run(feed.changed().wait(std::chrono::milliseconds(20)));
  REQUIRE(*document->value);
  CHECK((**document->value)->revision == 4);
  CHECK((**document->value)->json.find("20.10.3") != std::string::npos);
  CHECK(delta->json.find("20.10.3") != std::string::npos);
}

TEST_CASE("after a store error nothing is acknowledged any more") {
  Fixture f;
  f.init();
  f.store.close();
  const auto caught = f.io.start(f.registrar->submit(CreateToken{demo_token("first0")}));
  f.io.poll();
  const auto behind = f.io.start(f.registrar->submit(CreateToken{demo_token("second")}));
  f.io.poll();
  f.store.inner().disk()->fail_after = f.store.inner().disk()->commits;
  f.store.open();
  while (!caught->done || !behind->done) (void)f.io.run(f.registrar->durable(0)), f.io.poll();
  CHECK(caught->value->error().code == Errc::unavailable);
  CHECK(behind->value->error().code == Errc::unavailable);
  CHECK(f.failures.size() == 1);
  CHECK(f.io.run(f.registrar->submit(CreateToken{demo_token("third0")})).error().code == Errc::unavailable);
  CHECK(f.io.run(f.registrar->submit(DeleteToken{"nosuch"})).error().code == Errc::unavailable);
  CHECK(f.io.run(f.registrar->durable(f.registrar->state().revision())).error().code == Errc::unavailable);
  CHECK(f.failures.size() == 1);
  CHECK(f.stored().tokens().empty());
}

TEST_CASE("a restart finds every acknowledged operation") {
  Fixture f;
  f.init();
  REQUIRE(f.io.run(f.registrar->submit(CreateToken{demo_token()})));
  REQUIRE(f.io.run(f.registrar->submit(demo_admit(f.registrar->state(), demo_request("n1", 21, "k1"), "uid-1", "s1"))));
  REQUIRE(f.io.run(f.registrar->drained()));
  const State before = f.registrar->state();
  const auto published = f.document();
  Registrar again(f.stored(), {f.io.executor(), f.workers, f.records, {}});
  CHECK(again.state() == before);
  CHECK(again.feed().revision() == published->revision);
  const auto document = f.io.run(again.feed().document(again.feed().revision()));
  REQUIRE(document);
  CHECK((*document)->json == published->json);
  CHECK((*document)->revision == published->revision);
}

// n1 and n2, with the uids uid-n1 and uid-n2.
void init_with_two_nodes(Fixture& f) {
  f.init();
  REQUIRE(f.io.run(f.registrar->submit(CreateToken{demo_token("many00", 10)})));
  for (const char* name : {"n1", "n2"}) {
    const auto request = demo_request(name, 20 + name[1], name, "many00");
    REQUIRE(f.io.run(f.registrar->submit(demo_admit(f.registrar->state(), request, std::string("uid-") + name, name))));
  }
}

TEST_CASE("the sweeper lets blocks out of quarantine when all nodes have applied their removal") {
  ManualClock clock(k_start + Seconds(1000));
  NodeStatusBoard status(clock);
  Fixture f;
  init_with_two_nodes(f);
  REQUIRE(f.io.run(f.registrar->submit(DeleteNode{"n1", clock.wall()})));
  const auto minutes = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clock.advance(std::chrono::minutes(1));
      REQUIRE(f.io.run(sweep_once({*f.registrar, status, clock})));
      status.contact("uid-n2", i < 5 ? 0 : f.registrar->state().desired_revision());
    }
  };
  minutes(5);
  CHECK(f.registrar->state().ledger().quarantined() == 1);
  minutes(4);
  CHECK(f.registrar->state().ledger().quarantined() == 1);
  minutes(7);
  CHECK(f.registrar->state().ledger().quarantined() == 0);
  CHECK(f.stored() == f.registrar->state());
}

TEST_CASE("the sweeper publishes the smallest MTU that nodes report, and keeps it over a restart") {
  ManualClock clock(k_start + Seconds(1000));
  NodeStatusBoard status(clock);
  Fixture f;
  init_with_two_nodes(f);
  const auto says = [&](const char* name, std::uint64_t mtu) {
    proto::NodeStatusReport report;
    report.facts.pod_mtu = mtu;
    status.report(std::string("uid-") + name, report);
  };
  const auto minute = [&] {
    clock.advance(std::chrono::minutes(1));
    REQUIRE(f.io.run(sweep_once({*f.registrar, status, clock})));
  };
  says("n1", 1500);
  says("n2", 1450);
  minute();
  CHECK(f.registrar->state().pod_mtu_limit() == 1450);
  CHECK(f.stored() == f.registrar->state());
  status.forget("uid-n2");  // as after a restart, before it is heard of
  minute();
  CHECK(f.registrar->state().pod_mtu_limit() == 1450);
  says("n2", 1500);
  minute();
  CHECK(f.registrar->state().pod_mtu_limit() == 0);
}

// The threads as in the daemon: others submit from theirs. For the thread sanitizer above all.
TEST_CASE("operations come from several threads") {
  MemoryStore store;
  RecordStore records(store);
  Workers workers(2);
  EventThread state_thread("state");
  EventThread first("io-1");
  EventThread second("io-2");
  Registrar registrar(State(), {state_thread.executor(), workers, records, {}});
  for (EventThread* thread : {&state_thread, &first, &second}) thread->start();
  const auto submit_from = [&](EventThread& thread, Operation operation) {
    std::function<asio::awaitable<Result<Outcome>>()> job = [&registrar, operation] { return registrar.submit(operation); };
    return asio::co_spawn(thread.executor(), run_on<Outcome>(state_thread.executor(), std::move(job)), asio::use_future);
  };
  REQUIRE(submit_from(first, demo_init()).get());
  std::vector<std::future<Result<Outcome>>> answers;
  for (int i = 0; i < 200; ++i) answers.push_back(submit_from(i % 2 == 0 ? first : second, CreateToken{demo_token(token_id(i))}));
  for (auto& answer : answers) CHECK(answer.get());
  std::function<asio::awaitable<Status>()> drain = [&registrar] { return registrar.drained(); };
  REQUIRE(asio::co_spawn(first.executor(), run_on<void>(state_thread.executor(), std::move(drain)), asio::use_future).get());
  for (EventThread* thread : {&first, &second, &state_thread}) thread->stop(), thread->join();
  workers.join();
  CHECK(registrar.state().tokens().size() == 200);
  CHECK(*records.load() == registrar.state());
  CHECK(store.disk()->commits <= 201);
}

}  // namespace
}  // namespace slipway
