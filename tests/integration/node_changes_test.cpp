// Cordon, drain and the rotation of certificates through a whole coordinator, with a kube-apiserver in memory.
#include <catch2/catch.hpp>

#include "coordinator/app.hpp"
#include "proto/drain.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/fake_kube_api.hpp"

namespace slipway::test {
namespace {

using http::Method;

// The fake belongs to the coordinator's state thread while that runs: it is set up before the start and looked at after the end.
struct Rig {
  Rig() { cluster.kube = &kube; }
  void add_pod(const std::string& node, const std::string& name, const std::string& controller = "ReplicaSet", int blocked = 0) {
    kube.pods.push_back({node, {"default", name, "uid-" + name, controller, false, false, false}, blocked});
  }
  http::Response ask(const std::string& name, const std::string& what, const std::string& body = {}, const std::string& if_match = {}) {
    http::Request request = request_of(Method::post, "/v1/nodes/" + name + "/" + what, body);
    if (!if_match.empty()) request.headers.set("If-Match", if_match);
    return cluster.admin().send(std::move(request));
  }

  FakeKubeApi kube;
  ClusterFixture cluster;
};

TEST_CASE("a node is cordoned, shown so, and taken into use again", "[cluster][drain]") {
  Rig rig;
  rig.kube.objects["n1"] = {};
  rig.cluster.start();
  joined(rig.cluster, "n1", 11);
  const auto cordoned = rig.ask("n1", "cordon");
  REQUIRE(cordoned.status == 200);
  CHECK(as<proto::NodeView>(cordoned).unschedulable);
  Caller admin = rig.cluster.admin();
  CHECK(as<proto::NodeList>(admin.get("/v1/nodes")).items.at(0).unschedulable);
  const std::string etag = *cordoned.headers.find("ETag");
  CHECK(*rig.ask("n1", "cordon").headers.find("ETag") == etag);
  CHECK(rig.ask("n1", "uncordon", {}, "\"x\"").status == 412);
  CHECK(rig.ask("n1", "cordon", {}, "\"x\"").status == 412);
  CHECK(rig.ask("nobody", "cordon").status == 404);
  CHECK(rig.ask("nobody", "uncordon").status == 404);
  rig.cluster.stop();
  CHECK(rig.kube.unschedulable.count("n1") == 1);
  rig.cluster.start();  // the wish outlives a restart
  CHECK(as<proto::NodeView>(rig.cluster.admin().get("/v1/nodes/n1")).unschedulable);
  CHECK_FALSE(as<proto::NodeView>(rig.ask("n1", "uncordon", {}, etag)).unschedulable);
  rig.cluster.stop();
  CHECK(rig.kube.unschedulable.empty());
}

TEST_CASE("a node is cordoned once kube-apiserver answers", "[cluster][drain]") {
  Rig rig;
  rig.kube.away = true;
  rig.cluster.start();
  joined(rig.cluster, "n1", 11);
  const auto told = rig.ask("n1", "cordon");
  CHECK(told.status == 503);
  CHECK(as<proto::Problem>(told).detail.find("is marked and is cordoned once kube-apiserver answers") != std::string::npos);
  CHECK(as<proto::NodeView>(rig.cluster.admin().get("/v1/nodes/n1")).unschedulable);
  CHECK(rig.ask("n1", "drain", "{}").status == 503);
}

TEST_CASE("that kube-apiserver does not let us in is no refusal of who asks", "[cluster][drain]") {
  Rig rig;
  rig.kube.credentials_known = false;
  rig.cluster.start();
  joined(rig.cluster, "n1", 11);
  CHECK(rig.ask("n1", "cordon").status == 503);
}

TEST_CASE("a drain is done in steps that say what is left", "[cluster][drain]") {
  Rig rig;
  rig.kube.objects["n1"] = {};
  rig.add_pod("n1", "web-1");
  rig.add_pod("n1", "web-2", "ReplicaSet", 1);
  rig.add_pod("n1", "proxy-1", "DaemonSet");
  rig.add_pod("n2", "elsewhere");
  rig.cluster.start();
  joined(rig.cluster, "n1", 11);
  const auto first = as<proto::DrainReport>(rig.ask("n1", "drain", "{}"));
  CHECK_FALSE(first.done);
  CHECK(first.evicted == 1);
  CHECK(first.staying == 1);
  REQUIRE(first.pods.size() == 2);
  CHECK(first.pods[1].state == "blocked");
  CHECK(as<proto::DrainReport>(rig.ask("n1", "drain", "{}")).evicted == 1);
  CHECK(as<proto::DrainReport>(rig.ask("n1", "drain", "{}")).done);
  CHECK(as<proto::DrainReport>(rig.ask("n1", "drain", "{}")).done);  // the same again
  Caller admin = rig.cluster.admin();
  CHECK(as<proto::NodeView>(admin.get("/v1/nodes/n1")).unschedulable);
  CHECK(admin.get("/v1/audit?action=node.drain").body.find("default/web-1") != std::string::npos);
  CHECK(rig.ask("n1", "drain", "{}", "\"x\"").status == 412);
  CHECK(rig.ask("nobody", "drain", "{}").status == 404);
  rig.cluster.stop();
  CHECK(rig.kube.evicted == std::vector<std::string>{"default/web-1", "default/web-2"});
  CHECK(rig.kube.unschedulable.count("n1") == 1);
}

TEST_CASE("the master is drained only by force", "[cluster][drain]") {
  Rig rig;
  rig.kube.objects["m1"] = {};
  rig.add_pod("m1", "web-1");
  rig.cluster.start();
  joined(rig.cluster, "m1", 10, NodeRole::master);
  const auto refused = rig.ask("m1", "drain", "{}");
  CHECK(refused.status == 409);
  CHECK(as<proto::Problem>(refused).detail.find("node m1 is the master") != std::string::npos);
  CHECK_FALSE(as<proto::NodeView>(rig.cluster.admin().get("/v1/nodes/m1")).unschedulable);
  CHECK(as<proto::DrainReport>(rig.ask("m1", "drain", R"({"force": true})")).evicted == 1);
}

TEST_CASE("a coordinator without kube-apiserver says so", "[cluster][drain]") {
  ClusterFixture cluster;
  cluster.start();
  joined(cluster, "n1", 11);
  for (const char* what : {"cordon", "uncordon"}) CHECK(cluster.admin().post("/v1/nodes/n1/" + std::string(what), "").status == 503);
  CHECK_FALSE(as<proto::NodeView>(cluster.admin().get("/v1/nodes/n1")).unschedulable);
}

}  // namespace
}  // namespace slipway::test
