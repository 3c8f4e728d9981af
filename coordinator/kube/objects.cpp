#include "coordinator/kube/objects.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/core/text.hpp"
#include "coordinator/kube/shallow_json.hpp"

namespace slipway::kube {

namespace {

using Json = nlohmann::json;
constexpr const char* k_rbac = "rbac.authorization.k8s.io/v1";
constexpr const char* k_roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
constexpr const char* k_bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
constexpr const char* k_own = "slipway:coordinator";
constexpr int k_depth = 32;                 // a Node's managedFields come to half of it
constexpr std::size_t k_cidrs = 8;          // Kubernetes: two
constexpr std::size_t k_cidr_text = 64;     // an IPv6 network in full is 43
constexpr std::size_t k_token_text = 4096;  // goes into the request line
constexpr std::size_t k_message_text = 300;
constexpr const char* k_mirror = "kubernetes.io/config.mirror";  // kubelet: types.ConfigMirrorAnnotationKey
constexpr std::size_t k_uid_text = 64;
constexpr std::size_t k_kind_text = 64;
constexpr std::size_t k_taints = 1024;

AccessObject binding(const std::string& name, const std::string& role, const char* kind, const std::string& subject_name) {
  const Json reference = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", role}};
  const Json subject = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", kind}, {"name", subject_name}};
  const Json object = {{"apiVersion", k_rbac},
                       {"kind", "ClusterRoleBinding"},
                       {"metadata", {{"name", name}}},
                       {"roleRef", reference},
                       {"subjects", Json::array({subject})}};
  return {k_bindings, name, object.dump()};
}

AccessObject coordinator_role() {
  const auto rule = [](const char* resource, Json verbs) {
    return Json{{"apiGroups", Json::array({""})}, {"resources", Json::array({resource})}, {"verbs", std::move(verbs)}};
  };
  // Pods for drains alone: to see which are on a node, and to evict them, never to delete or change them.
  const Json rules = Json::array({rule("nodes", Json::array({"get", "list", "patch", "update", "delete"})),
                                  rule("pods", Json::array({"list"})), rule("pods/eviction", Json::array({"create"}))});
  const Json object = {{"apiVersion", k_rbac},
                       {"kind", "ClusterRole"},
                       {"metadata", {{"name", k_own}}},
                       {"rules", rules}};
  return {k_roles, k_own, object.dump()};
}

Json parse(std::string_view text) { return parse_shallow(text, k_depth); }

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool is_true(const Json* value) { return value != nullptr && value->is_boolean() && value->get<bool>(); }

Error corrupt(const char* what) {
  return make_error(Errc::corrupt, std::string("kube-apiserver sent ") + what);
}

Status read_pod_cidrs(const Json& spec, std::vector<std::string>& out) {
  const Json* list = member(spec, "podCIDRs");
  if (list != nullptr && !list->is_null()) {
    if (!list->is_array() || list->size() > k_cidrs)
      return corrupt("a Node whose podCIDRs are no short list");
    for (const Json& cidr : *list) out.push_back(text_of(&cidr));
  }
  const Json* single = member(spec, "podCIDR");
  if (single != nullptr && !single->is_null() && !single->is_string())
    return corrupt("a Node whose podCIDR is no text");
  if (out.empty() && single != nullptr && !text_of(single).empty()) out.push_back(text_of(single));
  for (const std::string& cidr : out) {
    if (cidr.empty() || cidr.size() > k_cidr_text) return corrupt("a Node whose podCIDRs are no networks");
  }
  return {};
}

void read_labels(const Json& metadata, KubeNode& node) {
  node.resource_version = text_of(member(metadata, "resourceVersion"));
  const Json* labels = member(metadata, "labels");
  if (labels == nullptr || !labels->is_object()) return;
  for (const auto& [key, value] : labels->items()) {
    if (value.is_string()) node.labels.emplace(key, value.get<std::string>());
  }
}

Status read_taints(const Json& spec, std::vector<KubeTaint>& taints) {
  const Json* list = member(spec, "taints");
  if (list == nullptr || list->is_null()) return {};
  if (!list->is_array() || list->size() > k_taints) return corrupt("a Node whose taints are no short list");
  for (const Json& taint : *list) {
    taints.push_back({text_of(member(taint, "key")), text_of(member(taint, "value")), text_of(member(taint, "effect")), text_of(member(taint, "timeAdded"))});
    if (taints.back().key.empty() || taints.back().effect.empty()) return corrupt("a Node with a taint that has no key or effect");
  }
  return {};
}

Result<KubeNode> node_from(const Json& object) {
  KubeNode node;
  const Json* metadata = member(object, "metadata");
  if (metadata != nullptr) node.name = text_of(member(*metadata, "name"));
  if (!is_dns_subdomain(node.name)) return corrupt("a Node without a proper name");
  read_labels(*metadata, node);
  const Json* spec = member(object, "spec");
  if (spec == nullptr) return node;
  const Status read = read_pod_cidrs(*spec, node.pod_cidrs);
  if (!read) return read.error();
  node.unschedulable = is_true(member(*spec, "unschedulable"));
  const Status tainted = read_taints(*spec, node.taints);
  if (!tainted) return tainted.error();
  return node;
}

// kube-apiserver's tokens are base64 for URLs.
bool is_token(std::string_view text) {
  return text.size() <= k_token_text && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '=';
         });
}

