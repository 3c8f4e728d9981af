// Who waits for an operator's word, who takes another node's place, and who is somebody's copy.
#include <catch2/catch.hpp>

#include "coordinator/domain/operations.hpp"
#include "coordinator/service/join_limiter.hpp"
#include "coordinator/service/join_log.hpp"
#include "coordinator/service/node_status.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;
using Decision = PendingNode::Decision;

proto::ClusterSpec manual_spec() {
  proto::ClusterSpec spec = demo_spec();
  spec.admission = "manual";
  return spec;
}

// A state whose every change was stored and reads back as the same.
struct World {
  State state;
  MemoryStore store;
  RecordStore records{store};

  explicit World(const proto::ClusterSpec& spec) {
    REQUIRE(apply_to(demo_init(spec)));
    REQUIRE(apply_to(CreateToken{demo_token("abc123", 3)}));
  }
  Result<Outcome> apply_to(const Operation& operation) {
    std::vector<Change> changes;
    auto outcome = apply(state, operation, changes);
    if (!outcome) {
      CHECK(changes.empty());
      return outcome;
    }
    REQUIRE(records.commit(changes));
    const auto loaded = records.load();
    INFO((loaded ? std::string() : loaded.error().message));
    REQUIRE(loaded);
    CHECK(*loaded == state);
    return outcome;
  }
  Result<Outcome> join(AdmissionRequest request, const std::string& uid) {
    request.pool = pool_of(state, request);
    const AdmissionVerdict verdict = admit(state, request);
    if (verdict.result && verdict.result->kind == AdmissionKind::wait) return apply_to(QueueNode{request});
    return apply_to(demo_admit(state, request, uid, "s-" + uid));
  }
  Result<Outcome> decide(const std::string& name, bool approve, const std::string& reason = "", const std::string& fingerprint = "") {
    return apply_to(DecideNode{name, approve, fingerprint, reason, "admin", k_start + Seconds(200)});
  }
  Result<Outcome> replace(const std::string& name, const std::string& token_id) {
    return apply_to(ReplaceNode{name, demo_token(token_id)});
  }
  std::uint64_t uses() const { return state.token("abc123")->uses; }
};

TEST_CASE("a host waits until an operator approves it, and its token use counts once") {
  World world(manual_spec());
  auto request = demo_request("web-1", 21, "k1");
  request.facts.os = "Debian";
  const auto queued = world.join(request, "u1");
  REQUIRE(queued);
  REQUIRE(queued->pending);
  CHECK(queued->pending->fingerprint == request.spkis.at(CertUsage::agent));
  CHECK(queued->pending->facts.os == "Debian");
  CHECK(queued->pending->since == request.maturity.now);
  CHECK(world.state.nodes().empty());
  CHECK(world.uses() == 1);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(world.join(request, "u1")->changed);
  auto without_token = request;
  without_token.token.reset();
  CHECK_FALSE(world.join(without_token, "u1")->changed);
  CHECK(world.uses() == 1);
  const AdmissionVerdict verdict = admit(world.state, request);
  CHECK(verdict.stage == JoinStage::approval);
  CHECK(verdict.cure.find("slipwayctl node approve web-1") == 0);
  REQUIRE(world.decide("web-1", true));
  CHECK_FALSE(world.decide("web-1", true)->changed);
  REQUIRE(world.apply_to(DeleteToken{"abc123"}));  // no longer needed
  const auto joined = world.join(without_token, "u1");
  REQUIRE(joined);
  CHECK(joined->node->token_id == "abc123");
  CHECK(joined->node->identity == request.spkis.at(CertUsage::agent));
  CHECK(world.state.pending().empty());
  // An identity once approved may always come back.
  without_token.maturity.now += Seconds(30 * 86400);
  const auto back = world.join(without_token, "u2");
  REQUIRE(back);
  CHECK(back->node->uid == "u1");
  CHECK(world.decide("web-1", true).error().code == Errc::not_found);
}

