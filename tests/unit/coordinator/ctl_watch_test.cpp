// What slipwayctl asks before it does it, waits for and looks at again.
#include <catch2/catch.hpp>
#include <functional>
#include <sstream>

#include "common/config/yaml_to_json.hpp"
#include "coordinator/ctl/commands.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

constexpr char k_settings[] = R"(metadata: {name: demo}
apiServer: {endpoint: "https://10.77.0.10:6443"}
coordinator: {addresses: [10.77.0.10]}
network: {podCIDR: 10.10.0.0/16, serviceCIDR: 10.0.0.0/16, nodeCIDRs: [10.77.0.0/24]}
versions: {kubernetes: 1.20.2, etcd: 3.4.23, docker: 20.10.24, cniPlugins: 1.1.1}
)";

TEST_CASE("each command that changes much asks, or wants --yes", "[ctl][confirm]") {
  const test::TempDir dir;
  test::put_file(dir / "c.yaml", k_settings);
  CertsRotateCa prepare;
  prepare.kind = "etcd";
  prepare.prepare = true;
  CertsRotateCa abort = prepare;
  abort.prepare = false;
  abort.abort = true;
  const std::pair<Command, const char*> rows[] = {{TokenDelete{"abc123"}, "delete join token abc123"}, {NodeDeny{"n1", ""}, "refuse the host that waits as node n1"},
                                                  {PoolGrow{"gpu", {"10.20.0.0/15"}}, "grow pool gpu by 10.20.0.0/15"}, {PoolDrain{"gpu"}, "give out nothing more of pool gpu"},
                                                  {PoolDelete{"gpu"}, "delete pool gpu"}, {prepare, "make a new etcd authority"}, {abort, "go back to the old etcd authority"}};
  for (const auto& [command, question] : rows) {
    FakeConnection connection;
    const Run refused = run(connection, command);
    INFO(refused.err);
    CHECK(refused.code == k_usage);
    CHECK(refused.err.find(question) != std::string::npos);
    CHECK(connection.requests.empty());
  }
  FakeConnection connection;
  connection.on("POST /v1/pools/gpu/drain", 200, proto::encode(pool_view()));
  PoolDrain undo{"gpu"};
  undo.undo = true;
  CHECK(run(connection, undo).code == k_ok);  // takes nothing away
}

void answer_apply(FakeConnection& connection) {
  proto::ClusterView living;
  living.spec = *proto::decode_strict<proto::ClusterSpec>(*yaml_to_json(k_settings, "c"));
  proto::ClusterView planned = living;
  living.spec.kubelet.max_pods = 100;
  living.spec.network.node_cidrs.clear();
  connection.on("GET /v1/cluster", 200, proto::encode(living));
  connection.on("POST /v1/cluster/plan", 200, proto::encode(planned));
  planned.desired_revision = 7;
  connection.on("PUT /v1/cluster", 200, proto::encode(planned));
}

TEST_CASE("cluster apply tries first and shows what changes", "[ctl][apply]") {
  const test::TempDir dir;
  test::put_file(dir / "c.yaml", k_settings);
  FakeConnection connection;
  answer_apply(connection);
  ClusterApply wish{dir / "c.yaml"};
  wish.dry_run = true;
  const Run tried = run(connection, wish);
  CHECK(tried.code == k_ok);
  CHECK(tried.err == "kubelet.maxPods: 100 -> 110\nnetwork.nodeCIDRs: (none) -> 10.77.0.0/24\n");
  CHECK(connection.requests.size() == 2);
  wish.dry_run = false;
  const Run unasked = run(connection, wish);
  CHECK(unasked.code == k_usage);
  CHECK(unasked.err.find("this would change 2 settings of cluster demo") != std::string::npos);
  CHECK(connection.requests.back().target == "/v1/cluster/plan");
  wish.yes = true;
  CHECK(run(connection, wish).code == k_ok);
  CHECK(connection.requests.back().method == http::Method::put);
  connection.on("POST /v1/cluster/plan", 409, problem(Errc::conflict, "10.0.0.0/8 overlaps something"));
  const Run refused = run(connection, wish);
  CHECK(refused.code == k_failed);
  CHECK(connection.requests.back().target == "/v1/cluster/plan");
}

TEST_CASE("what the coordinator finds wrong has its line in the operator's file", "[ctl][apply]") {
  const test::TempDir dir;
  test::put_file(dir / "c.yaml", std::string("# ours\n") + k_settings);
  FakeConnection connection;
  answer_apply(connection);
  connection.on("POST /v1/cluster/plan", 400, problem(Errc::invalid, "the cluster cannot be made as written:\n  /metadata/name: is no name\n  /network/mtu: is out of bounds"));
  const Run refused = run(connection, ClusterApply{dir / "c.yaml"});
  CHECK(refused.code == k_usage);
  const auto places = read_yaml(test::get_file(dir / "c.yaml"), dir / "c.yaml")->places;
  CHECK(refused.err.find("  " + places.of("/metadata/name") + ": /metadata/name: is no name") != std::string::npos);
  CHECK(refused.err.find("  " + places.of("/network") + ": /network/mtu: is out of bounds") != std::string::npos);
  CHECK(refused.err.find("c.yaml:2:") != std::string::npos);
}

