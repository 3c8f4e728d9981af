// slipwayctl against a coordinator that is a table of answers.
#include "coordinator/ctl/commands.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <map>
#include <sstream>

#include "common/config/yaml_to_json.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "coordinator/ctl/admin_config.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/release.hpp"
#include "proto/drain.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

TEST_CASE("tables have times for people", "[ctl][output]") {
  FakeConnection connection;
  connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{node("a")}, "a"}));
  connection.on("GET /v1/nodes?continue=a", 200, proto::encode(proto::NodeList{{node("b")}, ""}));
  const Run result = run(connection, NodeList{});
  CHECK(result.code == k_ok);
  CHECK(result.out ==
        "NAME  ROLE  PHASE    ADDRESS     POD-CIDR      COMPONENTS  LAST-CONTACT\n"
        "a     node  Running  10.77.0.11  10.10.1.0/24  -           1m3s ago\n"
        "b     node  Running  10.77.0.11  10.10.1.0/24  -           1m3s ago\n");
}

TEST_CASE("pools are shown with their use and forecast", "[ctl][pools]") {
  FakeConnection connection;
  proto::PoolView one = pool_view();
  one.reservations = {{"10.20.3.0/25", "gpu-3", true, false, "", to_rfc3339(k_now - Seconds(60))}};
  connection.on("GET /v1/pools", 200, proto::encode(proto::PoolList{{pool_view()}}));
  connection.on("GET /v1/pools/gpu", 200, proto::encode(one));
  connection.on("GET /v1/pools/gpu/nodes", 200, proto::encode(proto::PoolTenantList{{{"gpu-1", "10.20.0.0/25"}}, "gpu-1"}));
  connection.on("GET /v1/pools/gpu/nodes?continue=gpu-1", 200, proto::encode(proto::PoolTenantList{{{"gpu-2", "10.20.0.128/25"}}, ""}));
  CHECK(run(connection, PoolList{}).out ==
        "NAME  RANGES                     SIZE  USED    FREE      NODES  STATE    FULL   FOR\n"
        "gpu   10.20.0.0/16,10.21.0.0/16  /25   84.0 %  164/1024  860    warning  in 3d  names gpu-*\n");
  const Run text = run(connection, PoolGet{"gpu"});
  CHECK(text.out.find("10.20.3.0/25  gpu-3 (imported)  no") != std::string::npos);
  CHECK(run(connection, PoolNodes{"gpu"}).out ==
        "NODE   BLOCK\n"
        "gpu-1  10.20.0.0/25\n"
        "gpu-2  10.20.0.128/25\n");
}

TEST_CASE("blocks are reserved and released in the pool that they lie in", "[ctl][pools]") {
  FakeConnection connection;
  connection.on("GET /v1/pools", 200, proto::encode(proto::PoolList{{pool_view()}}));
  connection.on("POST /v1/pools/gpu/reservations", 201,
                proto::encode(proto::Reservation{"10.21.3.0/25", "gpu-3", false, false, "", to_rfc3339(k_now)}));
  connection.on("DELETE /v1/pools/gpu/reservations/10.21.3.0-25", 204, "");
  CHECK(run(connection, PoolHold{"10.21.3.0/25", "gpu-3", ""}).out == "10.21.3.0/25 of pool gpu is kept for node gpu-3\n");
  CHECK(run(connection, PoolRelease{"10.21.3.0/25"}).code == k_ok);
  CHECK(run(connection, PoolHold{"10.99.3.0/25", "", ""}).code == k_usage);
  CHECK(run(connection, PoolRelease{"rubbish"}).code == k_usage);
}

TEST_CASE("documents are exact", "[ctl][output]") {
  FakeConnection connection;
  connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{node("a")}, ""}));
  const Run json = run(connection, NodeList{}, Format::json);
  const auto list = proto::decode<proto::NodeList>(json.out);
  REQUIRE(list);
  CHECK(list->items.at(0).last_contact == to_rfc3339(k_now - Seconds(63)));
  const Run yaml = run(connection, NodeList{}, Format::yaml);
  const auto back = yaml_to_json(yaml.out, "output");
  REQUIRE(back);
  CHECK(proto::decode<proto::NodeList>(*back)->items.at(0).name == "a");
}