// metadata.continue of a list.
Result<std::string> next_page(const Json& list) {
  const Json* metadata = member(list, "metadata");
  std::string next = metadata == nullptr ? std::string() : text_of(member(*metadata, "continue"));
  if (!is_token(next)) return corrupt("a list with a strange continue token");
  return next;
}

// The owner that makes it anew; there is at most one.
std::string controller_of(const Json& metadata) {
  const Json* owners = member(metadata, "ownerReferences");
  if (owners == nullptr || !owners->is_array()) return {};
  for (const Json& owner : *owners) {
    if (is_true(member(owner, "controller"))) return text_of(member(owner, "kind")).substr(0, k_kind_text);
  }
  return {};
}

Result<KubePod> pod_from(const Json& object) {
  const Json* metadata = member(object, "metadata");
  if (metadata == nullptr) return corrupt("a Pod without metadata");
  KubePod pod;
  pod.name_space = text_of(member(*metadata, "namespace"));
  pod.name = text_of(member(*metadata, "name"));
  pod.uid = text_of(member(*metadata, "uid"));
  const bool proper = is_dns_label(pod.name_space) && is_dns_subdomain(pod.name) && !pod.uid.empty() && pod.uid.size() <= k_uid_text;
  if (!proper) return corrupt("a Pod without a proper name");
  pod.controller = controller_of(*metadata);
  const Json* annotations = member(*metadata, "annotations");
  pod.mirror = annotations != nullptr && member(*annotations, k_mirror) != nullptr;
  pod.ending = !text_of(member(*metadata, "deletionTimestamp")).empty();
  const Json* status = member(object, "status");
  const std::string phase = status == nullptr ? std::string() : text_of(member(*status, "phase"));
  pod.finished = phase == "Succeeded" || phase == "Failed";
  return pod;
}

}  // namespace

std::vector<AccessObject> access_objects() {
  return {coordinator_role(), binding(k_own, k_own, "User", k_own),
          // kube-apiserver asks kubelets for logs, exec and metrics with its kubelet client certificate.
          binding("slipway:kube-apiserver", "system:kubelet-api-admin", "User", "slipway:kube-apiserver"),
          // Of the kubeconfigs that we give. Unlike system:masters it can be taken away again: by deleting this.
          binding("slipway:cluster-admins", "cluster-admin", "Group", "slipway:cluster-admins")};
}

std::string pod_cidr_patch(const Cidr& pod_cidr, const std::optional<Cidr>& second) {
  const std::string text = pod_cidr.to_string();
  Json list = Json::array({text});
  if (second) list.push_back(second->to_string());
  const Json patch = {{"spec", {{"podCIDR", text}, {"podCIDRs", list}}}};
  return patch.dump();
}

