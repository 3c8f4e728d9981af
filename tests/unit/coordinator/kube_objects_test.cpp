#include "coordinator/kube/objects.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace slipway::kube {
namespace {

using nlohmann::json;

TEST_CASE("access objects give the coordinator nodes, of pods what a drain needs, and bind the kubeconfigs' group", "[kube][objects]") {
  const auto objects = access_objects();
  REQUIRE(objects.size() == 4);
  const json role = json::parse(objects[0].body);
  CHECK(role.at("kind") == "ClusterRole");
  REQUIRE(role.at("rules").size() == 3);
  CHECK(role.at("rules")[0].at("resources") == json::array({"nodes"}));
  CHECK(role.at("rules")[0].at("verbs") == json::array({"get", "list", "patch", "update", "delete"}));
  CHECK(role.at("rules")[1].at("resources") == json::array({"pods"}));
  CHECK(role.at("rules")[1].at("verbs") == json::array({"list"}));
  CHECK(role.at("rules")[2].at("resources") == json::array({"pods/eviction"}));
  CHECK(role.at("rules")[2].at("verbs") == json::array({"create"}));
  const json own = json::parse(objects[1].body);
  CHECK(own.at("subjects")[0].at("name") == "slipway:coordinator");
  CHECK(own.at("roleRef").at("name") == "slipway:coordinator");
  const json kubelet = json::parse(objects[2].body);
  CHECK(kubelet.at("subjects")[0].at("name") == "slipway:kube-apiserver");
  CHECK(kubelet.at("roleRef").at("name") == "system:kubelet-api-admin");
  const json admins = json::parse(objects[3].body);
  CHECK(admins.at("subjects") == json::parse(R"([{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"slipway:cluster-admins"}])"));
  CHECK(admins.at("roleRef").at("name") == "cluster-admin");
  CHECK(objects[0].collection == "/apis/rbac.authorization.k8s.io/v1/clusterroles");
  for (const AccessObject& object : objects) CHECK(json::parse(object.body).at("metadata").at("name") == object.name);
  CHECK(objects[2].collection == "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings");
}

TEST_CASE("the patch sets both fields", "[kube][objects]") {
  const json patch = json::parse(pod_cidr_patch(Cidr::parse("10.10.1.0/24").value()));
  CHECK(patch == json::parse(R"({"spec":{"podCIDR":"10.10.1.0/24","podCIDRs":["10.10.1.0/24"]}})"));
}

TEST_CASE("nodes are read from what kube-apiserver sends", "[kube][objects]") {
  const auto fresh = parse_node(R"({"kind":"Node","metadata":{"name":"a"},"spec":{}})");
  REQUIRE(fresh);
  CHECK(fresh->name == "a");
  CHECK(fresh->pod_cidrs.empty());
  CHECK(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDR":"10.1.0.0/24"}})")->pod_cidrs ==
        std::vector<std::string>{"10.1.0.0/24"});
  CHECK(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDR":"x","podCIDRs":["x","y"]}})")->pod_cidrs ==
        std::vector<std::string>{"x", "y"});
  CHECK_FALSE(parse_node("<html>"));
  CHECK_FALSE(parse_node("[]"));
  CHECK_FALSE(parse_node(R"({"metadata":{"name":7}})"));
  const auto page = parse_node_list(
      R"({"metadata":{"continue":"tok"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]})");
  REQUIRE(page);
  CHECK(page->nodes.size() == 2);
  CHECK(page->next == "tok");
  CHECK_FALSE(parse_node_list(R"({"items":{}})"));
  CHECK_FALSE(parse_node_list(R"({"items":[],"metadata":{"continue":"a&limit=1"}})"));
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDRs":[7]}})"));
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDRs":"10.1.0.0/24"}})"));
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDR":["10.1.0.0/24"]}})"));
  CHECK(parse_node(R"({"metadata":{"name":"a"},"spec":{"podCIDR":"","podCIDRs":null}})")->pod_cidrs.empty());
  CHECK(status_message(403, R"({"kind":"Status","message":"nodes is forbidden"})") ==
        "kube-apiserver answered 403: nodes is forbidden");
  CHECK(status_message(502, "bad gateway") == "kube-apiserver answered 502: bad gateway");
  CHECK(status_message(502, "bad\r\n\x1b[2Jgate\xff") == "kube-apiserver answered 502: bad   [2Jgate ");
  CHECK(status_message(500, json({{"message", std::string(5000, 'x')}}).dump()).size() < 400);
}