TEST_CASE("a denied host hears the reason and may be taken back") {
  World world(manual_spec());
  const auto request = demo_request("web-1", 21, "k1");
  REQUIRE(world.join(request, "u1"));
  CHECK(world.decide("web-1", false, "two\nlines").error().code == Errc::invalid);
  CHECK(world.decide("web-1", false, std::string(300, 'x')).error().code == Errc::invalid);
  REQUIRE(world.decide("web-1", false, "not one of ours"));
  const auto refused = world.join(request, "u1");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  CHECK(refused.error().message.find("not one of ours") != std::string::npos);
  CHECK(world.uses() == 1);
  SECTION("taken back") {
    REQUIRE(world.decide("web-1", true));
    CHECK(world.join(request, "u1")->node->name == "web-1");
  }
  SECTION("its name is free for another host") {
    const auto other = world.join(demo_request("web-1", 22, "k2"), "u1");
    REQUIRE(other);
    CHECK(other->pending->decision == Decision::waiting);
    CHECK(world.uses() == 2);
  }
}

TEST_CASE("an approval can be for one key only") {
  World world(manual_spec());
  const auto request = demo_request("web-1", 21, "k1");
  REQUIRE(world.join(request, "u1"));
  const std::string fingerprint = request.spkis.at(CertUsage::agent);
  CHECK(world.decide("web-1", true, "", "1234567").error().code == Errc::invalid);
  CHECK(world.decide("web-1", true, "", std::string(64, 'e')).error().code == Errc::conflict);
  CHECK(world.decide("web-1", true, "", fingerprint.substr(0, 8))->pending->decision == Decision::approved);
  CHECK(world.state.pending_node("web-1")->decided_by == "admin");
}

TEST_CASE("who waits holds its name, its address and its machine against others") {
  World world(manual_spec());
  REQUIRE(world.join(demo_request("web-1", 21, "k1"), "u1"));
  const auto text = [&](const AdmissionRequest& request) {
    const auto refused = world.join(request, "u2");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::conflict);
    return refused.error().message;
  };
  const std::string name = text(demo_request("web-1", 22, "k2"));
  CHECK(name.find("10.77.0.21") != std::string::npos);
  CHECK(name.find("10.77.0.22") != std::string::npos);
  CHECK(text(demo_request("web-2", 21, "k2")).find("is that of web-1, which waits") != std::string::npos);
  auto copy = demo_request("web-2", 22, "k2");
  copy.machine_id = "machine of web-1";
  CHECK(text(copy).find("web-2 (10.77.0.22) or web-1 (10.77.0.21) is a copy") != std::string::npos);
  REQUIRE(world.decide("web-1", false));
  CHECK(world.join(copy, "u2"));
  CHECK(world.uses() == 2);
}

TEST_CASE("no more than a thousand hosts wait at a time, and not for ever") {
  World world(manual_spec());
  REQUIRE(world.apply_to(CreateToken{demo_token("many00", 2000)}));
  std::vector<Change> changes;
  for (int i = 0; i < static_cast<int>(k_max_pending); ++i) {
    const std::string name = "n" + std::to_string(i);
    REQUIRE(apply(world.state, QueueNode{demo_request(name, 1000 + i, name, "many00")}, changes));
  }
  REQUIRE(world.records.commit(changes));
  const auto full = world.join(demo_request("late", 21, "late", "many00"), "u");
  REQUIRE_FALSE(full);
  CHECK(full.error().code == Errc::too_many);
  CHECK(full.error().retry_after > 0);
  CHECK(world.state.token("many00")->uses == k_max_pending);
  CHECK(world.join(demo_request("n5", 1005, "n5", "many00"), "u"));  // who waits already goes on waiting
  REQUIRE(world.apply_to(DecideNode{"n7", false, "", "", "admin", k_start + Seconds(7 * 86400)}));
  Sweep sweep;
  sweep.maturity.now = k_start + Seconds(7 * 86400 + 200);
  REQUIRE(world.apply_to(sweep));
  REQUIRE(world.state.pending().size() == 1);
  CHECK(world.state.pending_node("n7") != nullptr);
}

TEST_CASE("when tokens are enough again, who waits joins at once") {
  World world(manual_spec());
  const auto request = demo_request("web-1", 21, "k1");
  REQUIRE(world.join(request, "u1"));
  REQUIRE(world.apply_to(ApplyCluster{demo_spec()}));
  CHECK(world.join(request, "u1")->node->name == "web-1");
  CHECK(world.uses() == 1);
  proto::ClusterSpec bad = demo_spec();
  bad.admission = "anybody";
  CHECK(world.apply_to(ApplyCluster{bad}).error().message.find("admission: \"anybody\"") != std::string::npos);
}

