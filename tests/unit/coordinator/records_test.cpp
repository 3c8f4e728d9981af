#include "coordinator/store/records.hpp"

#include <catch2/catch.hpp>

#include "tests/support/cluster_values.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;

TEST_CASE("later changes of a record override earlier ones in a batch") {
  JoinToken token = demo_token();
  JoinToken used = token;
  used.uses = 1;
  const Batch batch = to_batch({PutRecord{token}, PutRecord{Counters{1, 1}}, PutRecord{used}, PutRecord{Counters{2, 1}},
                                EraseRecord{RecordKind::node, "n1"}, PutRecord{demo_token("gone00")},
                                EraseRecord{RecordKind::token, "gone00"}});
  CHECK(batch.erases == std::vector<std::string>{"s/node/n1", "s/token/gone00"});
  REQUIRE(batch.puts.size() == 2);
  CHECK(batch.puts[0].key == "s/counters");
  CHECK(std::get<Counters>(*decode_record(batch.puts[0])).revision == 2);
  CHECK(std::get<JoinToken>(*decode_record(batch.puts[1])) == used);
}

TEST_CASE("damaged records are named") {
  const KeyValue good = encode_record(demo_token());
  for (const std::string& value : {std::string("{"), std::string("[]"), std::string("{\"id\":\"abc123\"}"), std::string(),
                                   good.value.substr(0, good.value.size() / 2)}) {
    const auto record = decode_record({good.key, value});
    REQUIRE_FALSE(record);
    CHECK(record.error().code == Errc::corrupt);
    CHECK(record.error().message.find("s/token/abc123") != std::string::npos);
  }
  CHECK(decode_record({"s/token/other0", good.value}).error().message.find("another record's key") != std::string::npos);
  CHECK(decode_record({"s/unheard-of", good.value}).error().code == Errc::corrupt);
  std::string wrong_time = good.value;
  wrong_time.replace(wrong_time.find("2026"), 4, "20x6");
  CHECK(decode_record({good.key, wrong_time}).error().message.find("is not valid") != std::string::npos);
}

TEST_CASE("records from before a field was there read as if it were empty") {
  const auto without = [](KeyValue pair, const std::string& field) {
    const std::size_t at = pair.value.find(field);
    INFO(pair.value);
    REQUIRE(at != std::string::npos);
    pair.value.erase(at, field.size());
    return pair;
  };
  const JoinToken token = demo_token();
  const KeyValue old_token = without(without(encode_record(token), R"("pool":"",)"), R"("sources":[],)");
  CHECK(std::get<JoinToken>(*decode_record(old_token)) == token);
  Node node;
  node.name = "n1";
  node.joined_at = k_start;
  node.pod_cidr = *Cidr::parse("10.10.0.0/24");
  const KeyValue old_node = without(without(encode_record(node), R"("pool":"",)"), R"("replacing":false,)");
  const KeyValue older_node = without(encode_record(node), R"(,"unschedulable":false,"renewBefore":"")");
  CHECK(std::get<Node>(*decode_record(older_node)) == node);
  CHECK(std::get<Node>(*decode_record(old_node)) == node);
}

TEST_CASE("a store of before the clock's floor was kept has it from its certificates") {
  MemoryStore store;
  RecordStore records(store);
  State state;
  std::vector<Change> changes;
  REQUIRE(apply(state, demo_init(), changes));
  const CertificateRecord made{"a1", CertUsage::operator_admin, "admin", "", 0, k_start, k_start + Seconds(60), fake_hash("c"), fake_hash("k")};
  REQUIRE(apply(state, RecordCertificate{{made, "PEM"}}, changes));
  REQUIRE(records.commit(changes));
  REQUIRE(store.commit({{{"s/counters", R"({"revision":2,"desiredRevision":1})"}}, {}}));
  const auto loaded = records.load();
  REQUIRE(loaded);
  CHECK(loaded->revision() == 2);
  CHECK(loaded->clock_floor() == k_start);
}

TEST_CASE("a waiting host and a bound token are stored whole") {
  PendingNode node;
  node.name = "web-1";
  node.role = NodeRole::master;
  node.address = *IpAddress::parse("10.77.0.21");
  node.machine_id = "abc";
  node.fingerprint = fake_hash("key");
  node.token_id = "abc123";
  node.pool = "gpu";
  node.facts.os = "Debian";
  node.facts.cpus = 4;
  node.since = k_start;
  CHECK(std::get<PendingNode>(*decode_record(encode_record(node))) == node);
  node.decision = PendingNode::Decision::denied;
  node.decided_at = k_start + Seconds(5);
  node.decided_by = "admin";
  node.reason = "not ours";
  const KeyValue stored = encode_record(node);
  CHECK(stored.key == "s/pending/web-1");
  CHECK(std::get<PendingNode>(*decode_record(stored)) == node);
  JoinToken token = demo_token();
  token.pool = "gpu";
  token.sources = {*Cidr::parse("10.77.0.0/24"), *Cidr::parse("2001:db8::/64")};
  CHECK(std::get<JoinToken>(*decode_record(encode_record(token))) == token);
}

TEST_CASE("a store of a newer layout is refused in words, one without a version is damaged") {
  MemoryStore store;
  CHECK(RecordStore(store).load());
  REQUIRE(store.commit({{{"s/version", "{\"layout\":3}"}}, {}}));
  const auto newer = RecordStore(store).load();
  REQUIRE_FALSE(newer);
  CHECK(newer.error().message.find("made by a newer version") != std::string::npos);
  REQUIRE(store.commit({{{"s/counters", "{\"revision\":1,\"desiredRevision\":1}"}}, {"s/version"}}));
  CHECK(RecordStore(store).load().error().code == Errc::corrupt);
}

}  // namespace
}  // namespace slipway