TEST_CASE("values of nodes cannot write to the terminal", "[ctl][output]") {
  CHECK(render({{"A"}, {{"x\x1b[2Jy\nz"}}}) == "A\nx?[2Jy?z\n");
}

TEST_CASE("problems become a text and a code", "[ctl][errors]") {
  const std::pair<Errc, int> rows[] = {{Errc::invalid, k_usage},          {Errc::denied, k_denied},
                                       {Errc::unauthenticated, k_denied}, {Errc::timeout, k_timed_out},
                                       {Errc::not_found, k_failed},       {Errc::conflict, k_failed}};
  for (const auto& [code, exit_code] : rows) {
    FakeConnection connection;
    connection.on("DELETE /v1/nodes/a%2Fb", proto::http_status(code), problem(code, "there is no such node"));
    const Run result = run(connection, NodeDelete{"a/b", true});
    CHECK(result.code == exit_code);
    CHECK(result.out.empty());
    CHECK(result.err == "slipwayctl: there is no such node\n");
  }
}

TEST_CASE("what changes much asks first, or wants --yes", "[ctl][confirm]") {
  FakeConnection connection;
  connection.on("DELETE /v1/nodes/n1", 204, "");
  const Run refused = run(connection, NodeDelete{"n1", false});
  CHECK(refused.code == k_usage);
  CHECK(refused.err.find("give --yes") != std::string::npos);
  CHECK(connection.requests.empty());
  CHECK(run(connection, NodeDelete{"n1", true}).code == k_ok);
  const std::size_t asked_for = connection.requests.size();
  CHECK(asked_for > 0);

  std::ostringstream out;
  std::ostringstream err;
  CommandLine line;
  line.command = OperatorRevoke{"ada", false};
  std::string asked;
  Console console{out, err, true, k_now, [&asked](const std::string& question) {
                    asked = question;
                    return false;
                  }};
  CHECK(run_command(line, connection, console) == k_usage);
  CHECK(asked.find("operator ada") != std::string::npos);
  CHECK(connection.requests.size() == asked_for);
}

TEST_CASE("filters of the node list go to the coordinator, on every page", "[ctl][nodes]") {
  FakeConnection connection;
  const std::string query = "/v1/nodes?role=node&phase=Running&labelSelector=a%3Db";
  proto::NodeList first{{node("a")}, "a"};
  connection.on("GET " + query, 200, proto::encode(first));
  connection.on("GET " + query + "&continue=a", 200, proto::encode(proto::NodeList{{node("b")}, ""}));
  NodeList wish;
  wish.role = "node";
  wish.phase = "Running";
  wish.selector = "a=b";
  const Run result = run(connection, wish);
  CHECK(result.code == k_ok);
  CHECK(result.out.find("\nb ") != std::string::npos);
}

TEST_CASE("a watch prints the table, then a line for each change", "[ctl][watch]") {
  FakeConnection connection;
  std::string stream = "event: added\ndata: " + proto::encode(node("a")) + "\n\n: still here\n\n" +
                       "event: synced\ndata: {}\n\n";
  proto::NodeView changed = node("a");
  changed.phase = "Degraded";
  stream += "event: modified\ndata: " + proto::encode(changed) + "\n\n";
  stream += "event: removed\ndata: " + proto::encode(node("a")) + "\n\n";
  connection.on("GET /v1/nodes?watch=true", 200, stream);
  NodeList wish;
  wish.watch = true;
  const Run result = run(connection, wish);
  CHECK(result.code == k_failed);
  CHECK(result.err.find("ended the watch") != std::string::npos);
  const std::size_t header = result.out.find("NAME");
  CHECK(header == 0);
  CHECK(result.out.find("NAME", 4) == std::string::npos);
  const std::size_t running = result.out.find("Running");
  const std::size_t degraded = result.out.find("Degraded");
  const std::size_t removed = result.out.find("(removed)");
  CHECK((running < degraded && degraded < removed && removed != std::string::npos));
}

