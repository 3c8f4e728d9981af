#include "coordinator/service/enrollment.hpp"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/fake_signer.hpp"
#include "tests/support/gate_store.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway {
namespace {

using namespace test;
namespace asio = boost::asio;

// The keys of one host, made once for all cases: a key costs a signature.
struct HostKeys {
  std::map<CertUsage, std::string> csrs;
  explicit HostKeys(const std::vector<CertUsage>& usages) {
    for (const CertUsage usage : usages) {
      const auto key = PrivateKey::generate_p256();
      REQUIRE(key);
      const auto csr = make_csr(*key);
      REQUIRE(csr);
      csrs[usage] = *csr;
    }
  }
  std::map<std::string, std::string> wire() const {
    std::map<std::string, std::string> out;
    for (const auto& [usage, csr] : csrs) out[std::string(to_string(usage))] = csr;
    return out;
  }
};

proto::JoinRequest join_request(const std::string& name, const std::string& address, const HostKeys& keys, const std::string& token) {
  proto::JoinRequest request;
  request.token = token;
  request.node_name = name;
  request.address = address;
  request.csrs = keys.wire();
  return request;
}

struct Fixture {
  IoTest io;
  ManualClock clock{k_start};
  GateStore store;
  RecordStore records{store};
  Workers workers{2};
  FakeSigner signer;
  std::unique_ptr<Registrar> registrar;
  NodeStatusBoard status{clock};
  std::unique_ptr<Enrollment> enrollment;
  HostKeys keys{usages_of_node()};

