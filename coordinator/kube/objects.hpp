#pragma once
// Kubernetes objects that we write and read, as JSON text. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "coordinator/ports/kube_api.hpp"
#include "coordinator/ports/kube_pods.hpp"

namespace slipway::kube {

struct AccessObject {
  std::string collection;  // path to create it at; it then stands at collection + "/" + name
  std::string name;
  std::string body;
};
// Create them in this order.
std::vector<AccessObject> access_objects();
// A merge patch of spec.podCIDR and spec.podCIDRs.
std::string pod_cidr_patch(const Cidr& pod_cidr, const std::optional<Cidr>& second = {});
// A merge patch of spec.unschedulable.
std::string unschedulable_patch(bool unschedulable);

// A merge patch of labels and taints that fails when the object has another resourceVersion.
std::string marks_patch(const KubeMarks& marks);

// Both refuse with Errc::corrupt what no kube-apiserver sends; answers are bounded by the HTTP client.
Result<KubeNode> parse_node(std::string_view json);
struct NodePage {
  std::vector<KubeNode> nodes;
  std::string next;  // continue token as it may stand in a query, empty: the last page
};
Result<NodePage> parse_node_list(std::string_view json);
// These two likewise.
struct PodPage {
  std::vector<KubePod> pods;
  std::string next;  // as of NodePage
};
Result<PodPage> parse_pod_list(std::string_view json);
// Of the list of what /api/v1 has: "policy/v1beta1" or "policy/v1". Errc::unavailable when the server cannot evict.
Result<std::string> parse_eviction_version(std::string_view json);
// For this pod only, not for one of the same name that came after it.
std::string eviction_body(const std::string& version, const KubePod& pod);

// "nodes \"a\" is forbidden: ..." of a Status object, or the start of the text when it is none; short,
// printable ASCII.
std::string status_message(int status, std::string_view body);

}  // namespace slipway::kube