TEST_CASE("a watch as YAML is a stream of documents, as JSON of lines", "[ctl][watch]") {
  FakeConnection connection;
  const std::string added = "event: added\ndata: " + proto::encode(node("a")) + "\n\n";
  connection.on("GET /v1/nodes?watch=true", 200, added + added);
  NodeList wish;
  wish.watch = true;
  const std::string yaml = run(connection, wish, Format::yaml).out;
  CHECK(yaml.starts_with("---\nevent: added\nnode:\n"));
  CHECK(yaml.find("\n---\nevent: added\n") != std::string::npos);
  const std::string json = run(connection, wish, Format::json).out;
  CHECK(json.starts_with("{\"event\":\"added\",\"node\":{"));
  CHECK(std::count(json.begin(), json.end(), '\n') == 2);
}

TEST_CASE("a broken event ends the watch with the reason", "[ctl][watch]") {
  FakeConnection connection;
  connection.on("GET /v1/nodes?watch=true", 200, "event: added\ndata: {\"name\":1}\n\n");
  NodeList wish;
  wish.watch = true;
  const Run result = run(connection, wish);
  CHECK(result.code == k_usage);
  CHECK(result.err.find("event of the watch") != std::string::npos);
}

TEST_CASE("an operator's credentials are a configuration of one cluster, mode 0600", "[ctl][operator]") {
  test::TempDir dir;
  FakeConnection connection;
  connection.on("POST /v1/operators", 201,
                proto::encode(proto::OperatorReply{"demo", "https://10.77.0.10:7443", "CA", "CERT", "viewer",
                                                   "2026-12-22T12:00:00Z"}));
  const std::string file = dir / "ada.conf";
  CHECK(run(connection, OperatorCreate{"ada", "viewer", file}).code == k_ok);
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto cluster = load_admin_cluster(file, "");
  REQUIRE(cluster);
  CHECK(cluster->client_certificate == "CERT");
  CHECK(cluster->client_key.find("PRIVATE KEY") != std::string::npos);
  const auto sent = proto::decode<proto::OperatorRequest>(connection.requests.back().body);
  REQUIRE(sent);
  CHECK(sent->role == "viewer");
  CHECK(sent->csr.find("PRIVATE") == std::string::npos);
}

TEST_CASE("contexts of the configuration are listed and chosen", "[ctl][config]") {
  test::TempDir dir;
  const std::string file = dir / "admin.conf";
  proto::AdminConfig config;
  config.clusters = {{"one", "https://10.0.0.1:7443", "CA", "C", "K"}, {"two", "https://10.0.0.2:7443", "CA", "C", "K"}};
  test::put_file(file, json_to_yaml(proto::encode(config)).value());
  ::chmod(file.c_str(), 0600);
  const auto local = [&file](Command command) {
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line;
    line.config = file;
    line.command = std::move(command);
    Console console{out, err, false, k_now};
    const auto code = run_local_command(line, console);
    REQUIRE(code);
    return Run{*code, out.str(), err.str()};
  };
  CHECK(local(ConfigCurrentContext{}).code == k_usage);
  CHECK(local(ConfigUseContext{"three"}).err.find("there are: one, two") != std::string::npos);
  CHECK(local(ConfigUseContext{"two"}).code == k_ok);
  CHECK(local(ConfigCurrentContext{}).out == "two\n");
  CHECK(local(ConfigGetContexts{}).out.find("*        two") != std::string::npos);
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  std::ostringstream out;
  Console console{out, out, false, k_now};
  CommandLine other;
  other.command = Health{};
  CHECK_FALSE(run_local_command(other, console));
}