  explicit Fixture(JoinLimits limits = {}) {
    registrar = std::make_unique<Registrar>(State(), Registrar::Deps{io.executor(), workers, records, {}});
    enrollment = std::make_unique<Enrollment>(
        Enrollment::Deps{io.executor(), *registrar, status, signer, records, workers, clock, random_bytes, random_uuid, limits});
    REQUIRE(io.run(registrar->submit(demo_init())));
  }
  std::string token(std::uint64_t uses, NodeRole role = NodeRole::node) {
    auto made = new_token({Seconds(3600), uses, role, ""}, clock.wall());
    REQUIRE(made);
    REQUIRE(io.run(registrar->submit(CreateToken{made->record})));
    return made->text;
  }
  Result<proto::JoinReply> join(const proto::JoinRequest& request, const std::string& peer = "") {
    return io.run(enrollment->join(request, *IpAddress::parse(peer.empty() ? request.address : peer)));
  }
  // The invariant of every answer: what it holds is on disk.
  void check_recorded(const proto::JoinReply& reply) {
    const auto stored = records.load();
    REQUIRE(stored);
    const Node* node = stored->node(reply.node_name);
    REQUIRE(node != nullptr);
    CHECK(node->pod_cidr.to_string() == reply.pod_cidr);
    for (const auto& [usage, pem] : reply.certificates) {
      CHECK(*records.certificate_pem(node->certificates.find(*cert_usage_from_string(usage))->hex()) == pem);
    }
  }
};

TEST_CASE("a node joins with a token") {
  Fixture f;
  const auto reply = f.join(join_request("n1", "10.77.0.21", f.keys, f.token(1)));
  INFO((reply ? std::string() : reply.error().message));
  REQUIRE(reply);
  CHECK(reply->cluster_name == "demo");
  CHECK(reply->generation == 1);
  CHECK(reply->role == "node");
  CHECK(reply->pod_cidr == "10.10.0.0/24");
  CHECK(reply->certificates.size() == usages_of_node().size());
  CHECK(reply->ca_bundles.contains("fabric"));
  CHECK_FALSE(reply->ca_bundles.contains("etcd"));
  f.check_recorded(*reply);
  const auto attempts = f.enrollment->attempts();
  REQUIRE(attempts.items.size() == 1);
  CHECK(attempts.items[0].accepted);
  CHECK(attempts.items[0].node_name == "n1");
  CHECK(attempts.items[0].reason.empty());
}

TEST_CASE("a master gets all its certificates and authorities") {
  Fixture f;
  const HostKeys keys(usages_of_master());
  auto request = join_request("m0", "10.77.0.10", keys, f.token(1, NodeRole::master));
  request.role = "master";
  const auto reply = f.join(request, "127.0.0.1");  // the agent on the coordinator's own host
  INFO((reply ? std::string() : reply.error().message));
  REQUIRE(reply);
  CHECK(reply->certificates.size() == usages_of_master().size());
  CHECK(reply->ca_bundles.size() == std::size(k_ca_kinds));
}

TEST_CASE("a retry after a lost reply gets the very same answer and takes no second use") {
  Fixture f;
  const auto request = join_request("n1", "10.77.0.21", f.keys, f.token(1));
  const auto first = f.join(request);
  REQUIRE(first);
  const std::size_t signatures = f.signer.issued();
  const auto second = f.join(request);
  REQUIRE(second);
  CHECK(second->certificates == first->certificates);
  CHECK(second->node_uid == first->node_uid);
  CHECK(second->pod_cidr == first->pod_cidr);
  CHECK(f.signer.issued() == signatures);
  auto without_token = request;
  without_token.token = "garbage";
  CHECK(f.join(without_token));
  auto other_key = request;
  other_key.csrs = HostKeys(usages_of_node()).wire();
  CHECK(f.join(other_key).error().code == Errc::denied);
}

TEST_CASE("the same join twice at once is one node") {
  Fixture f;
  const auto request = join_request("n1", "10.77.0.21", f.keys, f.token(1));
  const IpAddress peer = *IpAddress::parse("10.77.0.21");
  const auto first = f.io.start(f.enrollment->join(request, peer));
  const auto second = f.io.start(f.enrollment->join(request, peer));
  while (!first->done || !second->done) (void)f.io.run(f.registrar->drained()), f.io.poll();
  REQUIRE(*first->value);
  REQUIRE(*second->value);
  CHECK((*first->value)->certificates == (*second->value)->certificates);
  CHECK(f.registrar->state().nodes().size() == 1);
}

TEST_CASE("sixty-four uses of a one-use token at once give one node") {
  Fixture f({1000, 1, 1000, 1, 1000});
  const std::string token = f.token(1);
  std::vector<std::shared_ptr<IoTest::Outcome<Result<proto::JoinReply>>>> joins;
  for (int i = 0; i < 64; ++i) {
    const std::string address = "10.77.1." + std::to_string(i);
    joins.push_back(f.io.start(f.enrollment->join(join_request("n" + std::to_string(i), address, f.keys, token), *IpAddress::parse(address))));
  }
  const auto all_done = [&joins] { return std::all_of(joins.begin(), joins.end(), [](const auto& join) { return join->done; }); };
  while (!all_done()) (void)f.io.run(f.registrar->drained()), f.io.poll();
  std::size_t admitted = 0;
  for (const auto& join : joins) {
    if (*join->value) {
      ++admitted;
      f.check_recorded(**join->value);
    } else {
      CHECK(join->value->error().code == Errc::denied);
      CHECK(join->value->error().message == k_token_refused);
    }
  }
  CHECK(admitted == 1);
  CHECK(f.registrar->state().nodes().size() == 1);
  std::size_t used_up = 0;
  for (const auto& attempt : f.enrollment->attempts().items) used_up += attempt.reason == "token used up" ? attempt.count : 0;
  CHECK(used_up == 63);
}

TEST_CASE("refusals say nothing to the caller and everything to operators") {
  Fixture f;
  const std::string good = f.token(1);
  const std::string id = good.substr(0, 6);
  for (const auto& [token, reason] : std::vector<std::pair<std::string, std::string>>{{id + ".wrong", "token wrong secret"},
                                                                                     {"zzzzzz.secret", "token unknown"},
                                                                                     {"no token at all", "token unknown"},
                                                                                     {"", "token missing"}}) {
    const auto reply = f.join(join_request("n1", "10.77.0.21", f.keys, token));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::denied);
    CHECK(reply.error().message == k_token_refused);
    CHECK(f.enrollment->attempts().items[0].reason == reason);
    CHECK_FALSE(f.enrollment->attempts().items[0].accepted);
  }
  CHECK(f.enrollment->attempts().items[3].token_id == id);
  for (const auto& attempt : f.enrollment->attempts().items) {
    CHECK(attempt.stage == "token");
    CHECK_FALSE(attempt.cure.empty());
  }
  CHECK(f.signer.issued() == 0);
}