TEST_CASE("a token's pool goes with the node") {
  World world(demo_spec());
  PoolRecord gpu;
  gpu.name = "gpu";
  gpu.ranges = {*Cidr::parse("10.20.0.0/16")};
  gpu.selector.only_by_name = true;
  REQUIRE(world.apply_to(CreatePool{gpu, {}}));
  JoinToken token = demo_token("gpu000", 2);
  token.pool = "gpu";
  token.node = "gpu-*";
  token.sources = {*Cidr::parse("10.77.0.0/24")};
  REQUIRE(world.apply_to(CreateToken{token}));
  CHECK(world.join(demo_request("gpu-1", 21, "k1", "gpu000"), "u1")->node->pool == "gpu");
  CHECK(world.join(demo_request("web-1", 22, "k2", "gpu000"), "u2").error().message == k_token_refused);
  CHECK(world.join(demo_request("gpu-2", 300, "k2", "gpu000"), "u2").error().message == k_token_refused);
  CHECK(world.join(demo_request("web-1", 22, "k2"), "u2")->node->pool.empty());
}

TEST_CASE("a replacement gets name, block and the next generation, the old identity is dead at once") {
  World world(demo_spec());
  const auto old_host = demo_request("web-1", 21, "old");
  const Node old = *world.join(old_host, "u1")->node;
  CHECK(world.replace("nobody", "rep000").error().code == Errc::not_found);
  REQUIRE(world.replace("web-1", "rep000"));
  CHECK(world.replace("web-1", "rep000").error().code == Errc::conflict);
  REQUIRE(world.replace("web-1", "rep001"));  // another token
  CHECK(world.state.token("rep000")->node == "web-1");
  CHECK(world.state.authenticate_agent("u1", 1, fake_serial("s-u1-agent"), k_start).error().code == Errc::gone);
  auto back = old_host;
  back.token.reset();
  CHECK(world.join(back, "u2").error().code == Errc::gone);
  // Nobody else gets the name, the role or the block.
  CHECK(world.join(demo_request("web-1", 22, "new", "nosuch"), "u2").error().code == Errc::denied);
  CHECK(world.join(demo_request("web-2", 23, "w2"), "u3")->node->pod_cidr != old.pod_cidr);
  auto master = demo_token("mast00", 1, NodeRole::master);
  REQUIRE(world.apply_to(CreateToken{master}));
  auto other_role = demo_request("web-1", 22, "new", "mast00");
  other_role.role = NodeRole::master;
  for (const CertUsage usage : usages_of_master()) other_role.spkis[usage] = fake_hash("m" + std::string(to_string(usage)));
  CHECK(world.join(other_role, "u2").error().code == Errc::conflict);
  auto other_pool = demo_token("pool00");
  other_pool.pool = "gpu";
  REQUIRE(world.apply_to(CreateToken{other_pool}));
  CHECK(world.join(demo_request("web-1", 22, "new", "pool00"), "u2").error().message.find("pool") != std::string::npos);
  const auto joined = world.join(demo_request("web-1", 22, "new", "rep000"), "u2");
  INFO((joined ? std::string() : joined.error().message));
  REQUIRE(joined);
  CHECK(joined->node->generation == 2);
  CHECK(joined->node->pod_cidr == old.pod_cidr);
  CHECK_FALSE(joined->node->replacing);
  CHECK(world.state.ledger().quarantined() == 0);
  CHECK(world.state.node_by_address(old.address) == nullptr);
  CHECK(world.state.authenticate_agent("u2", 2, fake_serial("s-u2-agent"), k_start));
  CHECK(world.state.authenticate_agent("u1", 1, fake_serial("s-u1-agent"), k_start).error().code == Errc::gone);
  CHECK(world.join(back, "u3").error().code == Errc::gone);
  // The block is the new node's in every respect.
  REQUIRE(world.apply_to(DeleteNode{"web-1", k_start + Seconds(300)}));
  CHECK(world.state.ledger().quarantined() == 1);
}