TEST_CASE("a quiet token is the token alone", "[ctl][token]") {
  FakeConnection connection;
  connection.on("POST /v1/tokens", 201,
                proto::encode(proto::TokenReply{"abc123", "slipway1ff::abc123.secret", "2026-01-01T00:00:00Z",
                                                "slipway-agent join"}));
  CHECK(run(connection, TokenCreate{"24h", 1, "", "node", true}).out == "slipway1ff::abc123.secret\n");
  const Run loud = run(connection, TokenCreate{"1h", 5, "n1", "master", false});
  CHECK(loud.out.find("slipway-agent join") != std::string::npos);
  const auto sent = proto::decode<proto::TokenRequest>(connection.requests.back().body);
  REQUIRE(sent);
  CHECK(sent->ttl == "1h");
  CHECK(sent->max_uses == 5);
  CHECK(sent->node == "n1");
  CHECK(sent->role == "master");
}

TEST_CASE("cluster apply refuses a bad file before anything is sent", "[ctl][apply]") {
  const test::TempDir dir;
  FakeConnection connection;
  test::put_file(dir / "c.yaml", "metadata: {name: demo}\nnetwrk: {}\n");
  const Run unknown = run(connection, ClusterApply{dir / "c.yaml"});
  CHECK(unknown.code == k_usage);
  CHECK(unknown.err.find("c.yaml") != std::string::npos);
  test::put_file(dir / "c.yaml", "metadata: {name: demo\n");
  CHECK(run(connection, ClusterApply{dir / "c.yaml"}).code == k_usage);
  CHECK(run(connection, ClusterApply{dir / "absent.yaml"}).code == k_failed);
  CHECK(connection.requests.empty());
}

TEST_CASE("health exits with 1 when something is not well", "[ctl][health]") {
  FakeConnection connection;
  connection.on("GET /v1/health", 200,
                proto::encode(proto::HealthReport{true, {{"coordinator", true, "answers", ""}}}));
  CHECK(run(connection, Health{}).code == k_ok);
  connection.on(
      "GET /v1/health", 200,
      proto::encode(proto::HealthReport{false, {{"node a: contact", false, "silent", "start it"}}}));
  const Run bad = run(connection, Health{});
  CHECK(bad.code == k_failed);
  CHECK(bad.out.find("NOT OK") != std::string::npos);
  CHECK(bad.out.find("start it") != std::string::npos);
}

TEST_CASE("node list --all shows who waits and why joins were refused", "[ctl][node]") {
  FakeConnection connection;
  answer_overview(connection);
  const Run result = run(connection, everything());
  CHECK(result.out.find("5s ago  7      n9    10.77.0.19  abc123  token   refused: token expired  make another") !=
        std::string::npos);
  CHECK(result.out.find("joined") != std::string::npos);
  CHECK(result.out.find("web-1") != std::string::npos);
  CHECK(result.out.find("Debian") == std::string::npos);
  CHECK(run(connection, everything(), Format::wide).out.find("Debian") != std::string::npos);
}

TEST_CASE("node list --all as a document is one", "[ctl][node]") {
  FakeConnection connection;
  answer_overview(connection);
  const auto whole = proto::decode<proto::NodeOverview>(run(connection, everything(), Format::json).out);
  REQUIRE(whole);
  CHECK(whole->nodes.size() == 1);
  CHECK(whole->pending.at(0).name == "web-1");
  CHECK(whole->joins.at(0).count == 7);
  const auto yaml = yaml_to_json(run(connection, everything(), Format::yaml).out, "output");
  REQUIRE(yaml);
  CHECK(proto::decode<proto::NodeOverview>(*yaml)->joins.size() == 2);
}