TEST_CASE("whether a node takes new pods is read and written", "[kube][objects]") {
  CHECK(parse_node(R"({"metadata":{"name":"a"},"spec":{"unschedulable":true}})")->unschedulable);
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"a"},"spec":{"unschedulable":"true"}})")->unschedulable);
  CHECK_FALSE(parse_node(R"({"metadata":{"name":"a"}})")->unschedulable);
  CHECK(json::parse(unschedulable_patch(true)) == json::parse(R"({"spec":{"unschedulable":true}})"));
}

TEST_CASE("pods are read with who would make them anew", "[kube][objects]") {
  const auto pods = parse_pod_list(R"({"metadata":{"continue":"tok"},"items":[
    {"metadata":{"namespace":"default","name":"web","uid":"1","ownerReferences":[{"kind":"Other"},{"kind":"ReplicaSet","controller":true}]},
     "status":{"phase":"Running"}},
    {"metadata":{"namespace":"kube-system","name":"etcd","uid":"2","annotations":{"kubernetes.io/config.mirror":"x"}}},
    {"metadata":{"namespace":"default","name":"old","uid":"3","deletionTimestamp":"2026-11-23T12:00:00Z"},"status":{"phase":"Failed"}}]})");
  REQUIRE(pods);
  REQUIRE(pods->pods.size() == 3);
  CHECK(pods->next == "tok");
  CHECK(pods->pods[0].controller == "ReplicaSet");
  CHECK_FALSE(pods->pods[0].finished);
  CHECK(pods->pods[1].mirror);
  CHECK(pods->pods[1].controller.empty());
  CHECK(pods->pods[2].ending);
  CHECK(pods->pods[2].finished);
  for (const char* bad : {"[]", R"({"items":{}})", R"({"items":[{}]})", R"({"items":[{"metadata":{"namespace":"a/b","name":"x","uid":"1"}}]})",
                          R"({"items":[{"metadata":{"namespace":"a","name":"../x","uid":"1"}}]})", R"({"items":[{"metadata":{"namespace":"a","name":"x"}}]})",
                          R"({"items":[],"metadata":{"continue":"a&b"}})"}) {
    INFO(bad);
    CHECK_FALSE(parse_pod_list(bad));
  }
}

TEST_CASE("an eviction is written in the version that the server takes", "[kube][objects]") {
  CHECK(*parse_eviction_version(R"({"resources":[{"name":"pods"},{"name":"pods/eviction","group":"policy","version":"v1beta1"}]})") == "policy/v1beta1");
  CHECK(*parse_eviction_version(R"({"resources":[{"name":"pods/eviction","group":"policy","version":"v1"}]})") == "policy/v1");
  CHECK(parse_eviction_version(R"({"resources":[{"name":"pods"}]})").error().code == Errc::unavailable);
  CHECK(parse_eviction_version(R"({"resources":[{"name":"pods/eviction","group":"policy","version":"v9"}]})").error().code == Errc::unavailable);
  CHECK(parse_eviction_version("<html>").error().code == Errc::corrupt);
  const json body = json::parse(eviction_body("policy/v1", {"default", "web", "uid-1", "ReplicaSet", false, false, false}));
  CHECK(body.at("apiVersion") == "policy/v1");
  CHECK(body.at("kind") == "Eviction");
  CHECK(body.at("metadata") == json::parse(R"({"name":"web","namespace":"default"})"));
  CHECK(body.at("deleteOptions").at("preconditions").at("uid") == "uid-1");
}

}  // namespace
}  // namespace slipway::kube
