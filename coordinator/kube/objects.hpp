#pragma once
// Kubernetes objects that we write and read, as JSON text. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "coordinator/ports/kube_api.hpp"

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

// Both refuse with Errc::corrupt what no kube-apiserver sends; answers are bounded by the HTTP client.
Result<KubeNode> parse_node(std::string_view json);
struct NodePage {
  std::vector<KubeNode> nodes;
  std::string next;  // continue token as it may stand in a query, empty: the last page
};
Result<NodePage> parse_node_list(std::string_view json);
// "nodes \"a\" is forbidden: ..." of a Status object, or the start of the text when it is none; short,
// printable ASCII.
std::string status_message(int status, std::string_view body);

}  // namespace slipway::kube