TEST_CASE("waiting hosts are approved and denied, nodes replaced", "[ctl][node]") {
  FakeConnection connection;
  proto::PendingNodeView view;
  view.name = "web-1";
  view.fingerprint = "abcdef0123456789";
  connection.on("POST /v1/nodes/web-1/approve", 200, proto::encode(view));
  connection.on("POST /v1/nodes/web-1/deny", 200, proto::encode(view));
  connection.on("POST /v1/nodes/web-1/replace", 201,
                proto::encode(proto::ReplaceReply{
                    "web-1", 2, "10.10.1.0/24", {"abc123", "slipway1ff::abc123.secret", "2026-01-01T00:00:00Z", "slipway-agent join"}}));
  CHECK(run(connection, NodeApprove{"web-1", "SHA256:AB:CD:EF:01"}).out.find("approved") != std::string::npos);
  CHECK(proto::decode<proto::ApproveRequest>(connection.requests.back().body)->fingerprint == "abcdef01");
  CHECK(run(connection, NodeDeny{"web-1", "not ours", true}).code == k_ok);
  CHECK(proto::decode<proto::DenyRequest>(connection.requests.back().body)->reason == "not ours");
  const Run replaced = run(connection, NodeReplace{"web-1", "2h", false, true});
  CHECK(replaced.out.find("10.10.1.0/24") != std::string::npos);
  CHECK(replaced.out.find("slipway-agent join") != std::string::npos);
  CHECK(proto::decode<proto::ReplaceRequest>(connection.requests.back().body)->ttl == "2h");
  CHECK(run(connection, NodeReplace{"web-1", "2h", true, true}).out == "slipway1ff::abc123.secret\n");
}

TEST_CASE("a kubeconfig's key is made here", "[ctl][kubeconfig]") {
  const test::TempDir dir;
  FakeConnection connection;
  connection.on("POST /v1/cluster/kubeconfig", 200,
                proto::encode(proto::KubeconfigReply{"demo", "https://10.77.0.10:6443", "CA", "CERT",
                                                     "2026-12-01T00:00:00Z"}));
  const std::string file = dir / "kube.conf";
  REQUIRE(run(connection, ClusterKubeconfig{file, "alice"}).code == k_ok);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0600);
  const auto json = yaml_to_json(test::get_file(file), file);
  REQUIRE(json);
  const auto config = proto::decode<proto::KubeconfigFile>(*json);
  REQUIRE(config);
  CHECK(config->current_context == "alice@demo");
  CHECK(config->clusters.at(0).cluster.server == "https://10.77.0.10:6443");
  const auto request = proto::decode<proto::KubeconfigRequest>(connection.requests.at(0).body);
  REQUIRE(request);
  CHECK(parse_csr(request->csr));
  CHECK(connection.requests.at(0).body.find("PRIVATE KEY") == std::string::npos);
}

TEST_CASE("importing a file uploads and registers it once", "[ctl][artifact]") {
  const test::TempDir dir;
  test::put_file(dir / "etcd", "program");
  const std::string sha = sha256_hex("program");
  FakeConnection connection;
  connection.on("GET /v1/artifacts", 200, R"({"items":[]})");
  connection.on("PUT /v1/blobs/" + sha, 201, "");
  connection.on("POST /v1/artifacts", 201,
                proto::encode(proto::Artifact{"etcd", "3.4.23", "file", sha, 7, ""}));
  const Run first = run(connection, ArtifactImport{dir / "etcd", "etcd", "3.4.23", "", {}});
  CHECK(first.code == k_ok);
  CHECK(connection.uploaded.at("/v1/blobs/" + sha) == "program");
  connection.on("GET /v1/artifacts", 200,
                proto::encode(proto::ArtifactList{{{"etcd", "3.4.23", "file", sha, 7, ""}}}));
  connection.uploaded.clear();
  CHECK(run(connection, ArtifactImport{dir / "etcd", "etcd", "3.4.23", "", {}}).code == k_ok);
  CHECK(connection.uploaded.empty());
  CHECK(run(connection, ArtifactImport{dir / "etcd", "", "", "", {}}).code == k_usage);
}

std::vector<ArchiveMember> release_members(bool with_version) {
  std::vector<ArchiveMember> members;
  for (const char* name :
       {"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}) {
    members.push_back({std::string("kubernetes/server/bin/") + name, 1, true});
  }
  if (with_version) members.push_back({"kubernetes/version", 8, true});
  return members;
}

TEST_CASE("a Kubernetes release is recognised", "[ctl][release]") {
  const auto plan = plan_import({"k.tar.gz", "", "", "", {}}, release_members(true));
  REQUIRE(plan);
  CHECK(plan->version_member == "kubernetes/version");
  REQUIRE(plan->items.size() == 5);
  CHECK(plan->items[0].component == "kubelet");
  CHECK(plan->items[0].member == "kubernetes/server/bin/kubelet");
  const auto given = plan_import({"k.tar.gz", "", "1.20.2", "", {}}, release_members(false));
  REQUIRE(given);
  CHECK(given->version_member.empty());
  CHECK(given->items[4].version == "1.20.2");
  const auto missing = plan_import({"k.tar.gz", "", "", "", {}}, release_members(false));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("--version") != std::string::npos);
}

