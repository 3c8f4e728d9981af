#include "coordinator/kube/objects.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace slipway::kube {
namespace {

using nlohmann::json;

TEST_CASE("access objects give the coordinator nodes and nothing else, and bind the kubeconfigs' group", "[kube][objects]") {
  const auto objects = access_objects();
  REQUIRE(objects.size() == 4);
  const json role = json::parse(objects[0].body);
  CHECK(role.at("kind") == "ClusterRole");
  CHECK(role.at("rules").size() == 1);
  CHECK(role.at("rules")[0].at("resources") == json::array({"nodes"}));
  CHECK(role.at("rules")[0].at("verbs") == json::array({"get", "list", "patch", "update", "delete"}));
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

}  // namespace
}  // namespace slipway::kube
