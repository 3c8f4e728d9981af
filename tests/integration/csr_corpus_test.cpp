// Hostile requests over the real API: refused, nothing in the ledger, one audit line each.
#include "common/crypto/certificate.hpp"
#include "proto/audit.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/csr_corpus.hpp"

namespace slipway::test {
namespace {

struct Numbers {
  std::size_t nodes = 0, certificates = 0;
  std::uint64_t uses = 0, seq = 0;
  bool operator==(const Numbers&) const = default;
};

Numbers count(Caller& admin) {
  Numbers numbers;
  numbers.nodes = as<proto::NodeList>(admin.get("/v1/nodes")).items.size();
  numbers.certificates = as<proto::CertificateList>(admin.get("/v1/certificates")).items.size();
  for (const auto& token : as<proto::TokenList>(admin.get("/v1/tokens")).items) numbers.uses += token.uses;
  numbers.seq = as<proto::AuditList>(admin.get("/v1/audit?limit=1")).items.at(0).seq;
  return numbers;
}

// What must hold after each refusal.
void check_refused(Caller& admin, const http::Response& response, Numbers& before, const std::string& action) {
  CHECK(response.status == 400);
  CHECK(as<proto::Problem>(response).detail.find("/csrs/agent: certificate request refused") == 0);
  ++before.seq;
  const Numbers after = count(admin);
  CHECK(after == before);
  const auto record = as<proto::AuditList>(admin.get("/v1/audit?limit=1")).items.at(0);
  CHECK(record.action == action);
  CHECK(record.result == "refused");
  CHECK(record.detail.find("certificate request refused") != std::string::npos);
  CHECK(record.detail.find("hunter2") == std::string::npos);
  CHECK(record.count == 1);
}

TEST_CASE("hostile requests to join are refused, leave nothing behind and are audited", "[cluster][csr]") {
  ClusterFixture cluster;
  cluster.start();
  const std::string token = cluster.new_token(1);
  const SimulatedAgent agent("node-1", 11);
  Caller admin = cluster.admin(), caller = cluster.anonymous();
  Numbers before = count(admin);
  for (const HostileCsr& hostile : hostile_csrs()) {
    INFO(hostile.name);
    auto request = agent.join_request(token);
    request.csrs["agent"] = hostile.text;
    check_refused(admin, caller.post("/v1/join", proto::encode(request)), before, "node.join");
  }
  CHECK(as<proto::AuditVerdict>(admin.get("/v1/audit/verify")).ok);
  SimulatedAgent honest("node-1", 11);  // the token and the name are still there
  honest.accept(caller.send(honest.join_message(token)));
}

TEST_CASE("hostile requests to renew are refused, leave nothing behind and are audited", "[cluster][csr]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent("node-1", 11);
  Caller joining = cluster.anonymous();
  agent.accept(joining.send(agent.join_message(cluster.new_token(1))));
  Caller admin = cluster.admin(), caller = agent.caller(cluster);
  Numbers before = count(admin);
  for (const HostileCsr& hostile : hostile_csrs()) {
    INFO(hostile.name);
    proto::RenewRequest request{agent.csrs};
    request.csrs["agent"] = hostile.text;
    check_refused(admin, caller.post("/v1/agent/certificates", proto::encode(request)), before, "certificate.renew");
  }
  const auto record = as<proto::AuditList>(admin.get("/v1/audit?limit=1")).items.at(0);
  CHECK(record.actor.kind == "agent");
  CHECK(record.actor.name == "node-1");
  CHECK(record.actor.certificate_sha256 == Certificate::from_pem(agent.certificates.at("agent"))->sha256_hex());
  CHECK(caller.get("/v1/agent/sync").status == 200);
}

TEST_CASE("a request to join that is cut at any byte is refused and audited", "[cluster][csr]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent("node-1", 11);
  Caller admin = cluster.admin(), caller = cluster.anonymous();
  auto request = agent.join_request(cluster.new_token(1));
  const Numbers before = count(admin);
  const std::string& der = good_csr_ders().front();
  for (std::size_t size = 0; size < der.size(); ++size) {
    request.csrs["agent"] = csr_pem(der.substr(0, size));
    const auto response = caller.post("/v1/join", proto::encode(request));
    if (response.status != 400) FAIL("status " << response.status << " for a request cut at " << size);
  }
  Numbers after = count(admin);
  CHECK(after.seq == before.seq + der.size());
  after.seq = before.seq;
  CHECK(after == before);
}

}  // namespace
}  // namespace slipway::test