TEST_CASE("cluster apply --wait waits for live nodes and no longer than it may", "[ctl][apply]") {
  const test::TempDir dir;
  test::put_file(dir / "c.yaml", k_settings);
  FakeConnection connection;
  answer_apply(connection);
  proto::NodeView behind = node("a");
  behind.applied_revision = 6;
  proto::NodeView gone = node("gone");
  gone.last_contact = to_rfc3339(k_now - Seconds(3600));
  proto::NodeView there = node("b");
  there.applied_revision = 9;
  const auto answer = [&] { connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{behind, there, gone}, ""})); };
  answer();
  ClusterApply wish{dir / "c.yaml"};
  wish.yes = true;
  wish.wait = true;
  wish.timeout = "1m";
  Waiting first;
  CHECK(first.run(connection, wish) == k_timed_out);
  CHECK(first.err.str().find("nodes that have applied it: 1 missing: a\n") != std::string::npos);
  CHECK(first.err.str().find("not within 1m") != std::string::npos);
  CHECK(first.pauses == 30);
  Waiting second;
  second.changes = {[&] { connection.on("GET /v1/nodes", 503, problem(Errc::unavailable, "restarting")); },
                    [&] {
                      behind.applied_revision = 7;
                      answer();
                    }};
  CHECK(second.run(connection, wish) == k_ok);
  CHECK(second.pauses == 2);
  CHECK(second.err.str().find("nodes that have applied it: done") != std::string::npos);
}

TEST_CASE("certs rotate-ca --prepare --wait waits for the nodes' word", "[ctl][certs]") {
  FakeConnection connection;
  proto::CaView ca;
  ca.kind = "etcd";
  ca.phase = "distributing";
  ca.waiting_for = {"m1"};
  connection.on("POST /v1/cas/etcd", 200, proto::encode(ca));
  connection.on("GET /v1/cas", 200, proto::encode(proto::CaList{{ca}}));
  CertsRotateCa wish;
  wish.kind = "etcd";
  wish.prepare = wish.wait = wish.yes = true;
  Waiting console;
  console.changes = {[&] {
    ca.waiting_for.clear();
    connection.on("GET /v1/cas", 200, proto::encode(proto::CaList{{ca}}));
  }};
  CHECK(console.run(connection, wish) == k_ok);
  CHECK(console.err.str().find("1 missing: m1") != std::string::npos);
  wish.prepare = false;
  wish.activate = true;
  CHECK(run(connection, wish).code == k_usage);
}

TEST_CASE("what is watched is looked at again and printed when it is another", "[ctl][watch]") {
  FakeConnection connection;
  const auto answer = [&](bool ok) {
    connection.on("GET /v1/health", 200, proto::encode(proto::HealthReport{ok, {{"store", ok, ok ? "well" : "full", ok ? "" : "make room"}}}));
  };
  answer(true);
  Waiting console;
  console.changes = {[] {}, [&] { answer(false); }, [&] { connection.on("GET /v1/health", 503, problem(Errc::unavailable, "restarting")); },
                     [&] { connection.on("GET /v1/health", 403, problem(Errc::denied, "revoked")); }};
  CHECK(console.run(connection, Health{true}) == k_denied);
  CHECK(console.out.str() ==
        "CHECK  STATE  MESSAGE  CURE\nstore  ok     well\n\n"
        "CHECK  STATE   MESSAGE  CURE\nstore  NOT OK  full     make room\n\n"
        "CHECK  STATE   MESSAGE  CURE\nstore  NOT OK  full     make room\nslipwayctl: restarting\n");
  CHECK(console.err.str() == "slipwayctl: revoked\n");
  answer(true);
  Waiting screen;
  screen.screen = true;
  screen.run(connection, Health{true});
  CHECK(screen.pauses == 200);
  CHECK(screen.out.str().find("\x1b[H\x1b[2JCHECK") == 0);
  FakeConnection away;
  away.on("GET /v1/health", 503, problem(Errc::unavailable, "restarting"));
  Waiting never;
  CHECK(never.run(away, Health{true}) == k_failed);
  CHECK(never.pauses == 0);
}

TEST_CASE("node list --all --watch keeps --all", "[ctl][watch]") {
  FakeConnection connection;
  answer_overview(connection);
  NodeList wish = everything();
  wish.watch = true;
  Waiting console;
  console.changes = {[&] { connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{node("a"), node("b")}, ""})); }};
  console.run(connection, wish);
  CHECK(console.out.str().find("WAITS-AS") != std::string::npos);
  CHECK(console.out.str().find("\nb     node  Running") != std::string::npos);
  for (const auto& request : connection.requests) CHECK(request.target.find("watch") == std::string::npos);
}

TEST_CASE("a warning of health is shown as one", "[ctl][health]") {
  FakeConnection connection;
  connection.on("GET /v1/health", 200, proto::encode(proto::HealthReport{true, {{"store", true, "warning: little room; make some", "", true}}}));
  const Run result = run(connection, Health{});
  CHECK(result.code == k_ok);
  CHECK(result.out.find("store  warning  warning: little room") != std::string::npos);
}

}  // namespace
}  // namespace slipway::ctl
