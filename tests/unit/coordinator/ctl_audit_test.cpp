// slipwayctl's words about the audit log and what a removal leaves.
#include <catch2/catch.hpp>
#include <map>
#include <sstream>

#include "coordinator/ctl/commands.hpp"
#include "proto/audit.hpp"

namespace slipway::ctl {
namespace {

constexpr WallTime k_now = WallTime(Seconds(1'790'000'000));

class Answers final : public Connection {
 public:
  std::map<std::string, std::pair<int, std::string>> table;
  Result<http::Response> send(http::Request request) override {
    const auto found = table.find(std::string(http::to_string(request.method)) + " " + request.target);
    if (found == table.end()) return make_error(Errc::internal, "the test has no answer to " + request.target);
    http::Response response;
    response.status = found->second.first;
    response.body = found->second.second;
    return response;
  }
  Result<http::Response> upload(http::Request, const std::string&, std::function<void(std::uint64_t)>) override {
    return make_error(Errc::internal, "nothing is uploaded");
  }
  Result<http::Response> stream(http::Request, std::function<Status(std::string_view)>) override {
    return make_error(Errc::internal, "nothing is watched");
  }
};

struct Run {
  int code = 0;
  std::string out, err;
};
Run run(Answers& answers, Command command, Format format = Format::table) {
  std::ostringstream out, err;
  CommandLine line;
  line.command = std::move(command);
  line.format = format;
  const int code = run_command(line, answers, Console{out, err, false, k_now, {}});
  return {code, out.str(), err.str()};
}

proto::AuditRecord record_of(std::uint64_t seq) {
  proto::AuditRecord record;
  record.seq = seq;
  record.time = to_rfc3339(k_now - Seconds(60));
  record.action = "node.join";
  record.actor = {"token", "abc123", "", "10.77.0.11"};
  record.node = "node1";
  record.generation = 2;
  record.detail = "pod CIDR 10.10.1.0/24";
  return record;
}

TEST_CASE("audit list asks page by page and shows who did what", "[ctl][audit]") {
  Answers answers;
  answers.table["GET /v1/audit?limit=50&node=node1&action=node."] = {200, proto::encode(proto::AuditList{{record_of(9)}, "9"})};
  proto::AuditRecord flood = record_of(7);
  flood.result = "refused";
  flood.count = 812;
  answers.table["GET /v1/audit?limit=49&node=node1&action=node.&continue=9"] = {200, proto::encode(proto::AuditList{{flood}, ""})};
  const Run table = run(answers, AuditList{50, "node1", "node.", ""});
  CHECK(table.code == k_ok);
  CHECK(table.out ==
        "SEQ  WHEN    ACTION     RESULT        WHO                           WHAT     CERTS  DETAIL\n"
        "9    1m ago  node.join  done          token abc123 from 10.77.0.11  node1#2  0      pod CIDR 10.10.1.0/24\n"
        "7    1m ago  node.join  refused x812  token abc123 from 10.77.0.11  node1#2  0      pod CIDR 10.10.1.0/24\n");
  CHECK(run(answers, AuditList{50, "node1", "node.", ""}, Format::json).out.find("\"seq\": 9") != std::string::npos);
}

TEST_CASE("audit verify tells the verdict by its exit code", "[ctl][audit]") {
  Answers answers;
  answers.table["GET /v1/audit/verify"] = {200, proto::encode(proto::AuditVerdict{true, 12, 1, 12, "ab", {}})};
  const Run good = run(answers, AuditVerify{});
  CHECK(good.code == k_ok);
  CHECK(good.out == "12 records, the last is 12 with hash ab\nthe audit log is whole\n");
  answers.table["GET /v1/audit/verify"] = {200, proto::encode(proto::AuditVerdict{false, 11, 1, 12, "ab", {"record 7 is missing"}})};
  const Run bad = run(answers, AuditVerify{});
  CHECK(bad.code == k_failed);
  CHECK(bad.out.find("  record 7 is missing\nTHE AUDIT LOG IS NOT WHOLE\n") != std::string::npos);
  CHECK(run(answers, AuditVerify{}, Format::json).code == k_failed);
}

TEST_CASE("a removal says until when others take what is left, and the list names it", "[ctl][audit]") {
  Answers answers;
  const proto::RevokedCertificate first{"node1", "agent", "fabric", "5a0f3c", "aa", to_rfc3339(k_now - Seconds(60)), "2026-11-23T12:00:00Z"};
  proto::RevokedCertificate second = first;
  second.usage = "kubeletServing";
  second.not_after = "2026-11-29T12:00:00Z";
  answers.table["DELETE /v1/nodes/node1"] = {204, ""};
  answers.table["GET /v1/certificates/revoked?limit=1000&node=node1"] = {200, proto::encode(proto::RevokedList{{first, second}, ""})};
  const Run removed = run(answers, NodeDelete{"node1", true});
  CHECK(removed.code == k_ok);
  CHECK(removed.out.find("2 of its certificates have not ended") != std::string::npos);
  CHECK(removed.out.find("until 2026-11-29T12:00:00Z") != std::string::npos);
  answers.table["GET /v1/certificates/revoked?limit=1000"] = {200, proto::encode(proto::RevokedList{{first}, ""})};
  CHECK(run(answers, CertsList{true}).out.find("node1  agent  fabric  1m ago") != std::string::npos);
  answers.table["DELETE /v1/operators/ada"] = {204, ""};
  CHECK(run(answers, OperatorRevoke{"ada", true}).out.find("until") == std::string::npos);
  proto::RevokedCertificate third = first;
  third.node = "ada";
  third.usage = "kubeconfigAdmin";
  answers.table["GET /v1/certificates/revoked?limit=1000"] = {200, proto::encode(proto::RevokedList{{first, third}, ""})};
  CHECK(run(answers, OperatorRevoke{"ada", true}).out.find("takes the kubeconfig until 2026-11-23T12:00:00Z") != std::string::npos);
  answers.table["DELETE /v1/nodes/node2"] = {204, ""};
  CHECK(run(answers, NodeDelete{"node2", true}).code == k_ok);  // that the list cannot be had is no failure of the removal
}

}  // namespace
}  // namespace slipway::ctl
