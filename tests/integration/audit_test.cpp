// The audit log of a whole coordinator.
#include <filesystem>

#include "common/crypto/certificate.hpp"
#include "coordinator/init.hpp"
#include "proto/audit.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

std::vector<proto::AuditRecord> log_of(Caller& admin, const std::string& query = "") {
  return as<proto::AuditList>(admin.get("/v1/audit?limit=1000" + query)).items;
}

std::string log_file(const ClusterFixture& cluster) { return cluster.dir / "data/audit/audit-00000000000000000001.jsonl"; }

std::string verdict_text(const AuditVerifyOptions& options, bool good) {
  const auto report = verify_audit(options);
  if (!report) FAIL(report.error().message);
  INFO(report->text);
  CHECK(report->ok == good);
  return report->text;
}

TEST_CASE("all that is done stands in the audit log, with who did it", "[cluster][audit]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const std::string token = cluster.new_token(1);
  SimulatedAgent agent("node-1", 11);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(token)));
  CHECK(caller.send(agent.join_message("")).status == 200);  // the very same answer: nothing new was issued
  CHECK(admin.remove("/v1/tokens/absent").status == 404);
  CHECK(admin.remove("/v1/nodes/node-1").status == 204);
  const auto log = log_of(admin);
  std::vector<std::string> actions;
  for (auto record = log.rbegin(); record != log.rend(); ++record) actions.push_back(record->action + " " + record->result);
  CHECK(actions == std::vector<std::string>{"cluster.init done", "token.create done", "certificate.issue done", "coordinator.start done",
                                            "ca.adopt done", "ca.adopt done", "ca.adopt done", "ca.adopt done", "ca.adopt done", "ca.adopt done",
                                            "certificate.issue done", "token.create done", "node.join done", "operator.request refused",
                                            "node.delete done"});
  const auto& join = log[2];
  CHECK(join.actor.kind == "token");
  CHECK(token.starts_with(join.actor.name));
  CHECK(join.actor.address == "127.0.0.1");
  REQUIRE(join.certificates.size() == 4);
  for (const auto& issued : join.certificates) {
    const auto certificate = Certificate::from_pem(agent.certificates.at(issued.usage));
    CHECK(issued.sha256 == certificate->sha256_hex());
    CHECK(issued.serial == certificate->serial_hex());
    CHECK(issued.spki_sha256 == certificate->spki_sha256_hex());
    CHECK(issued.names.size() == certificate->dns_names().size() + certificate->ip_addresses().size() + certificate->uris().size());
    // As kube-apiserver's audit log names it.
    const auto found = log_of(admin, "&certificate=" + certificate->sha256_hex());
    REQUIRE(found.size() == 1);
    CHECK(found[0].node == "node-1");
  }
  const auto admin_sha = Certificate::from_pem(cluster.admin_cluster.client_certificate)->sha256_hex();
  CHECK(log[0].actor.kind == "operator");
  CHECK(log[0].actor.name == "admin");
  CHECK(log[0].actor.certificate_sha256 == admin_sha);
  CHECK(log[1].subject == "deleteToken /v1/tokens/absent");
  CHECK(log_of(admin, "&action=node.").size() == 2);
  for (const auto& record : log) CHECK(proto::encode(record).find(token.substr(7)) == std::string::npos);  // no secret
  CHECK(as<proto::AuditVerdict>(admin.get("/v1/audit/verify")).ok);
  CHECK(admin.get("/v1/audit?continue=x").status == 400);
  CHECK(agent.caller(cluster).get("/v1/audit").status == 403);
}

TEST_CASE("the audit log goes on over restarts and is verified without the daemon", "[cluster][audit]") {
  ClusterFixture cluster;
  cluster.start();
  const AuditVerifyOptions options{cluster.dir / "data", "", ""};
  REQUIRE_FALSE(verify_audit(options));
  CHECK(verify_audit(options).error().code == Errc::conflict);
  cluster.new_token();
  cluster.stop();
  cluster.start();
  cluster.new_token();
  Caller admin = cluster.admin();
  const auto verdict = as<proto::AuditVerdict>(admin.get("/v1/audit/verify"));
  CHECK(verdict.ok);
  CHECK(verdict.first == 1);
  CHECK(verdict.records == verdict.last);
  cluster.stop();
  CHECK(verdict_text(options, true).find("the audit log is whole") != std::string::npos);
  const std::string files = cluster.dir / "data/audit", head = std::to_string(verdict.last) + ":" + verdict.hash;
  CHECK(verdict_text({"", files, head}, true).find("without --head") == std::string::npos);
  CHECK(verdict_text({"", files, ""}, true).find("without --head") != std::string::npos);
  std::string text = get_file(log_file(cluster));
  text[text.find("token.create")] = 'T';
  put_file(log_file(cluster), text);
  CHECK(verdict_text(options, false).find("was changed: it says it is record 2") != std::string::npos);
}

TEST_CASE("an audit log whose end was cut does not stop the cluster, and is not forgotten", "[cluster][audit]") {
  ClusterFixture cluster;
  cluster.start();
  Caller first = cluster.admin();
  const std::uint64_t last = as<proto::AuditVerdict>(first.get("/v1/audit/verify")).last;
  CHECK(as<proto::HealthReport>(first.get("/v1/health")).checks.at(2).ok);
  cluster.stop();
  const std::string text = get_file(log_file(cluster));
  put_file(log_file(cluster), text.substr(0, text.rfind('\n', text.size() - 2) + 1));
  const std::string missing = "record " + std::to_string(last) + " is missing";
  CHECK(verdict_text({cluster.dir / "data", "", ""}, false).find(missing + " at the end") != std::string::npos);
  cluster.start();
  Caller admin = cluster.admin();
  const auto verdict = as<proto::AuditVerdict>(admin.get("/v1/audit/verify"));
  CHECK_FALSE(verdict.ok);
  REQUIRE(verdict.problems.size() == 1);
  CHECK(verdict.problems[0].find(missing) == 0);
  CHECK(log_of(admin, "&action=audit.damaged").size() == 1);
  bool named = false;
  for (const auto& check : as<proto::HealthReport>(admin.get("/v1/health")).checks) named = named || (check.name == "audit log" && !check.ok);
  CHECK(named);
}

TEST_CASE("a node that reaches for an operator's route is in the audit log", "[cluster][audit]") {
  ClusterFixture cluster;
  cluster.start();
  SimulatedAgent agent("node-1", 11);
  Caller joining = cluster.anonymous();
  agent.accept(joining.send(agent.join_message(cluster.new_token(1))));
  CHECK(agent.caller(cluster).remove("/v1/nodes/node-1").status == 403);
  Caller admin = cluster.admin();
  // Recorded beside the answer: the next change comes after it.
  const auto recorded = [&] {
    const auto log = log_of(admin, "&action=operator.request");
    return log.size() == 1 && log[0].actor.kind == "agent" && log[0].actor.name == "node-1" && log[0].subject == "deleteNode /v1/nodes/node-1";
  };
  for (int i = 0; i < 100 && !recorded(); ++i) cluster.new_token();
  CHECK(recorded());
}

}  // namespace
}  // namespace slipway::test