TEST_CASE("archives, members and files", "[ctl][release]") {
  const std::vector<ArchiveMember> docker = {
      {"docker/dockerd", 1, true}, {"docker/runc", 1, true}, {"docker", 0, false}};
  const auto whole = plan_import({"d.tgz", "docker", "20.10.24", "", {}}, docker);
  REQUIRE(whole);
  CHECK(whole->items.at(0).format == "tar");
  const auto member = plan_import({"d.tgz", "runc", "1.1", "", {"docker/runc"}}, docker);
  REQUIRE(member);
  CHECK(member->items.at(0).format == "file");
  CHECK(member->items.at(0).component == "runc");
  const auto several = plan_import({"d.tgz", "", "1.1", "", {"docker/runc", "docker/dockerd"}}, docker);
  REQUIRE(several);
  CHECK(several->items.at(1).component == "dockerd");
  CHECK_FALSE(plan_import({"d.tgz", "x", "1", "", {"docker/runc", "docker/dockerd"}}, docker));
  CHECK_FALSE(plan_import({"d.tgz", "x", "1", "", {"docker/absent"}}, docker));
  CHECK_FALSE(plan_import({"d.tgz", "x", "1", "", {"docker"}}, docker));
  CHECK_FALSE(plan_import({"etcd", "", "3.4.23", "", {}}, {}));
  CHECK(plan_import({"etcd", "etcd", "3.4.23", "", {}}, {})->items.at(0).format == "file");
  CHECK(version_from_text("v1.20.2\n").value() == "1.20.2");
  CHECK_FALSE(version_from_text("\n"));
  CHECK_FALSE(version_from_text("../../etc"));
  CHECK(is_archive_name("x.TGZ"));
  CHECK_FALSE(is_archive_name("etcd"));
}

TEST_CASE("import plan: runtimes as upstream packs them") {
  const std::vector<ArchiveMember> containerd = {{"bin", 0, false}, {"bin/containerd", 1, true}, {"bin/containerd-shim-runc-v2", 1, true}, {"bin/ctr", 1, true}};
  const auto whole = plan_import({"containerd-1.6.20-linux-amd64.tar.gz", "containerd", "1.6.20", "", {}}, containerd);
  REQUIRE(whole);
  REQUIRE(whole->items.size() == 1);
  CHECK(whole->items[0].format == "tar");
  CHECK(whole->items[0].member.empty());
  const auto runc = plan_import({"runc.amd64", "runc", "1.1.5", "", {}}, {});
  REQUIRE(runc);
  CHECK(runc->items[0].format == "file");
  const auto cri = plan_import({"cri-dockerd-0.3.17.amd64.tgz", "cri-dockerd", "0.3.17", "", {}}, {{"cri-dockerd/cri-dockerd", 1, true}});
  REQUIRE(cri);
  CHECK(cri->items[0].component == "cri-dockerd");
  CHECK(plan_import({"c.tgz", "cni-plugins", "1.1.1", "", {}}, {{"./bridge", 1, true}, {"./host-local", 1, true}}));
  const auto bundle = plan_import({"cri-containerd-1.6.20-linux-amd64.tar.gz", "containerd", "1.6.20", "", {}}, {{"usr/local/bin/containerd", 1, true}});
  REQUIRE_FALSE(bundle);
  CHECK(bundle.error().message.find("imported from containerd-VERSION-linux-ARCH.tar.gz") != std::string::npos);
}

