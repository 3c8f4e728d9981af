// `node config`, and where the settings of the fleet are shown.
#include <catch2/catch.hpp>

#include "coordinator/ctl/output.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

namespace slipway::ctl {
namespace {

proto::NodeConfigView view() {
  proto::NodeConfigView made;
  made.name = "a";
  made.state = "waiting";
  made.message = "n7 restarts";
  made.values = {{"kubelet.config/maxPods", "50", "group gpu"}, {"labels/disk", "\"ssd\"", "node"}};
  made.differences = {{"kubelet.config/maxPods", "", "50", "group gpu"}, {"kubelet.config/old", "1", "", ""}};
  return made;
}

TEST_CASE("a node's settings are shown with their levels, and what differs", "[ctl][settings]") {
  FakeConnection connection;
  connection.on("GET /v1/nodes/a/config", 200, proto::encode(view()));
  const Run shown = run(connection, NodeConfig{"a"});
  CHECK(shown.code == k_ok);
  CHECK(shown.out.find("kubelet.config/maxPods  50     group gpu") != std::string::npos);
  CHECK(shown.out.find("state: waiting: n7 restarts") != std::string::npos);
  const Run diff = run(connection, NodeConfig{"a", true});
  CHECK(diff.out.find("kubelet.config/maxPods  -        50      group gpu") != std::string::npos);
  CHECK(diff.out.find("kubelet.config/old      1        -       -") != std::string::npos);
  CHECK(run(connection, NodeConfig{"a"}, Format::json).out.find("\"differences\"") != std::string::npos);

  proto::NodeConfigView same = view();
  same.differences.clear();
  same.state = "applied";
  same.message.clear();
  connection.on("GET /v1/nodes/a/config", 200, proto::encode(same));
  CHECK(run(connection, NodeConfig{"a", true}).out.find("runs with what is wanted") != std::string::npos);
  same.state.clear();
  connection.on("GET /v1/nodes/a/config", 200, proto::encode(same));
  CHECK(run(connection, NodeConfig{"a", true}).out.find("is not known") != std::string::npos);
}

TEST_CASE("a node's own settings are set from a file, after a question", "[ctl][settings]") {
  FakeConnection connection;
  test::TempDir dir;
  connection.on("GET /v1/nodes/a/config", 200, proto::encode(view()));
  connection.on("PUT /v1/nodes/a/config", 200, proto::encode(view()));
  test::put_file(dir / "own.yaml", "kubelet: {config: {maxPods: 50}}\nlabels: {disk: ssd, zone: null}\n");
  CHECK(run(connection, NodeConfig{"a", false, dir / "own.yaml"}).code == k_usage);
  REQUIRE(run(connection, NodeConfig{"a", false, dir / "own.yaml", false, true}).code == k_ok);
  const auto sent = proto::decode_strict<proto::NodeSettings>(connection.requests.back().body);
  REQUIRE(sent);
  CHECK(sent->kubelet.config.text == R"({"maxPods":50})");
  CHECK(sent->labels.at("zone") == std::nullopt);
  REQUIRE(run(connection, NodeConfig{"a", false, "", true, true}).code == k_ok);
  CHECK(proto::decode_strict<proto::NodeSettings>(connection.requests.back().body).value() ==
        proto::NodeSettings{});
  test::put_file(dir / "bad.yaml", "kubelt: {}\n");
  const Run bad = run(connection, NodeConfig{"a", false, dir / "bad.yaml", false, true});
  CHECK(bad.code != k_ok);
  CHECK(bad.err.find("kubelt") != std::string::npos);
}

TEST_CASE("nodes that hold back their settings are waited for, and the cluster tells of them",
          "[ctl][settings]") {
  FakeConnection connection;
  proto::NodeList list{{node("a"), node("b")}, ""};
  for (auto& one : list.items) one.applied_revision = 9;
  list.items[1].settings = "waiting";
  connection.on("GET /v1/nodes", 200, proto::encode(list));
  CHECK(nodes_behind(9, connection, k_now).value() == std::vector<std::string>{"b"});
  CHECK(render(node_table(list, true, k_now)).find("waiting") != std::string::npos);
  proto::ClusterView cluster;
  CHECK(cluster_text(cluster).find("Settings") == std::string::npos);
  cluster.rollout = proto::RolloutView{10, 7, 1, 1, 2, {"n4"}};
  CHECK(cluster_text(cluster).find(
            "7 of 10 nodes run with theirs, 1 wait, 1 restart; at most 2 at once; stopped by n4") !=
        std::string::npos);
}

}  // namespace
}  // namespace slipway::ctl