TEST_CASE("what is wrong with a request is named") {
  Fixture f({100, 1, 1000, 1, 1000});
  const auto good = join_request("n1", "10.77.0.21", f.keys, f.token(5));
  const auto refused = [&](const std::function<void(proto::JoinRequest&)>& change, const std::string& peer = "10.77.0.21") {
    auto request = good;
    change(request);
    const auto reply = f.join(request, peer);
    REQUIRE_FALSE(reply);
    return reply.error().message;
  };
  CHECK(refused([](auto& r) { r.role = "king"; }).find("/role") == 0);
  CHECK(refused([](auto& r) { r.node_name = ""; }).find("/nodeName") == 0);
  CHECK(refused([](auto& r) { r.address = "10.77.0.300"; }).find("/address") == 0);
  CHECK(refused([](auto& r) { r.csrs["agent"] = "not PEM"; }).find("/csrs/agent") == 0);
  CHECK(refused([](auto& r) { r.csrs["wizard"] = r.csrs["agent"]; }).find("/csrs/wizard") == 0);
  CHECK(refused([](auto& r) { r.csrs.erase("agent"); }).find("/csrs/agent is missing") == 0);
  CHECK(refused([](auto& r) { r.facts.machine_id = std::string(65, 'a'); }).find("/facts/machineId") == 0);
  // T5: not the node's word
  CHECK(refused([](auto&) {}, "10.77.0.99").find("connects from 10.77.0.99") != std::string::npos);
  CHECK(refused([](auto& r) { r.address = "192.168.0.1"; }, "192.168.0.1").find("nodeCIDRs") != std::string::npos);
  CHECK(f.registrar->state().nodes().empty());
  CHECK(f.signer.issued() == 0);
  CHECK(f.join(good));
}

// A join that gets no further than to each of the stages, in the order of the stages; what operators see of it.
struct StageCases {
  Fixture f{{100, 1, 1000, 1, 1000}};
  HostKeys others{usages_of_node()};
  std::vector<proto::JoinAttempt> attempts;

  proto::JoinRequest request(const std::string& name, int host) { return join_request(name, "10.77.0." + std::to_string(host), others, f.token(1)); }
  void refused(const proto::JoinRequest& wish, const std::string& peer = "") {
    CHECK_FALSE(f.join(wish, peer));
    attempts.push_back(f.enrollment->attempts().items.front());
  }
  void change(const std::function<void(proto::JoinRequest&)>& make_wrong) {
    auto wish = request("n2", 22);
    make_wrong(wish);
    refused(wish);
  }
  void submit(Operation operation) { REQUIRE(f.io.run(f.registrar->submit(std::move(operation)))); }
  void set_admission(const std::string& admission) {
    auto spec = demo_spec();
    spec.admission = admission;
    submit(ApplyCluster{spec});
  }

  void early() {
    Fixture limited({1, 0.001, 100, 0.001, 100, 0, 0});
    const auto guess = join_request("n1", "10.77.0.21", limited.keys, "zzzzzz.x");
    CHECK_FALSE(limited.join(guess));
    CHECK_FALSE(limited.join(guess));
    attempts.push_back(limited.enrollment->attempts().items.front());
    (void)f.io.run(f.enrollment->note_unreadable(make_error(Errc::invalid, "reading the request: not valid JSON"), *IpAddress::parse("10.77.0.22")));
    attempts.push_back(f.enrollment->attempts().items.front());
    change([](auto& r) { r.role = "king"; });
    change([](auto& r) { r.csrs["agent"] = "no CSR"; });
    change([](auto& r) { r.csrs.erase("kubeletClient"); });
    refused(request("n2", 22), "10.77.0.99");
    change([](auto& r) { r.token = "zzzzzz.x"; });
    change([](auto& r) { r.token.clear(); });
  }
  void names_and_places() {
    auto first = join_request("n1", "10.77.0.21", f.keys, f.token(1));
    first.facts.machine_id = "m1";
    const auto node = f.join(first);
    REQUIRE(node);
    refused(request("n1", 22));                             // lives with another key
    refused(request("localhost", 22));
    first.role = "master";
    first.csrs = HostKeys(usages_of_master()).wire();
    first.csrs["agent"] = f.keys.wire().at("agent");
    refused(first);
    refused(request("n2", 21));                             // address of n1
    change([](auto& r) { r.facts.machine_id = "m1"; });
    change([](auto& r) { r.address = "10.0.0.5"; r.facts = {}; });  // connects from there, too
    change([](auto& r) { r.facts.host_routes = {"10.10.0.0/16 dev docker0"}; });
    f.status.contact(node->node_uid, 1);
    refused(join_request("n1", "10.77.0.99", f.keys, ""));  // a copy
    submit(DrainPool{k_default_pool, true});
    refused(request("n2", 22));
    submit(DrainPool{k_default_pool, false});
  }
  void late() {
    f.signer.set_broken(true);
    refused(request("n2", 22));
    f.signer.set_broken(false);
    set_admission("manual");
    auto waiting = request("n3", 23);
    refused(waiting);
    submit(DecideNode{"n3", false, "", "not ours", "ada", f.clock.wall()});
    refused(waiting);
    set_admission("token");
    const auto last = request("n4", 24);
    f.store.inner().disk()->fail_after = f.store.inner().disk()->commits;
    refused(last);
  }
};