TEST_CASE("one configuration holds several clusters", "[ctl][config]") {
  proto::AdminConfig config;
  CHECK_FALSE(choose_cluster(config, ""));
  config.clusters = {{"a", "https://1:1", "", "", ""}};
  CHECK(choose_cluster(config, "")->name == "a");
  config.clusters.push_back({"b", "https://2:2", "", "", ""});
  CHECK_FALSE(choose_cluster(config, ""));
  config.current = "b";
  CHECK(choose_cluster(config, "")->name == "b");
  CHECK(choose_cluster(config, "a")->name == "a");
  CHECK_FALSE(choose_cluster(config, "c"));
  config.clusters.push_back({"a", "https://3:3", "", "", ""});
  CHECK(choose_cluster(config, "b").error().message.find("stands twice") != std::string::npos);
}

TEST_CASE("credentials that others can read are refused", "[ctl][config]") {
  const test::TempDir dir;
  test::put_file(dir / "admin.conf", "clusters: []\n");
  ::chmod((dir / "admin.conf").c_str(), 0644);
  const auto refused = load_admin_cluster(dir / "admin.conf", "");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("600") != std::string::npos);
}

TEST_CASE("sizes and paths", "[ctl][output]") {
  CHECK(human_size(999) == "999 B");
  CHECK(human_size(113'900'000) == "113.9 MB");
  CHECK(percent_encode("a b/ü") == "a%20b%2F%C3%BC");
  CHECK(when("", k_now) == "never");
  CHECK(when(to_rfc3339(k_now + Seconds(7200)), k_now) == "in 2h");
}

TEST_CASE("lists come whole, page after page, and with their filters", "[ctl]") {
  FakeConnection connection;
  proto::TokenView token;
  token.id = "abc123";
  connection.on("GET /v1/tokens?state=valid", 200, proto::encode(proto::TokenList{{token}, "abc123"}));
  token.id = "def456";
  connection.on("GET /v1/tokens?state=valid&continue=abc123", 200, proto::encode(proto::TokenList{{token}, ""}));
  const Run tokens = run(connection, TokenList{"", "valid"});
  CHECK(tokens.out.find("abc123") != std::string::npos);
  CHECK(tokens.out.find("def456") != std::string::npos);
  connection.on("GET /v1/certificates?node=a&usage=agent&expiresBefore=" + percent_encode(to_rfc3339(k_now + Seconds(7 * 86400))), 200,
                proto::encode(proto::CertificateList{}));
  CHECK(run(connection, CertsCheckExpiration{"a", "agent", "7d"}).code == k_ok);
  CHECK(run(connection, CertsCheckExpiration{"", "", "soon"}).code == k_usage);
}

TEST_CASE("a node is cordoned and shown so", "[ctl]") {
  FakeConnection connection;
  proto::NodeView view = node("a");
  view.unschedulable = true;
  connection.on("POST /v1/nodes/a/cordon", 200, proto::encode(view));
  connection.on("POST /v1/nodes/a/uncordon", 200, proto::encode(node("a")));
  connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{view}, ""}));
  connection.on("GET /v1/nodes/a", 200, proto::encode(view));
  CHECK(run(connection, NodeCordon{"a", false}).out.find("no new pods") != std::string::npos);
  CHECK(run(connection, NodeCordon{"a", true}).out == "node a gets new pods again\n");
  CHECK(run(connection, NodeList{}).out.find("Running,cordoned") != std::string::npos);
  CHECK(run(connection, NodeGet{"a"}).out.find("none: cordoned") != std::string::npos);
}

// Answers steps of a drain in turn, on a clock that its pauses move.
struct Drain {
  FakeConnection connection;
  std::vector<proto::DrainReport> steps;
  std::size_t asked = 0;
  WallTime now = k_now;

