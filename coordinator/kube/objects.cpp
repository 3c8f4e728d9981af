#include "coordinator/kube/objects.hpp"

#include <nlohmann/json.hpp>

namespace slipway::kube {

namespace {

using Json = nlohmann::json;
constexpr const char* k_rbac = "rbac.authorization.k8s.io/v1";
constexpr const char* k_roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
constexpr const char* k_bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

std::string binding(const std::string& name, const std::string& role, const std::string& user) {
  const Json reference = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", role}};
  const Json subject = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "User"}, {"name", user}};
  const Json object = {{"apiVersion", k_rbac},
                       {"kind", "ClusterRoleBinding"},
                       {"metadata", {{"name", name}}},
                       {"roleRef", reference},
                       {"subjects", Json::array({subject})}};
  return object.dump();
}

std::string coordinator_role() {
  const Json rule = {{"apiGroups", Json::array({""})},
                     {"resources", Json::array({"nodes"})},
                     {"verbs", Json::array({"get", "list", "patch", "update", "delete"})}};
  const Json object = {{"apiVersion", k_rbac},
                       {"kind", "ClusterRole"},
                       {"metadata", {{"name", "slipway:coordinator"}}},
                       {"rules", Json::array({rule})}};
  return object.dump();
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Result<KubeNode> node_from(const Json& object) {
  KubeNode node;
  const Json* metadata = member(object, "metadata");
  if (metadata != nullptr) node.name = text_of(member(*metadata, "name"));
  if (node.name.empty()) return make_error(Errc::corrupt, "kube-apiserver sent a Node without a name");
  const Json* spec = member(object, "spec");
  if (spec == nullptr) return node;
  const Json* list = member(*spec, "podCIDRs");
  if (list != nullptr && list->is_array()) {
    for (const Json& cidr : *list) node.pod_cidrs.push_back(text_of(&cidr));
  }
  const std::string single = text_of(member(*spec, "podCIDR"));
  if (node.pod_cidrs.empty() && !single.empty()) node.pod_cidrs.push_back(single);
  return node;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> access_objects() {
  return {
      {k_roles, coordinator_role()},
      {k_bindings, binding("slipway:coordinator", "slipway:coordinator", "slipway:coordinator")},
      // kube-apiserver asks kubelets for logs, exec and metrics with its kubelet client certificate.
      {k_bindings, binding("slipway:kube-apiserver", "system:kubelet-api-admin", "slipway:kube-apiserver")}};
}

std::string pod_cidr_patch(const Cidr& pod_cidr) {
  const std::string text = pod_cidr.to_string();
  const Json patch = {{"spec", {{"podCIDR", text}, {"podCIDRs", Json::array({text})}}}};
  return patch.dump();
}

Result<KubeNode> parse_node(std::string_view text) {
  const Json object = Json::parse(text.begin(), text.end(), nullptr, false);
  if (object.is_discarded()) return make_error(Errc::corrupt, "kube-apiserver's answer is not JSON");
  return node_from(object);
}

Result<NodePage> parse_node_list(std::string_view text) {
  const Json object = Json::parse(text.begin(), text.end(), nullptr, false);
  const Json* items = object.is_discarded() ? nullptr : member(object, "items");
  if (items == nullptr || !items->is_array())
    return make_error(Errc::corrupt, "kube-apiserver's answer is not a list of nodes");
  NodePage page;
  for (const Json& item : *items) {
    auto node = node_from(item);
    if (!node) return node.error();
    page.nodes.push_back(std::move(*node));
  }
  const Json* metadata = member(object, "metadata");
  if (metadata != nullptr) page.next = text_of(member(*metadata, "continue"));
  return page;
}

std::string status_message(int status, std::string_view body) {
  const Json object = Json::parse(body.begin(), body.end(), nullptr, false);
  std::string message = object.is_discarded() ? std::string() : text_of(member(object, "message"));
  if (message.empty()) message = std::string(body.substr(0, 200));
  return "kube-apiserver answered " + std::to_string(status) + ": " + message;
}

}  // namespace slipway::kube