TEST_CASE("whatever becomes of a join is told with stage, reason and cure") {
  StageCases cases;
  cases.early();
  cases.names_and_places();
  cases.late();
  std::set<std::string> seen;
  for (const auto& attempt : cases.attempts) {
    INFO(attempt.stage << ": " << attempt.reason);
    seen.insert(attempt.stage);
    CHECK_FALSE(attempt.accepted);
    CHECK_FALSE(attempt.reason.empty());
    CHECK_FALSE(attempt.cure.empty());
  }
  for (int i = 0; i < static_cast<int>(JoinStage::joined); ++i) {
    INFO(to_string(static_cast<JoinStage>(i)));
    CHECK(seen.count(std::string(to_string(static_cast<JoinStage>(i)))) == 1);
  }
  Fixture f;
  REQUIRE(f.join(join_request("n1", "10.77.0.21", f.keys, f.token(1))));
  CHECK(f.enrollment->attempts().items.front().cure.empty());
}

TEST_CASE("nothing leaves when the store fails") {
  Fixture f;
  const auto request = join_request("n1", "10.77.0.21", f.keys, f.token(1));
  f.store.inner().disk()->fail_after = f.store.inner().disk()->commits;
  const auto reply = f.join(request);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == Errc::unavailable);
  CHECK(f.records.load()->nodes().empty());
}

TEST_CASE("who fails too often must wait, before any cryptography") {
  Fixture f({2, 0.5, 4, 0.5, 100, 0, 0});
  const std::string token = f.token(5);
  const auto bad = join_request("n1", "10.77.0.21", f.keys, "zzzzzz.x");
  CHECK(f.join(bad).error().code == Errc::denied);
  CHECK(f.join(bad).error().code == Errc::denied);
  const auto limited = f.join(bad);
  CHECK(limited.error().code == Errc::too_many);
  CHECK(limited.error().retry_after >= 1);
  const auto attempts = f.enrollment->attempts().items;
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0].stage == "limits");
  CHECK(attempts[1].stage == "token");
  CHECK(attempts[1].count == 2);
  CHECK_FALSE(attempts[1].cure.empty());
  auto other = join_request("n2", "10.77.0.22", f.keys, "zzzzzz.x");
  CHECK(f.join(other).error().code == Errc::denied);
  CHECK(f.join(other).error().code == Errc::denied);
  // Now all together failed too often: a valid token still gets through, nothing else does.
  CHECK(f.join(join_request("n3", "10.77.0.23", f.keys, "zzzzzz.x")).error().code == Errc::too_many);
  CHECK(f.join(join_request("n3", "10.77.0.23", f.keys, "")).error().code == Errc::too_many);
  CHECK(f.join(join_request("n3", "10.77.0.23", f.keys, token)));
  f.clock.advance(std::chrono::minutes(1));
  CHECK(f.join(join_request("n1", "10.77.0.21", HostKeys(usages_of_node()), token)));
}

TEST_CASE("a right secret is heard from an address that fails too often, used up or not") {
  Fixture f({1, 0.001, 100, 0.001, 100, 1, 0.001});
  const std::string token = f.token(1);
  const auto request = join_request("n1", "10.77.0.21", f.keys, token);
  REQUIRE(f.join(request));
  CHECK(f.join(join_request("n2", "10.77.0.21", f.keys, "zzzzzz.x")).error().code == Errc::denied);
  CHECK(f.join(join_request("n2", "10.77.0.21", f.keys, token.substr(0, 7) + "guess")).error().code == Errc::too_many);
  CHECK(f.join(request));  // its answer was lost
  CHECK(f.join(join_request("n2", "10.77.0.21", HostKeys(usages_of_node()), token)).error().code == Errc::denied);
  auto by_key = request;
  by_key.token.clear();
  CHECK(f.join(by_key));
  const auto spent = f.join(by_key);  // the one spare look is taken
  CHECK(spent.error().code == Errc::too_many);
  CHECK(spent.error().retry_after > 60);
}