  void next() {
    const proto::DrainReport& report = steps.at(std::min(asked, steps.size() - 1));
    connection.on("POST /v1/nodes/a/drain", 200, proto::encode(report));
    ++asked;
  }
  Run run(NodeDrain wish, Format format = Format::table) {
    std::ostringstream out;
    std::ostringstream err;
    CommandLine line;
    line.command = std::move(wish);
    line.format = format;
    next();
    Console console{out, err, false, k_now};
    console.clock = [this] { return now; };
    console.pause = [this](std::chrono::milliseconds pause) {
      now += std::chrono::duration_cast<Seconds>(pause);
      next();
      return true;
    };
    const int code = run_command(line, connection, console);
    return {code, out.str(), err.str()};
  }
};

proto::DrainReport left(const std::string& pod, const std::string& state, const std::string& reason) {
  return {"a", false, 0, 1, {{"default", pod, state, reason}}};
}

TEST_CASE("a drain goes on until the node is empty and tells each change once", "[ctl][drain]") {
  Drain drain;
  drain.steps = {left("web", "blocked", "budget"), left("web", "blocked", "budget"), left("web", "ending", "asked"), {"a", true, 0, 1, {}}};
  const Run result = drain.run({"a", "5m", false, false});
  CHECK(result.code == k_ok);
  CHECK(result.err == "default/web: budget\ndefault/web: asked\ndefault/web: gone\n");
  CHECK(result.out.find("node a is empty") == 0);
}

TEST_CASE("a drain ends at its deadline and says what is left and why", "[ctl][drain]") {
  Drain drain;
  drain.steps = {left("web", "blocked", "budget\x1b[2J")};
  const Run result = drain.run({"a", "9s", false, false});
  CHECK(result.code == k_timed_out);
  CHECK(drain.asked == 6);
  CHECK(result.err.find("default    web  blocked  budget?[2J") != std::string::npos);
  CHECK(result.err.find('\x1b') == std::string::npos);
  CHECK(result.err.find("not empty after 9s; it stays cordoned") != std::string::npos);
}

TEST_CASE("what only force evicts is not waited for", "[ctl][drain]") {
  Drain drain;
  drain.steps = {left("bare", "kept", "nothing would make it anew")};
  CHECK(drain.run({"a", "5m", false, false}).code == k_failed);
  CHECK(drain.asked == 1);
  CHECK(drain.run({"a", "5m", true, false}).code == k_usage);  // pods are lost for good: asked first
  CHECK(drain.run({"a", "soon", false, false}).code == k_usage);
}

TEST_CASE("a moment without kube-apiserver does not end a drain", "[ctl][drain]") {
  Drain drain;
  drain.steps = {{"a", true, 0, 0, {}}};
  drain.now = k_now;
  std::ostringstream out;
  std::ostringstream err;
  CommandLine line;
  line.command = NodeDrain{"a", "5m", false, false};
  drain.connection.on("POST /v1/nodes/a/drain", 503, problem(Errc::unavailable, "kube-apiserver is away"));
  Console console{out, err, false, k_now};
  console.pause = [&drain](std::chrono::milliseconds) {
    drain.next();
    return true;
  };
  CHECK(run_command(line, drain.connection, console) == k_ok);
  CHECK(err.str() == "kube-apiserver is away\n");
  drain.connection.on("POST /v1/nodes/a/drain", 409, problem(Errc::conflict, "node a is the master"));
  CHECK(run_command(line, drain.connection, console) == k_failed);
}

TEST_CASE("one node or all are asked to renew their certificates", "[ctl]") {
  FakeConnection connection;
  proto::NodeView view = node("a");
  view.renew_before = to_rfc3339(k_now);
  connection.on("POST /v1/nodes/a/rotate", 200, proto::encode(view));
  connection.on("POST /v1/certificates/rotate", 200, proto::encode(proto::RotateReply{12, to_rfc3339(k_now)}));
  connection.on("GET /v1/nodes/a", 200, proto::encode(view));
  CHECK(run(connection, CertsRotate{"a", false}).code == k_ok);
  CHECK(run(connection, CertsRotate{"", true}).out.find("12 nodes renew") == 0);
  CHECK(run(connection, NodeGet{"a"}).out.find("being renewed: those from before " + to_rfc3339(k_now)) != std::string::npos);
}

}  // namespace
}  // namespace slipway::ctl
