// The audit log behind the one writer: what is recorded, when, and what happens when it cannot be.
#include "coordinator/service/audit_trail.hpp"

#include <catch2/catch.hpp>

#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/gate_store.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_audit_log.hpp"

namespace slipway {
namespace {

using namespace test;

struct Fixture {
  ManualClock clock{k_start};  // outlives the feed's rest, which ends with the reactor
  IoTest io;
  GateStore store;
  RecordStore records{store};
  MemoryAuditLog audit;
  std::vector<Error> failures;
  std::unique_ptr<Registrar> registrar;
  std::unique_ptr<AuditTrail> trail;
  Workers workers{2};  // ends first: its jobs use the store

  explicit Fixture(RefusalLimits limits = {}) {
    registrar = std::make_unique<Registrar>(
        State(), Registrar::Deps{io.executor(), workers, records, [this](const Error& error) { failures.push_back(error); }, &audit, &clock});
    trail = std::make_unique<AuditTrail>(io.executor(), *registrar, limits);
    REQUIRE(io.run(registrar->submit(demo_init(), {"coordinator", "init", "", ""})));
  }
  std::vector<proto::AuditRecord> log() { return audit.list({0, 1000, "", "", ""}).value().items; }  // newest first
};

proto::AuditRecord refusal(const std::string& address) {
  proto::AuditRecord record;
  record.action = "node.join";
  record.actor.address = address;
  record.detail = "no token";
  return record;
}

TEST_CASE("every operation has a name in the audit log", "[audit]") {
  const std::vector<Operation> all = [] {
    std::vector<Operation> made;
    [&made]<std::size_t... I>(std::index_sequence<I...>) {
      (made.push_back(Operation(std::in_place_index<I>)), ...);
    }(std::make_index_sequence<std::variant_size_v<Operation>>{});
    return made;
  }();
  for (const Operation& operation : all) {
    INFO("the operation at index " << operation.index() << " of the variant: name it in coordinator/domain/audit.cpp");
    CHECK(audit_action(operation) != "change");
  }
}

TEST_CASE("changes are recorded with actor, time and certificates", "[audit]") {
  Fixture f;
  REQUIRE(f.io.run(f.registrar->submit(CreateToken{demo_token()}, {"operator", "alice", "c0ffee", "10.77.0.1"})));
  const auto join = demo_admit(f.registrar->state(), demo_request("n1", 21, "k1"), "uid-1", "s1");
  REQUIRE(f.io.run(f.registrar->submit(join, {"token", "abc123", "", "10.77.0.21"})));
  f.clock.advance(std::chrono::seconds(90));
  REQUIRE(f.io.run(f.registrar->submit(DeleteNode{"n1", f.clock.wall()}, {"operator", "alice", "c0ffee", "10.77.0.1"})));
  CHECK_FALSE(f.io.run(f.registrar->submit(DeleteNode{"n1", f.clock.wall()})));  // changes nothing: no record
  const auto log = f.log();
  REQUIRE(log.size() == 4);
  CHECK(log[3].action == "cluster.init");
  CHECK(log[2].action == "token.create");
  CHECK(log[2].actor.name == "alice");
  CHECK(log[2].actor.certificate_sha256 == "c0ffee");
  CHECK(log[2].subject == "abc123");
  CHECK(log[2].detail.find("1 uses, until 2026-") != std::string::npos);
  CHECK(log[1].action == "node.join");
  CHECK(log[1].node == "n1");
  CHECK(log[1].generation == 1);
  CHECK(log[1].actor.kind == "token");
  CHECK(log[1].actor.address == "10.77.0.21");
  CHECK(log[1].detail.find("10.10.0.0/24") != std::string::npos);
  REQUIRE(log[1].certificates.size() == 4);
  CHECK(log[1].certificates[0].sha256 == join.certificates[0].record.sha256);
  CHECK(log[1].time == to_rfc3339(k_start));
  CHECK(log[0].action == "node.delete");
  CHECK(log[0].time == to_rfc3339(k_start + Seconds(90)));
  CHECK(*f.records.audit_head() == f.audit.head());
}

TEST_CASE("what comes while the disk is busy is recorded with one flush, and before the commit", "[audit]") {
  Fixture f;
  REQUIRE(f.io.run(f.registrar->drained()));
  f.store.close();
  const std::size_t commits = f.store.inner().disk()->commits, appends = f.audit.disk()->appends;
  std::vector<std::shared_ptr<IoTest::Outcome<Result<Outcome>>>> submitted{f.io.start(f.registrar->submit(CreateToken{demo_token("first0")}))};
  f.io.poll();
  f.store.wait_for_commits(commits + 1);
  for (int i = 10; i < 50; ++i) submitted.push_back(f.io.start(f.registrar->submit(CreateToken{demo_token("tok0" + std::to_string(i))})));
  f.io.poll();
  // At the gate: written already, and not answered.
  CHECK(f.log().at(0).subject == "first0");
  CHECK_FALSE(submitted[0]->done);
  f.store.open();
  REQUIRE(f.io.run(f.registrar->drained()));
  f.io.poll();
  for (const auto& one : submitted) CHECK(one->done);
  CHECK(f.audit.disk()->appends == appends + 2);
  CHECK(f.store.inner().disk()->commits == commits + 2);
  CHECK(f.log().size() == 42);
  CHECK(*f.records.audit_head() == f.audit.head());
}

TEST_CASE("without its record nothing is committed and nothing answered", "[audit]") {
  Fixture f;
  REQUIRE(f.io.run(f.registrar->submit(CreateToken{demo_token()})));
  REQUIRE(f.io.run(f.registrar->drained()));
  f.audit.disk()->fail_after = f.audit.disk()->appends;
  const std::size_t commits = f.store.inner().disk()->commits;
  const auto join = demo_admit(f.registrar->state(), demo_request("n1", 21, "k1"), "uid-1", "s1");
  const auto outcome = f.io.run(f.registrar->submit(join));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::unavailable);
  CHECK(f.failures.size() == 1);  // the process ends
  CHECK(f.store.inner().disk()->commits == commits);
  CHECK(f.records.load()->nodes().empty());
  CHECK_FALSE(f.records.certificate_pem(fake_serial("s1-agent")));
}

TEST_CASE("a refusal is on disk when it is answered, with the anchor", "[audit]") {
  Fixture f;
  REQUIRE(f.io.run(f.trail->refused(refusal("10.0.0.1"))));
  const auto log = f.log();
  CHECK(log.at(0).result == "refused");
  CHECK(log.at(0).detail == "no token");
  CHECK(*f.records.audit_head() == f.audit.head());
  CHECK(f.io.run(f.registrar->drained()));
}

TEST_CASE("a flood of refusals becomes a few records and a count", "[audit]") {
  Fixture f({3, 8, 2});
  REQUIRE(f.io.run(f.registrar->drained()));
  const std::size_t before = f.log().size();
  for (int i = 0; i < 500; ++i) {
    for (const char* address : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}) REQUIRE(f.io.run(f.trail->refused(refusal(address))));
  }
  f.trail->count("node.join", "10.0.0.1");
  CHECK(f.log().size() == before + 8);
  REQUIRE(f.io.run(f.trail->flush()));
  auto log = f.log();
  CHECK(log.size() == before + 8 + 3);
  std::uint64_t counted = 0;
  for (std::size_t i = 0; i < 3; ++i) counted += log[i].count;
  CHECK(counted == 5 * 500 - 8 + 1);
  REQUIRE(f.io.run(f.trail->flush()));  // nothing came since
  CHECK(f.log().size() == log.size());
  REQUIRE(f.io.run(f.trail->refused(refusal("10.0.0.1"))));  // the next minute
  CHECK(f.log().at(0).count == 1);
}

}  // namespace
}  // namespace slipway