std::string unschedulable_patch(bool unschedulable) {
  const Json patch = {{"spec", {{"unschedulable", unschedulable}}}};
  return patch.dump();
}

std::string marks_patch(const KubeMarks& marks) {
  Json patch = Json::object();
  for (const auto& [key, value] : marks.labels) patch["metadata"]["labels"][key] = value ? Json(*value) : Json(nullptr);
  if (!marks.resource_version.empty()) patch["metadata"]["resourceVersion"] = marks.resource_version;
  if (!marks.taints) return patch.dump();
  Json list = Json::array();
  for (const KubeTaint& taint : *marks.taints) {
    Json one = {{"key", taint.key}, {"effect", taint.effect}};
    if (!taint.value.empty()) one["value"] = taint.value;
    if (!taint.time_added.empty()) one["timeAdded"] = taint.time_added;
    list.push_back(std::move(one));
  }
  patch["spec"]["taints"] = std::move(list);
  return patch.dump();
}

Result<KubeNode> parse_node(std::string_view text) {
  const Json object = parse(text);
  if (object.is_discarded()) return corrupt("no JSON");
  return node_from(object);
}

Result<NodePage> parse_node_list(std::string_view text) {
  const Json object = parse(text);
  const Json* items = object.is_discarded() ? nullptr : member(object, "items");
  if (items == nullptr || !items->is_array()) return corrupt("no list of nodes");
  NodePage page;
  for (const Json& item : *items) {
    auto node = node_from(item);
    if (!node) return node.error();
    page.nodes.push_back(std::move(*node));
  }
  auto next = next_page(object);
  if (!next) return next.error();
  page.next = std::move(*next);
  return page;
}

Result<PodPage> parse_pod_list(std::string_view text) {
  const Json object = parse(text);
  const Json* items = object.is_discarded() ? nullptr : member(object, "items");
  // An empty list of a typed client may be null.
  if (items == nullptr || !(items->is_array() || items->is_null())) return corrupt("no list of pods");
  PodPage page;
  for (const Json& item : *items) {
    auto pod = pod_from(item);
    if (!pod) return pod.error();
    page.pods.push_back(std::move(*pod));
  }
  auto next = next_page(object);
  if (!next) return next.error();
  page.next = std::move(*next);
  return page;
}

Result<std::string> parse_eviction_version(std::string_view text) {
  const Json object = parse(text);
  const Json* resources = object.is_discarded() ? nullptr : member(object, "resources");
  if (resources == nullptr || !resources->is_array()) return corrupt("no list of resources");
  for (const Json& resource : *resources) {
    if (text_of(member(resource, "name")) != "pods/eviction") continue;
    const std::string version = text_of(member(resource, "version"));
    if (text_of(member(resource, "group")) == "policy" && (version == "v1beta1" || version == "v1")) return "policy/" + version;
  }
  return make_error(Errc::unavailable, "kube-apiserver has no eviction of policy/v1beta1 or policy/v1");
}

std::string eviction_body(const std::string& version, const KubePod& pod) {
  const Json body = {{"apiVersion", version},
                     {"kind", "Eviction"},
                     {"metadata", {{"name", pod.name}, {"namespace", pod.name_space}}},
                     {"deleteOptions", {{"preconditions", {{"uid", pod.uid}}}}}};
  return body.dump();
}

std::string status_message(int status, std::string_view body) {
  const Json object = parse(body);
  std::string message = object.is_discarded() ? std::string() : text_of(member(object, "message"));
  if (message.empty()) message = std::string(body.substr(0, k_message_text));
  if (message.size() > k_message_text) message.replace(k_message_text, std::string::npos, "...");
  for (char& c : message) {
    if (c < ' ' || c > '~') c = ' ';
  }
  return "kube-apiserver answered " + std::to_string(status) + ": " + message;
}

}  // namespace slipway::kube