TEST_CASE("a replacement may have to wait for approval like any host") {
  World world(manual_spec());
  REQUIRE(world.join(demo_request("web-1", 21, "old"), "u1"));
  REQUIRE(world.decide("web-1", true));
  const Node old = *world.join(demo_request("web-1", 21, "old"), "u1")->node;
  REQUIRE(world.replace("web-1", "rep000"));
  const auto request = demo_request("web-1", 22, "new", "rep000");
  CHECK(world.join(request, "u2")->pending->decision == Decision::waiting);
  REQUIRE(world.decide("web-1", true));
  const auto joined = world.join(request, "u2");
  REQUIRE(joined);
  CHECK(joined->node->generation == 2);
  CHECK(joined->node->pod_cidr == old.pod_cidr);
}

TEST_CASE("two live agents with one identity are told apart by where they are") {
  ManualClock clock(k_start);
  NodeStatusBoard board(clock);
  Node node;
  node.name = "n1";
  node.uid = "u1";
  node.address = *IpAddress::parse("10.77.0.21");
  const IpAddress elsewhere = *IpAddress::parse("10.77.0.99");
  const auto check = [&](const IpAddress& from) { return check_single({}, node, board.find("u1"), from, clock.steady()); };
  CHECK(check(elsewhere));  // its own address was not heard: it may have moved
  board.contact("u1", 1);
  CHECK(check(node.address));
  CHECK(check(*IpAddress::parse("127.0.0.1")));
  clock.advance(std::chrono::seconds(12));
  const Status copy = check(elsewhere);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().code == Errc::denied);
  CHECK(copy.error().message.find("10.77.0.21 (heard 12s ago) and one at 10.77.0.99") != std::string::npos);
  CHECK(copy.error().message.find("on the copy run slipway-agent reset") != std::string::npos);
  board.contact("u1", 1, Origin::elsewhere);  // what comes from elsewhere proves nothing of home
  clock.advance(std::chrono::seconds(78));
  CHECK(check(elsewhere));
}

TEST_CASE("behind a listed NAT a node is believed while its own address is silent") {
  ManualClock clock(k_start);
  NodeStatusBoard board(clock);
  Node node;
  node.name = "n1";
  node.uid = "u1";
  node.address = *IpAddress::parse("10.77.0.21");
  const std::vector<Cidr> nat = {*Cidr::parse("203.0.113.0/28")};
  const IpAddress gateway = *IpAddress::parse("203.0.113.7"), other = *IpAddress::parse("203.0.113.8"), stranger = *IpAddress::parse("203.0.113.77");
  const auto check = [&](const IpAddress& from) { return check_single(nat, node, board.find("u1"), from, clock.steady()); };
  CHECK(origin_of(nat, node, gateway) == Origin::behind_nat);
  CHECK(origin_of(nat, node, stranger) == Origin::elsewhere);
  CHECK(origin_of({}, node, gateway) == Origin::elsewhere);
  CHECK(origin_of({*Cidr::parse("10.77.0.21/32")}, node, node.address) == Origin::home);
  CHECK(check(gateway));
  board.contact("u1", 1, Origin::behind_nat);
  clock.advance(std::chrono::seconds(5));
  CHECK(check(gateway));
  CHECK(check(other));  // a gateway has several addresses
  CHECK(check(node.address));
  const Status copy = check(stranger);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().message.find("10.77.0.21 behind NAT (heard 5s ago) and one at 203.0.113.77") != std::string::npos);
  clock.advance(std::chrono::seconds(85));
  CHECK(check(stranger));
  // Heard at home, it is not behind NAT at the same time.
  board.contact("u1", 1, Origin::home);
  REQUIRE_FALSE(check(gateway));
  CHECK(check(gateway).error().code == Errc::denied);
  clock.advance(std::chrono::seconds(90));
  CHECK(check(gateway));
}

TEST_CASE("a token's sources are held against where a host comes from, not against what it says") {
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  JoinToken token = demo_token("nat123", 9);
  token.sources = {*Cidr::parse("203.0.113.0/24")};
  REQUIRE(apply(state, CreateToken{token}, changes));
  AdmissionRequest request = demo_request("n1", 21, "k", "nat123");
  CHECK(admit(state, request).reason.find("source") != std::string::npos);
  request.from = IpAddress::parse("203.0.113.7").value();
  CHECK(admit(state, request).result);
  request.from = IpAddress::parse("198.51.100.7").value();
  CHECK_FALSE(admit(state, request).result);
}