TEST_CASE("the identity of a live node at another address is a copy's, of a silent one a move") {
  Fixture f;
  const auto joined = f.join(join_request("n1", "10.77.0.21", f.keys, f.token(1)));
  REQUIRE(joined);
  f.status.contact(joined->node_uid, 1);
  auto elsewhere = join_request("n1", "10.77.0.99", f.keys, "");
  const auto copy = f.join(elsewhere);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().code == Errc::denied);
  CHECK(copy.error().message.find("10.77.0.21") != std::string::npos);
  CHECK(copy.error().message.find("10.77.0.99") != std::string::npos);
  CHECK(f.enrollment->attempts().items[0].stage == "place");
  CHECK(f.join(join_request("n1", "10.77.0.21", f.keys, "")));
  f.clock.advance(std::chrono::seconds(91));
  const auto moved = f.join(elsewhere);
  REQUIRE(moved);
  CHECK(moved->node_uid == joined->node_uid);
  CHECK(moved->address == "10.77.0.99");
}

TEST_CASE("a node renews over mutual TLS, and again after a lost reply") {
  Fixture f;
  const auto joined = f.join(join_request("n1", "10.77.0.21", f.keys, f.token(1)));
  REQUIRE(joined);
  const auto serial_of = [&](const std::string& name) { return f.registrar->state().node(name)->certificates.find(CertUsage::agent)->hex(); };
  const AgentIdentity before{joined->node_uid, 1, serial_of("n1")};
  const HostKeys fresh(usages_of_node());
  const auto renewed = f.io.run(f.enrollment->renew({fresh.wire()}, before));
  INFO((renewed ? std::string() : renewed.error().message));
  REQUIRE(renewed);
  CHECK(renewed->certificates.size() == usages_of_node().size());
  const AgentIdentity after{joined->node_uid, 1, serial_of("n1")};
  CHECK(after.serial != before.serial);
  const auto repeated = f.io.run(f.enrollment->renew({fresh.wire()}, before));  // with the old certificate still
  REQUIRE(repeated);
  CHECK(repeated->certificates == renewed->certificates);
  proto::RenewRequest one;
  one.csrs["kubeletServing"] = HostKeys({CertUsage::kubelet_serving}).csrs.begin()->second;
  CHECK(f.io.run(f.enrollment->renew(one, after)));
  CHECK(serial_of("n1") == after.serial);
  CHECK(f.io.run(f.enrollment->renew({}, after)).error().code == Errc::invalid);
  CHECK(f.io.run(f.enrollment->renew({fresh.wire()}, {joined->node_uid, 1, "abcd"})).error().code == Errc::denied);
  REQUIRE(f.io.run(f.registrar->submit(DeleteNode{"n1", f.clock.wall()})));
  CHECK(f.io.run(f.enrollment->renew({fresh.wire()}, after)).error().code == Errc::gone);
  CHECK(f.join(join_request("n1", "10.77.0.21", fresh, "")).error().code == Errc::gone);
}

// As in the daemon: joins on I/O threads, the state on its own. For the thread sanitizer above all.
TEST_CASE("a one-use token under joins from several threads admits one node") {
  MemoryStore store;
  RecordStore records(store);
  Workers workers(2);
  EventThread state_thread("state");
  EventThread first("io-1");
  EventThread second("io-2");
  ManualClock clock(k_start);
  FakeSigner signer;
  Registrar registrar(State(), {state_thread.executor(), workers, records, {}});
  NodeStatusBoard status(clock);
  Enrollment enrollment({state_thread.executor(), registrar, status, signer, records, workers, clock, random_bytes, random_uuid,
                         JoinLimits{1000, 1, 1000, 1, 1000}});
  for (EventThread* thread : {&state_thread, &first, &second}) thread->start();
  const auto submit = [&](Operation operation) {
    std::function<asio::awaitable<Result<Outcome>>()> job = [&registrar, operation] { return registrar.submit(operation); };
    return asio::co_spawn(first.executor(), run_on<Outcome>(state_thread.executor(), std::move(job)), asio::use_future).get();
  };
  REQUIRE(submit(demo_init()));
  const auto token = new_token({}, clock.wall());
  REQUIRE(token);
  REQUIRE(submit(CreateToken{token->record}));
  const HostKeys keys(usages_of_node());
  std::vector<std::future<Result<proto::JoinReply>>> joins;
  for (int i = 0; i < 64; ++i) {
    const std::string address = "10.77.1." + std::to_string(i);
    joins.push_back(asio::co_spawn((i % 2 == 0 ? first : second).executor(),
                                   enrollment.join(join_request("n" + std::to_string(i), address, keys, token->text), *IpAddress::parse(address)),
                                   asio::use_future));
  }
  std::size_t admitted = 0;
  for (auto& join : joins) admitted += join.get() ? 1 : 0;
  for (EventThread* thread : {&first, &second, &state_thread}) thread->stop(), thread->join();
  workers.join();
  CHECK(admitted == 1);
  CHECK(records.load()->nodes().size() == 1);
}

}  // namespace
}  // namespace slipway
