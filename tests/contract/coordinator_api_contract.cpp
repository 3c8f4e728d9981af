// The CoordinatorApi port: the same cases against the fake that the agent's tests use, and against the
// adapter with a real coordinator over real TLS.
#include <catch2/catch.hpp>
#include <set>

#include "agent/domain/desired_merge.hpp"
#include "common/crypto/certificate.hpp"
#include "proto/codec.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/coordinator_rigs.hpp"
#include "tests/support/pki.hpp"

namespace slipway::test {
namespace {

#define EACH_COORDINATOR FakeCoordinatorRig, RealCoordinatorRig

TEMPLATE_TEST_CASE("a join gives the place and the certificates of the role", "[coordinator-api]",
                   EACH_COORDINATOR) {
  const NodeRole role = GENERATE(NodeRole::node, NodeRole::master);
  TestType rig(role);
  join_host(rig);
  const proto::JoinReply& reply = rig.host.reply;
  CHECK(reply.cluster_name == "demo");
  CHECK_FALSE(reply.cluster_id.empty());
  CHECK(reply.node_name == "node-1");
  CHECK_FALSE(reply.node_uid.empty());
  CHECK(reply.generation == 1);
  CHECK(reply.role == to_string(role));
  CHECK(reply.address == rig.host.address);
  CHECK(Cidr::parse(reply.pod_cidr));
  CHECK(reply.certificates.size() == rig.host.csrs.size());
  for (const auto& [usage, key] : rig.host.keys) {
    INFO(usage);
    const auto certificate = Certificate::from_pem(reply.certificates.at(usage));
    REQUIRE(certificate);
    CHECK(certificate->matches(key));
  }
  CHECK(reply.ca_bundles.size() == (role == NodeRole::master ? 6 : 4));
  CHECK(reply.ca_bundles.contains("etcd") == (role == NodeRole::master));
  const auto fabric = Certificate::from_pem(reply.ca_bundles.at("fabric"));
  REQUIRE(fabric);
  CHECK(fabric->sha256_hex() == rig.pin());
}

TEMPLATE_TEST_CASE("a join tried again with the same keys gets the same answer", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  const std::string token = rig.new_token();
  const auto first = join(rig, rig.host, token);
  REQUIRE(first);
  const auto second = join(rig, rig.host, token);
  REQUIRE(second);
  CHECK(proto::encode(*second) == proto::encode(*first));
  // The key is known: no token is needed, and the CA of the first answer will do.
  const JoinTrust trust{"", first->ca_bundles.at("fabric")};
  const auto third = rig.io.run(rig.api().join(rig.host.join_request(""), trust));
  REQUIRE(third);
  CHECK(proto::encode(*third) == proto::encode(*first));
}

TEMPLATE_TEST_CASE("a join without a token that counts is denied, and costs none", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  const std::string good = rig.new_token();
  const std::vector<std::string> bad = {"zzzzzz.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        good.substr(0, 7) + std::string(32, 'a'), "rubbish", ""};
  std::set<std::string> words;
  for (const std::string& token : bad) {
    const auto refused = join(rig, rig.host, token);
    CHECK(code_of(refused) == Errc::denied);
    words.insert(refused.error().message);
  }
  CHECK(words.size() == 1);  // whoever guesses learns nothing
  CHECK(join(rig, rig.host, good));
  const SimulatedAgent late("node-1", 12);
  CHECK(code_of(join(rig, late, good)) == Errc::denied);  // used up: not even that the name is taken
}

TEMPLATE_TEST_CASE("a host with another key does not get a name that is taken", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  join_host(rig);
  const SimulatedAgent thief("node-1", 11);
  const std::string token = rig.new_token();
  CHECK(code_of(join(rig, thief, token)) == Errc::conflict);
  CHECK(join(rig, rig.host, ""));
}

TEMPLATE_TEST_CASE("a join with a request that cannot be read is invalid", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  const std::string token = rig.new_token();
  proto::JoinRequest request = rig.host.join_request(token);
  SECTION("rubbish") {
    request.csrs["agent"] = "rubbish";
  }
  SECTION("not there") {
    request.csrs.erase("agent");
  }
  CHECK(code_of(rig.io.run(rig.api().join(request, JoinTrust{rig.pin(), ""}))) == Errc::invalid);
  CHECK(join(rig, rig.host, token));  // which it has not cost
}

TEMPLATE_TEST_CASE("a coordinator of another CA is told nothing", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  const std::string token = rig.new_token();
  const proto::JoinRequest request = rig.host.join_request(token);
  const auto attempt = [&](JoinTrust trust) {
    return code_of(rig.io.run(rig.api().join(request, std::move(trust))));
  };
  CHECK(attempt({std::string(64, 'a'), ""}) == Errc::unauthenticated);
  CHECK(attempt({"", make_root("fabric CA").certificate_pem}) == Errc::unauthenticated);
  CHECK(attempt({"", ""}) == Errc::invalid);
  CHECK(attempt({"short", ""}) == Errc::invalid);
  CHECK(code_of(join(rig, rig.host, "")) == Errc::denied);  // had it been told, the key would be known
  CHECK(join(rig, rig.host, token));
}

TEMPLATE_TEST_CASE("nothing but a join works before there is an identity", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  const std::vector<std::optional<Errc>> refused(4, Errc::unauthenticated);
  CHECK(codes_of_all(rig) == refused);
  join_host(rig);
  CHECK(codes_of_all(rig) == refused);
  REQUIRE(identify(rig));
  const std::vector<std::optional<Errc>> accepted = {std::nullopt, std::nullopt, std::nullopt, Errc::denied};
  CHECK(codes_of_all(rig) == accepted);
}

TEMPLATE_TEST_CASE("an identity that is none is refused, and the one before stays", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const std::string& fabric = rig.host.reply.ca_bundles.at("fabric");
  const std::string& chain = rig.host.certificates.at("agent");
  CHECK_FALSE(rig.api().use_identity(fabric, {chain, rig.host.keys.at("kubeletClient").to_pem().value()}));
  CHECK_FALSE(rig.api().use_identity(fabric, {"rubbish", rig.host.keys.at("agent").to_pem().value()}));
  CHECK_FALSE(rig.api().use_identity(fabric, {chain, Secret("rubbish")}));
  CHECK_FALSE(rig.api().use_identity("rubbish", {chain, rig.host.keys.at("agent").to_pem().value()}));
  CHECK(rig.io.run(rig.api().report({})));
}

TEMPLATE_TEST_CASE("sync gives what is newer, and then nothing", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const proto::DesiredState first = state_in(sync(rig, {}));
  REQUIRE_FALSE(first.nodes.empty());
  CHECK(first.nodes[0].uid == rig.host.reply.node_uid);
  const auto nothing = sync(rig, position_of(first, true));
  REQUIRE(nothing);
  CHECK_FALSE(nothing->has_value());
  rig.change_state();
  const proto::DesiredState second = state_in(sync(rig, position_of(first, false)));
  CHECK(second.epoch == first.epoch);
  CHECK(second.revision > first.revision);
  // Positions from before and from another life of the coordinator are behind.
  CHECK(state_in(sync(rig, position_of(first, true))).revision == second.revision);
  CHECK(state_in(sync(rig, {"another", second.revision + 100, 0, true})).revision == second.revision);
  CHECK_FALSE(sync(rig, position_of(second, true))->has_value());
}

TEMPLATE_TEST_CASE("who takes changes gets those since his position, else the whole", "[coordinator-api][feed]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const auto whole = sync(rig, {"", 0, 0, false, true});
  REQUIRE(whole);
  REQUIRE(*whole);
  CHECK_FALSE((*whole)->is_delta);
  const proto::DesiredState first = state_in(whole);
  SyncPosition position = position_of(first, false);
  position.takes_delta = true;
  rig.change_state();
  const auto answer = sync(rig, position);
  REQUIRE(answer);
  REQUIRE(*answer);
  REQUIRE((*answer)->is_delta);
  const auto delta = proto::decode<proto::DesiredDelta>((*answer)->json);
  REQUIRE(delta);
  CHECK(delta->from == first.revision);
  const auto merged_state = merged(first, *delta);
  REQUIRE((merged_state ? std::string() : merged_state.error().message) == "");
  position.takes_delta = false;
  const proto::DesiredState second = state_in(sync(rig, position));
  CHECK(merged_state->revision == second.revision);
  CHECK(merged_state->nodes == second.nodes);
  CHECK(proto::encode(merged_state->cluster) == proto::encode(second.cluster));
  CHECK(second.form == proto::k_desired_form);
  CHECK(check_nodes(second));
  position.takes_delta = true;
  // A position that nobody remembers.
  const auto behind = sync(rig, {first.epoch, 0, 0, true, true});
  REQUIRE(behind);
  CHECK_FALSE((*behind)->is_delta);
  const auto elsewhere = sync(rig, {"another", first.revision, 0, true, true});
  REQUIRE(elsewhere);
  CHECK_FALSE((*elsewhere)->is_delta);
}

TEMPLATE_TEST_CASE("a sync that waits is woken by news", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const proto::DesiredState first = state_in(sync(rig, {}));
  Cancelable<std::optional<SyncNews>> waiting(rig.io, rig.api().sync(position_of(first, false)));
  REQUIRE(rig.io.run(rig.api().report({})));  // others are served meanwhile
  CHECK_FALSE(waiting.ended());
  rig.change_state();
  CHECK(state_in(waiting.wait()).revision > first.revision);
}

TEMPLATE_TEST_CASE("a sync that waits can be canceled, and the next one works", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const proto::DesiredState first = state_in(sync(rig, {}));
  Cancelable<std::optional<SyncNews>> waiting(rig.io, rig.api().sync(position_of(first, false)));
  REQUIRE(rig.io.run(rig.api().report({})));
  CHECK_FALSE(waiting.ended());
  CHECK(code_of(waiting.cancel()) == Errc::canceled);
  CHECK(state_in(sync(rig, {})).revision == first.revision);
}

TEMPLATE_TEST_CASE("a deleted node is told so whatever it asks", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const proto::DesiredState first = state_in(sync(rig, {}));
  rig.remove_node();
  CHECK(codes_of_all(rig) == std::vector<std::optional<Errc>>(4, Errc::gone));
  CHECK(code_of(sync(rig, position_of(first, false))) == Errc::gone);
  CHECK(code_of(join(rig, rig.host, "")) == Errc::gone);
  // A new token is a new beginning, and does nothing for the old certificate.
  join_host(rig);
  CHECK(rig.host.reply.generation == 2);
  CHECK(code_of(sync(rig, {})) == Errc::gone);
  REQUIRE(identify(rig));
  CHECK(code_of(sync(rig, {})) == std::nullopt);
}

TEMPLATE_TEST_CASE("a report arrives", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  proto::NodeStatusReport report;
  for (const char* phase : {"Installing", "Running"}) {
    report.phase = phase;
    REQUIRE(rig.io.run(rig.api().report(report)));
    CHECK(rig.reported_phase() == phase);
  }
}

TEMPLATE_TEST_CASE("a probe of the network is told once, and taken part in", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  CHECK(code_of(rig.io.run(rig.api().offer_probe({"x"}))) == Errc::unauthenticated);
  CHECK(code_of(rig.io.run(rig.api().report_probe({"x"}))) == Errc::unauthenticated);
  settle(rig);
  SyncPosition position = position_of(state_in(sync(rig, {})), true);
  CHECK_FALSE(sync(rig, position)->has_value());
  const std::string id = rig.start_probe();
  const auto told = sync(rig, position);
  REQUIRE(told);
  REQUIRE(*told);
  CHECK((*told)->json.empty());
  CHECK((*told)->probe == id);
  position.probe = id;
  CHECK_FALSE(sync(rig, position)->has_value());
  const auto targets = rig.io.run(rig.api().offer_probe({id}));
  REQUIRE(targets);
  CHECK(targets->probe == id);
  CHECK(targets->targets.empty());  // nobody else is there
  REQUIRE(rig.io.run(rig.api().report_probe({id})));
  CHECK(code_of(rig.io.run(rig.api().offer_probe({id}))) == Errc::conflict);
  CHECK(code_of(rig.io.run(rig.api().report_probe({id}))) == Errc::conflict);
}

TEMPLATE_TEST_CASE("leave to restart is given, kept and given back", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  CHECK(code_of(rig.io.run(rig.api().request_restart({false, {"kubelet"}}))) == Errc::unauthenticated);
  settle(rig);
  REQUIRE(rig.io.run(rig.api().report({})));
  for (int i = 0; i < 2; ++i) {
    const auto reply = rig.io.run(rig.api().request_restart({false, {"kubelet"}}));
    REQUIRE(reply);
    CHECK(reply->granted);
    CHECK(reply->reason.empty());
  }
  CHECK(rig.io.run(rig.api().request_restart({true, {}})));
  rig.remove_node();
  CHECK(code_of(rig.io.run(rig.api().request_restart({false, {}}))) == Errc::gone);
}

TEMPLATE_TEST_CASE("certificates are renewed for new keys, once for each key", "[coordinator-api]",
                   EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const auto old_certificates = rig.host.certificates;
  rig.host.new_keys();
  const auto renewed = rig.io.run(rig.api().renew({rig.host.csrs}));
  REQUIRE(renewed);
  CHECK(renewed->certificates.size() == rig.host.csrs.size());
  for (const auto& [usage, pem] : renewed->certificates) {
    INFO(usage);
    CHECK(pem != old_certificates.at(usage));
    CHECK(Certificate::from_pem(pem)->matches(rig.host.keys.at(usage)));
  }
  CHECK(renewed->ca_bundles == rig.host.reply.ca_bundles);
  // The answer may have been lost: the old certificate still counts, and asking again gives the same.
  const auto again = rig.io.run(rig.api().renew({rig.host.csrs}));
  REQUIRE(again);
  CHECK(again->certificates == renewed->certificates);
  rig.host.certificates = renewed->certificates;
  REQUIRE(identify(rig));
  CHECK(rig.io.run(rig.api().report({})));
  CHECK(join(rig, rig.host, ""));  // the new key proves the node as well
}

TEMPLATE_TEST_CASE("a node that names another address moves there with its block", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  const std::string block = rig.host.reply.pod_cidr, old_pem = rig.host.certificates.at("kubeletServing");
  rig.host.new_keys();
  const std::map<std::string, std::string> serving = {{"kubeletServing", rig.host.csrs.at("kubeletServing")}};
  CHECK(code_of(rig.io.run(rig.api().renew({{{"agent", rig.host.csrs.at("agent")}}, "10.77.0.77"}))) == Errc::invalid);
  const auto moved = rig.io.run(rig.api().renew({serving, "10.77.0.77"}));
  REQUIRE(moved);
  CHECK(moved->address == "10.77.0.77");
  REQUIRE(moved->certificates.size() == 1);
  const std::string pem = moved->certificates.at("kubeletServing");
  CHECK(pem != old_pem);
  CHECK(Certificate::from_pem(pem)->ip_addresses() == std::vector<IpAddress>{IpAddress::parse("10.77.0.77").value()});
  // The answer may have been lost: the same again.
  const auto again = rig.io.run(rig.api().renew({serving, "10.77.0.77"}));
  REQUIRE(again);
  CHECK(again->certificates == moved->certificates);
  CHECK(again->address == "10.77.0.77");
  const auto stays = rig.io.run(rig.api().renew({serving}));
  REQUIRE(stays);
  CHECK_FALSE(stays->address);
}

TEMPLATE_TEST_CASE("a master does not move", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig(NodeRole::master);
  settle(rig);
  CHECK(code_of(rig.io.run(rig.api().renew({{{"kubeletServing", rig.host.csrs.at("kubeletServing")}}, "10.77.0.77"}))) == Errc::denied);
}

TEMPLATE_TEST_CASE("a renewal that cannot be read is invalid", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  CHECK(code_of(rig.io.run(rig.api().renew({}))) == Errc::invalid);
  CHECK(code_of(rig.io.run(rig.api().renew({{{"agent", "rubbish"}}}))) == Errc::invalid);
  CHECK(code_of(rig.io.run(rig.api().renew({{{"king", rig.host.csrs.at("agent")}}}))) == Errc::invalid);
}

TEMPLATE_TEST_CASE("a node gets no certificate of a master", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  CHECK(code_of(rig.io.run(rig.api().renew({{{"etcdServer", rig.host.csrs.at("agent")}}}))) == Errc::denied);
}

TEMPLATE_TEST_CASE("what masters share is for masters", "[coordinator-api]", EACH_COORDINATOR) {
  const NodeRole role = GENERATE(NodeRole::node, NodeRole::master);
  TestType rig(role);
  settle(rig);
  const auto secrets = rig.io.run(rig.api().master_secrets());
  if (role == NodeRole::node) {
    CHECK(code_of(secrets) == Errc::denied);
  } else {
    REQUIRE(secrets);
    CHECK_FALSE(secrets->service_account_key.empty());
  }
}

TEMPLATE_TEST_CASE("a coordinator that is away is unavailable", "[coordinator-api]", EACH_COORDINATOR) {
  TestType rig;
  settle(rig);
  REQUIRE(sync(rig, {}));  // a connection was kept
  rig.go_away();
  CHECK(codes_of_all(rig) == std::vector<std::optional<Errc>>(4, Errc::unavailable));
  const auto joined = rig.io.run(rig.api().join(rig.host.join_request(""), JoinTrust{rig.pin(), ""}));
  CHECK(code_of(joined) == Errc::unavailable);
}

}  // namespace
}  // namespace slipway::test