TEST_CASE("the log of joins counts repetitions and forgets the oldest") {
  JoinLog log(3);
  const auto attempt = [](const std::string& name, const std::string& time) {
    proto::JoinAttempt made;
    made.node_name = name;
    made.time = time;
    return made;
  };
  for (const char* name : {"a", "b", "c"}) log.note(attempt(name, "1"));
  log.note(attempt("a", "2"));
  log.note(attempt("d", "3"));
  const auto items = log.list().items;
  REQUIRE(items.size() == 3);
  CHECK(items[0].node_name == "d");
  CHECK(items[1].node_name == "a");
  CHECK(items[1].count == 2);
  CHECK(items[1].time == "2");
  CHECK(items[2].node_name == "c");
  log.note(attempt("b", "4"));  // was forgotten: begins anew
  CHECK(log.list().items[0].count == 1);
  CHECK(log.list().items.size() == 3);
}

TEST_CASE("one address has but so many refusals in the log of joins, and pushes nobody else out") {
  JoinLog log(10, 3);
  const auto note = [&log](const std::string& name, const std::string& address, bool accepted) {
    proto::JoinAttempt made;
    made.node_name = name;
    made.address = address;
    made.accepted = accepted;
    log.note(made);
  };
  note("honest", "10.0.0.1", false);
  note("mine", "10.0.0.9", true);
  for (int i = 0; i < 50; ++i) note("n" + std::to_string(i), "10.0.0.9", false);
  const auto items = log.list().items;
  REQUIRE(items.size() == 5);
  CHECK(items[0].node_name == "n49");
  CHECK(items[2].node_name == "n47");
  CHECK(items[3].node_name == "mine");
  CHECK(items[4].node_name == "honest");
  note("n47", "10.0.0.9", false);  // again: counted, nobody has to go
  CHECK(log.list().items.size() == 5);
  CHECK(log.list().items[0].count == 2);
  for (int i = 0; i < 20; ++i) note("n", "10.0.1." + std::to_string(i), false);  // the total holds, too
  CHECK(log.list().items.size() == 10);
  note("late", "10.0.0.9", false);
  CHECK(log.list().items[0].node_name == "late");
}

TEST_CASE("pages of the log of joins go back in time, and none shows an attempt twice") {
  JoinLog log;
  const auto note = [&log](const std::string& name, bool accepted, const std::string& stage) {
    proto::JoinAttempt made;
    made.node_name = name;
    made.accepted = accepted;
    made.stage = stage;
    log.note(made);
  };
  for (const char* name : {"a", "b", "c", "d"}) note(name, name[0] == 'b', name[0] == 'b' ? "done" : "token");
  JoinQuery query;
  query.limit = 2;
  const auto first = log.list(query);
  CHECK(first.items[0].node_name == "d");
  CHECK(first.items[1].node_name == "c");
  note("d", false, "token");  // again: moves to the front
  note("e", false, "token");
  query.before = std::stoull(first.next);
  const auto second = log.list(query);
  REQUIRE(second.items.size() == 2);
  CHECK(second.items[0].node_name == "b");
  CHECK(second.next.empty());
  JoinQuery refused;
  refused.accepted = false;
  CHECK(log.list(refused).items.size() == 4);
  refused.stage = "done";
  CHECK(log.list(refused).items.empty());
  JoinQuery one;
  one.node = "b";
  CHECK(log.list(one).items.at(0).accepted);
}

TEST_CASE("joins without a token get few looks while too many fail") {
  ManualClock clock(k_start);
  JoinLimiter limiter(clock, {2, 0.1, 100, 1, 10, 3, 1});
  const IpAddress peer = *IpAddress::parse("10.77.0.1");
  CHECK(limiter.ask(peer) == JoinLimiter::Decision::go);
  limiter.failed(peer);
  limiter.failed(peer);
  CHECK(limiter.ask(peer) == JoinLimiter::Decision::show_token_first);
  CHECK(limiter.ask(*IpAddress::parse("10.77.0.2")) == JoinLimiter::Decision::go);
  for (int i = 0; i < 3; ++i) CHECK(limiter.take_spare());
  CHECK_FALSE(limiter.take_spare());
  clock.advance(std::chrono::seconds(1));
  CHECK(limiter.take_spare());
  CHECK_FALSE(limiter.take_spare());
}

}  // namespace
}  // namespace slipway
